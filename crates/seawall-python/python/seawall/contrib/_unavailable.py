"""What the frameworks share: which errors mean that Redis cannot be used, what is answered, and what is logged."""

from __future__ import annotations

import logging
import math
import time

from redis import exceptions as _redis

from .._ration import Ration
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


_ration = Ration()


def note(error: BaseException, what: str) -> None:
    """Logs that a request was answered so."""
    cause = cause_of(error)
    suppressed = _ration.ask(cause, time.monotonic())
    if suppressed is not None:
        first = str(error).partition("\n")[0]
        log.error("request.unavailable cause=%s request=%r suppressed=%d: %s", cause, what, suppressed, first)
