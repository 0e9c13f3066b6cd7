"""Subscriptions whose own lock cannot be left held."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Any

from redis.client import PubSub as _PubSub

__all__ = ["PubSub"]

#: How long a wait for the flag goes on before it looks again.
_LOOK_ANEW = 0.1


class _Flag:
    """A ``threading.Event`` without a condition in it: an exception out of a signal's handler, between two steps of
    ``with condition``, leaves its lock held, and redis-py takes that lock again when the subscription is dropped.
    """

    def __init__(self) -> None:
        self._set = False
        self._waiting: list[weakref.ref[Any]] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for ref in waiting:
            bell = ref()
            if bell is not None and bell.locked():
                bell.release()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        bell = threading.Lock()
        while not self._set:
            rest = _LOOK_ANEW if until is None else min(_LOOK_ANEW, until - time.monotonic())
            if rest <= 0:
                break
            bell.acquire(blocking=False)
            self._waiting.append(weakref.ref(bell))
            if not self._set:
                bell.acquire(timeout=rest)
            self._waiting = [ref for ref in self._waiting if ref() not in (None, bell)]
        return self._set


class PubSub(_PubSub):
    """A subscription of redis-py's: see ``redis.client.PubSub``."""

    @property
    def subscribed_event(self) -> Any:
        return self._flag

    @subscribed_event.setter
    def subscribed_event(self, _event: Any) -> None:
        self._flag = _Flag()
