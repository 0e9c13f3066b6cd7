"""Who waits for the socket of one lease."""

from __future__ import annotations

import asyncio

from .. import _ext

__all__ = ["Watch"]


class Watch:
    """The tasks that wait for a socket: several may, to read and to write. It must be closed before the socket is, or
    the loop would go on watching a number that soon is another socket's.
    """

    __slots__ = ("_lease", "_loop", "_number", "_readers", "_writers")

    def __init__(self, lease: _ext.Lease, loop: asyncio.AbstractEventLoop) -> None:
        self._lease = lease
        self._loop = loop
        self._number = -1
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
        number = self._lease.fileno()
        if number < 0:
            return True
        loop = self._loop
        future: asyncio.Future[bool] = loop.create_future()
        self._number = number
        self._readers.add(future)
        if len(self._readers) == 1:
            loop.add_reader(number, self._found, self._readers)
        if write:
            self._writers.add(future)
            if len(self._writers) == 1:
                loop.add_writer(number, self._found, self._writers)
        timer = None if seconds is None else loop.call_later(max(0.0, seconds), _tell, future, False)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            self._leave(future)

    def _leave(self, future: asyncio.Future[bool]) -> None:
        if future in self._readers:
            self._readers.discard(future)
            if not self._readers:
                self._loop.remove_reader(self._number)
        if future in self._writers:
            self._writers.discard(future)
            if not self._writers:
                self._loop.remove_writer(self._number)

    @staticmethod
    def _found(waiting: set[asyncio.Future[bool]]) -> None:
        for future in waiting:
            _tell(future, True)

    def close(self) -> None:
        """The loop watches it no more, and who waits is told: the next read says that it is closed."""
        waiting = self._readers | self._writers
        readers, writers = self._readers, self._writers
        self._readers, self._writers = set(), set()
        loop = self._loop
        if not waiting or loop.is_closed():
            return
        if readers:
            loop.remove_reader(self._number)
        if writers:
            loop.remove_writer(self._number)
        for future in waiting:
            _tell(future, True)


def _tell(future: asyncio.Future[bool], found: bool) -> None:
    if not future.done():
        future.set_result(found)
