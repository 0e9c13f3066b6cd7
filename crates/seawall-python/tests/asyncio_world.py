"""What the tests of seawall.asyncio share: loops to run on, and a network path that can be broken."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from real_servers import USED

#: Far beyond what any of this takes: a test that hangs ends by it, with the traceback of where.
PATIENCE = 60


def loop_kinds() -> list[Any]:
    kinds: list[Any] = [pytest.param(asyncio.new_event_loop, id="asyncio")]
    try:
        import uvloop
    except ImportError:
        return kinds
    return [*kinds, pytest.param(uvloop.new_event_loop, id="uvloop")]


def run_on(new_loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, Any]) -> Any:
    """As asyncio.run, on a loop of the given kind."""

    async def bounded() -> Any:
        return await asyncio.wait_for(main, PATIENCE)

    loop = new_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(bounded())
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


class Relay:
    """A path to a server that can lose a reply and reset, or fall silent."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.port = 0
        #: Once a request that contains this has gone up, its reply is thrown away and the connection reset.
        self.lose_reply_to: bytes | None = None
        #: How many replies more are lost after that one.
        self.lose_more = 0
        self.lost = 0
        #: How many connections the client made.
        self.connects = 0
        #: How many connections the client ended with a reset.
        self.resets = 0
        self.silent = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        USED.add(self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.silent = False
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        condemned = [False]

        async def some() -> bytes:
            try:
                return await reader.read(65536)
            except ConnectionResetError:
                self.resets += 1
                return b""

        async def up() -> None:
            while data := await some():
                while self.silent:
                    await asyncio.sleep(0.01)
                if self.lose_reply_to is not None and self.lose_reply_to in data and not condemned[0]:
                    condemned[0] = True
                    self.lose_more -= 1
                    if self.lose_more < 0:
                        self.lose_reply_to, self.lose_more = None, 0
                up_writer.write(data)

        async def down() -> None:
            while data := await up_reader.read(65536):
                while self.silent:
                    await asyncio.sleep(0.01)
                if condemned[0]:
                    self.lost += 1
                    raw = writer.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    writer.transport.abort()
                    return
                writer.write(data)

        tasks = [asyncio.ensure_future(up()), asyncio.ensure_future(down())]
        self._tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.difference_update(tasks)
        writer.transport.abort()
        up_writer.transport.abort()
