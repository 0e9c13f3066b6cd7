"""A subscription, on which one thread may speak (subscribe to more, unsubscribe, ping) while another listens.

A call on a lease has it to itself until it ends. So nobody waits inside one here: who listens waits for the socket, and
takes what came in a call that waits for nothing.
"""

from __future__ import annotations

import select
import threading
import time
from typing import Any

from . import _ext

__all__ = ["Subscribed"]

#: How often a listener looks whether its connection was closed by another thread, or the endpoint has gone down.
_GLANCE = 0.25


class Subscribed:
    """Whose turn it is."""

    __slots__ = ("turn",)

    def __init__(self) -> None:
        self.turn = threading.Lock()

    def read(self, lease: _ext.Lease, codec: _ext.Codec, decode: bool, within: float | None) -> Any:
        """As ``lease.read``."""
        if within is not None and within < 0:
            within = lease.patience
        until = None if within is None else time.monotonic() + within
        while True:
            with self.turn:
                came = lease.read(codec, decode, 0.0)
            if came is not None or not self._wait(lease, until):
                return came

    def can_read(self, lease: _ext.Lease, within: float) -> bool:
        """As ``lease.can_read``."""
        until = time.monotonic() + within
        while True:
            with self.turn:
                can = lease.can_read(0.0)
            if can or not self._wait(lease, until):
                return can

    def _wait(self, lease: _ext.Lease, until: float | None) -> bool:
        """Waits for more to read, for a moment; whether there is time left."""
        pause = _GLANCE
        if until is None:
            if lease.down:
                with self.turn:
                    raise lease.late()
        else:
            pause = min(pause, until - time.monotonic())
            if pause <= 0:
                return False
        number = lease.fileno()
        if number >= 0:
            _wait_for(number, pause)
        return True


def _wait_for(number: int, seconds: float) -> None:
    # Not in the engine: gevent and eventlet put their own in the place of these.
    try:
        if not hasattr(select, "poll"):
            select.select([number], [], [], seconds)
            return
        poll = select.poll()
        poll.register(number, select.POLLIN)
        poll.poll(max(1, int(seconds * 1000)))
    except OSError:
        # It was closed a moment ago: the next read says so.
        return
