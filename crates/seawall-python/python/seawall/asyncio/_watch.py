"""Who waits for the socket of one lease."""

from __future__ import annotations

import asyncio
import math
import weakref

from .. import _ext

__all__ = ["Sockets", "Watch"]


#: An alarm that is later than this, in seconds, is none: an exception out of a signal's handler came in its place.
_LOST = 0.1


class Sockets:
    """What the tasks of one loop wait for beside what they share, and how long: of all of it the loop knows one descriptor and
    one timer. A timer of each wait's own, taken back when the reply comes, would cost as much as the wait.

    An exception out of a signal's handler may come between any two steps, and the loop may go on after it: what is found is told
    until it is disarmed, and a timer that was lost is set anew by whoever comes next.

    The loop keeps it, and who waits: when the loop is closed, the descriptor is too.
    """

    __slots__ = ("_alarm", "_alarm_at", "_due", "_loop", "_poller", "_watches", "__weakref__")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Weakly: the loop owns it.
        self._loop = weakref.ref(loop)
        self._poller = _ext.Poller()
        #: Those that are armed, by the numbers of their sockets.
        self._watches: dict[int, Watch] = {}
        self._due: dict[asyncio.Future[bool], float] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        loop.add_reader(self._poller.fileno(), self._look)

    def arm(self, number: int, watch: Watch, write: bool) -> bool:
        """The watch is told of what is found on its lease's socket, until it is disarmed; whether there is one."""
        self._watches[number] = watch
        armed = False
        try:
            armed = self._poller.arm(watch.lease, write)
        finally:
            if not armed:
                self._forget(number, watch)
        return armed

    def disarm(self, number: int, watch: Watch) -> None:
        self._poller.disarm(watch.lease)
        self._forget(number, watch)

    def _forget(self, number: int, watch: Watch) -> None:
        # Another thread may let go of a connection that nobody uses.
        if self._watches.get(number) is watch:
            self._watches.pop(number, None)

    def _look(self) -> None:
        for number, readable, writable in self._poller.found():
            watch = self._watches.get(number)
            if watch is not None:
                watch.found(readable, writable)
            elif not self._poller.drop_number(number):
                self._begin_anew()
                break
        loop = self._loop()
        if loop is not None and self._is_lost(loop.time()):
            self.ring()

    def _begin_anew(self) -> None:
        """Something is found again and again that cannot be let go of: a copy of a descriptor that was closed."""
        loop = self._loop()
        if loop is None:
            return
        loop.remove_reader(self._poller.fileno())
        self._poller = _ext.Poller()
        loop.add_reader(self._poller.fileno(), self._look)
        for watch in list(self._watches.values()):
            watch.arm()

    # -- time --

    def bound(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[bool], seconds: float) -> None:
        """The future is told so when nothing was found for so long."""
        now = loop.time()
        # In whole milliseconds, as uvloop counts: what is less would ring at once, and again until its time has come.
        at = self._due[future] = math.ceil((now + max(0.0, seconds)) * 1000) / 1000
        if self._alarm is None or at < self._alarm_at:
            self._set_alarm(loop, at)
        elif self._is_lost(now):
            self.ring()

    def unbound(self, future: asyncio.Future[bool]) -> None:
        self._due.pop(future, None)

    def _is_lost(self, now: float) -> bool:
        return self._alarm is not None and self._alarm_at < now - _LOST

    def ring(self) -> None:
        """Whose time has come is told so."""
        loop = self._loop()
        if loop is None:
            return
        now = loop.time() + 1e-6
        later = min((at for at in self._due.values() if at > now), default=None)
        if later is None:
            self._drop_alarm()
        else:
            self._set_alarm(loop, later)
        for future, at in self._due.items():
            if at <= now:
                _tell(future, False)

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        before, self._alarm_at = self._alarm, at
        self._alarm = loop.call_at(at, self._poller.ring, weakref.ref(self))
        if before is not None:
            before.cancel()

    def _drop_alarm(self) -> None:
        before, self._alarm = self._alarm, None
        if before is not None:
            before.cancel()


class Watch:
    """The tasks that wait for a socket: several may, to read and to write. It must be closed before the socket is."""

    __slots__ = ("_armed", "_loop", "_number", "_readers", "_sockets", "_writers", "lease")

    def __init__(self, lease: _ext.Lease, loop: asyncio.AbstractEventLoop, sockets: Sockets) -> None:
        self.lease = lease
        self._loop = loop
        self._sockets = sockets
        self._number = -1
        self._armed = False
        self._readers: set[asyncio.Future[bool]] = set()
        self._writers: set[asyncio.Future[bool]] = set()

    def is_of(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this loop watches the socket."""
        return self._loop is loop

    async def readable(self, seconds: float | None) -> bool:
        """Waits until there is something to read, or the end, ``seconds`` at most; whether there is."""
        return await self._wait(seconds, write=False)

    async def writable(self, seconds: float | None) -> bool:
        """Waits for room to write, or for something to read, ``seconds`` at most; whether there is."""
        return await self._wait(seconds, write=True)

    async def _wait(self, seconds: float | None, write: bool) -> bool:
        number = self.lease.fileno()
        if number < 0:
            return True
        future: asyncio.Future[bool] = self._loop.create_future()
        self._number = number
        try:
            self._readers.add(future)
            if write:
                self._writers.add(future)
            if (write or not self._armed) and not self.arm():
                return True
            if seconds is not None:
                self._sockets.bound(self._loop, future, seconds)
            return await future
        finally:
            if seconds is not None:
                self._sockets.unbound(future)
            self._readers.discard(future)
            self._writers.discard(future)
            if self._armed and not self._readers:
                self._disarm()

    def arm(self) -> bool:
        """Has the socket watched; whether there is one."""
        # Said to be armed no sooner than it is, and no longer.
        self._armed = self._sockets.arm(self._number, self, bool(self._writers))
        return self._armed

    def _disarm(self) -> None:
        self._armed = False
        self._sockets.disarm(self._number, self)

    def found(self, readable: bool, writable: bool) -> None:
        """The socket's state, which is told again as long as somebody waits for what it is not."""
        for future in self._readers if readable else self._writers:
            _tell(future, True)
        if all(future.done() for future in self._readers):
            self._disarm()
        elif writable:
            self._writers = {future for future in self._writers if not future.done()}
            self.arm()

    def close(self) -> None:
        """The loop watches it no more, and who waits is told: the next read says that it is closed."""
        waiting = self._readers | self._writers
        self._readers, self._writers = set(), set()
        if self._armed:
            self._disarm()
        if not waiting or self._loop.is_closed():
            return
        for future in waiting:
            _tell(future, True)


def _tell(future: asyncio.Future[bool], found: bool) -> None:
    if not future.done():
        future.set_result(found)
