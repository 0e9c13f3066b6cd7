"""Who waits for the socket of one lease."""

from __future__ import annotations

import asyncio
import weakref

from .. import _ext

__all__ = ["Sockets", "Watch"]


class Sockets:
    """What the tasks of one loop wait for beside what they share, and how long: of all of it the loop knows one descriptor and
    one timer. A timer of each wait's own, taken back when the reply comes, would cost as much as the wait.

    The loop keeps it, and who waits: when the loop is closed, the descriptor is too.
    """

    __slots__ = ("_alarm", "_alarm_at", "_due", "_loop", "_poller", "_watches", "__weakref__")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Weakly: the loop owns it.
        self._loop = weakref.ref(loop)
        self._poller = _ext.Poller()
        #: Those that were not told yet, by the numbers of their sockets.
        self._watches: dict[int, Watch] = {}
        self._due: dict[asyncio.Future[bool], float] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        loop.add_reader(self._poller.fileno(), self._look)

    def arm(self, number: int, watch: Watch, write: bool) -> bool:
        """The watch is told once of what is found on its lease's socket; whether there is one."""
        self._watches[number] = watch
        return self._poller.arm(watch.lease, write)

    def disarm(self, number: int, watch: Watch) -> None:
        if self._watches.get(number) is watch:
            del self._watches[number]
        self._poller.disarm(watch.lease)

    def _look(self) -> None:
        for number, readable, writable in self._poller.found():
            watch = self._watches.pop(number, None)
            if watch is not None:
                watch.found(readable, writable)

    # -- time --

    def bound(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[bool], seconds: float) -> None:
        """The future is told so when nothing was found for so long."""
        at = self._due[future] = loop.time() + max(0.0, seconds)
        if self._alarm is None or at < self._alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self._set_alarm(loop, at)

    def unbound(self, future: asyncio.Future[bool]) -> None:
        self._due.pop(future, None)

    def ring(self) -> None:
        """Whose time has come is told so."""
        self._alarm = None
        loop = self._loop()
        if loop is None:
            return
        now = loop.time()
        later = None
        for future, at in self._due.items():
            if at <= now:
                _tell(future, False)
            elif later is None or at < later:
                later = at
        if later is not None:
            self._set_alarm(loop, later)

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        self._alarm = loop.call_at(at, _ring, weakref.ref(self))
        self._alarm_at = at


def _ring(sockets: weakref.ref[Sockets]) -> None:
    here = sockets()
    if here is not None:
        here.ring()


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
        self._readers.add(future)
        if write:
            self._writers.add(future)
        sockets = self._sockets
        try:
            if (write or not self._armed) and not self._arm():
                return True
            if seconds is not None:
                sockets.bound(self._loop, future, seconds)
            return await future
        finally:
            if seconds is not None:
                sockets.unbound(future)
            self._readers.discard(future)
            self._writers.discard(future)

    def _arm(self) -> bool:
        self._armed = True
        return self._sockets.arm(self._number, self, bool(self._writers))

    def found(self, readable: bool, writable: bool) -> None:
        """The socket's state was told, once."""
        self._armed = False
        for future in self._readers if readable else self._writers:
            _tell(future, True)
        if not readable and not all(future.done() for future in self._readers):
            self._arm()

    def close(self) -> None:
        """The loop watches it no more, and who waits is told: the next read says that it is closed."""
        waiting = self._readers | self._writers
        self._readers, self._writers = set(), set()
        if self._armed:
            self._armed = False
            self._sockets.disarm(self._number, self)
        if not waiting or self._loop.is_closed():
            return
        for future in waiting:
            _tell(future, True)


def _tell(future: asyncio.Future[bool], found: bool) -> None:
    if not future.done():
        future.set_result(found)
