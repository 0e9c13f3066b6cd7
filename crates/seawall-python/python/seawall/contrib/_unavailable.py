"""What the frameworks share: which errors mean that Redis cannot be used, what is answered, and what is logged."""

from __future__ import annotations

import logging
import math
import os
import threading
import time

from redis import exceptions as _redis

from ..errors import SeawallError

log = logging.getLogger("seawall.contrib")

#: Errors that say that Redis could not be used. Errors about a command (``WRONGTYPE``) are the application's own.
CATCHES = (_redis.ConnectionError, _redis.TimeoutError, SeawallError)

#: Libraries that put an error of their own before Redis's.
_WRAPPERS = ("kombu.exceptions", "django_redis.exceptions")


def reason(error: BaseException | None) -> BaseException | None:
    """The error of Redis's that this one is, or that a library has wrapped; ``None`` if it is another's."""
    while error is not None:
        if isinstance(error, CATCHES):
            return error
        if type(error).__module__ not in _WRAPPERS:
            return None
        error = error.__cause__
    return None


def cause_of(error: BaseException) -> str:
    """The stable name of the cause; ``unclear`` for an error of plain redis-py."""
    return str(getattr(error, "cause", "unclear"))


def headers_of(error: BaseException) -> dict[str, str]:
    """When to try again, in whole seconds and at least one, and the cause's name."""
    seconds = getattr(error, "retry_after", None) or 0.0
    return {"Retry-After": str(max(1, math.ceil(seconds))), "X-Seawall-Cause": cause_of(error)}


def text_of(error: BaseException) -> str:
    """What people see. Neither keys nor addresses: those are in the log."""
    return f"Redis is unavailable: {cause_of(error)}"


class Ration:
    """Lets one line a second through for each cause, and counts the others."""

    #: Seconds between two lines of one cause: an outage under load must not fill the disk with it.
    PERIOD = 1.0

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def ask(self, cause: str, now: float) -> int | None:
        """How many lines were suppressed since the last one, or ``None``: this one is suppressed."""
        with self._lock:
            last = self._last.get(cause)
            if last is not None and now - last < self.PERIOD:
                self._suppressed[cause] = self._suppressed.get(cause, 0) + 1
                return None
            self._last[cause] = now
            return self._suppressed.pop(cause, 0)


_ration = Ration()


def note(error: BaseException, what: str) -> None:
    """Logs that a request was answered so."""
    cause = cause_of(error)
    suppressed = _ration.ask(cause, time.monotonic())
    if suppressed is not None:
        first = str(error).partition("\n")[0]
        log.error("request.unavailable cause=%s request=%r suppressed=%d: %s", cause, what, suppressed, first)
