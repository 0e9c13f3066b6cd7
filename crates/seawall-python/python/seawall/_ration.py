"""One line a second about each thing: a fault that strikes a thousand calls a second must not fill the disk."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Hashable

#: Beyond so many all is forgotten, and told anew.
_KNOWN_MAX = 4_096


class Ration:
    """Lets one line a second through for each cause, and counts the others."""

    #: Seconds between two lines of one cause.
    PERIOD = 1.0

    def __init__(self) -> None:
        self._last: dict[Hashable, float] = {}
        self._suppressed: dict[Hashable, int] = {}
        # A signal's handler or a finalizer may come back here.
        self._lock = threading.RLock()
        _all.add(self)

    def ask(self, cause: Hashable, now: float) -> int | None:
        """How many lines were suppressed since the last one, or ``None``: this one is suppressed."""
        with self._lock:
            last = self._last.get(cause)
            if last is not None and now - last < self.PERIOD:
                self._suppressed[cause] = self._suppressed.get(cause, 0) + 1
                return None
            if len(self._last) >= _KNOWN_MAX:
                self._last.clear()
                self._suppressed.clear()
            self._last[cause] = now
            return self._suppressed.pop(cause, 0)


_all: weakref.WeakSet[Ration] = weakref.WeakSet()


def _after_fork() -> None:
    for ration in list(_all):
        ration._lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
