"""Subscriptions whose own lock cannot be left held, and that say what they missed."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Any

from redis.client import PubSub as _PubSub

from ._gaps import Gapped, refuse_coroutines, takes_gaps

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


class PubSub(Gapped, _PubSub):
    """A subscription of redis-py's: see ``redis.client.PubSub``. Takes ``on_gap`` and ``gap_messages`` besides."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        found = takes_gaps(kwargs)
        refuse_coroutines(found)
        super().__init__(*args, **kwargs)
        self.__dict__.update(found)

    def _reconnect(self, conn: Any, error: Any = None, *args: Any, **kwargs: Any) -> None:
        self._noticed(error)
        super()._reconnect(conn, error, *args, **kwargs)

    def on_connect(self, connection: Any) -> None:
        """As in redis-py: subscribes to everything again."""
        again = self._subscribed_again()
        super().on_connect(connection)
        if again and self.push_handler_func is not None:
            # Whoever takes pushes in a way of their own sees no confirmation come by here.
            self._told(self._closed())

    def handle_message(self, response: Any, ignore_subscribe_messages: bool = False) -> Any:
        """As in redis-py: a message out of a reply."""
        message = super().handle_message(response, ignore_subscribe_messages)
        if self._due:
            gap = self._confirmed(response)
            if gap is not None:
                self._told(gap)
                return self._message(gap, message)
        return message

    @property
    def subscribed_event(self) -> Any:
        return self._flag

    @subscribed_event.setter
    def subscribed_event(self, _event: Any) -> None:
        self._flag = _Flag()
