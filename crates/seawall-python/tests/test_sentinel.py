"""Redis behind a real Sentinel."""

from __future__ import annotations

import asyncio
import pathlib
import subprocess
from collections.abc import Iterator

import pytest
import redis
import seawall
import seawall.asyncio.sentinel
import seawall.sentinel
from real_servers import Server, find_server, free_port
from sync_world import until


class Sentinel:
    """One Sentinel, which is told by hand where the master is."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.port = free_port()
        settings = folder / "sentinel.conf"
        settings.write_text("")
        self.process = subprocess.Popen(
            [find_server(), str(settings), "--sentinel", "--port", str(self.port)], stdout=subprocess.DEVNULL, cwd=folder
        )
        self.admin = redis.Redis(port=self.port)
        until(self._answers, "the sentinel")

    def _answers(self) -> bool:
        try:
            return bool(self.admin.ping())
        except redis.ConnectionError:
            return False

    def name(self, server: Server) -> None:
        try:
            self.admin.execute_command("SENTINEL", "REMOVE", "shop")
        except redis.ResponseError:
            pass
        self.admin.execute_command("SENTINEL", "MONITOR", "shop", "127.0.0.1", server.port, 1)


@pytest.fixture
def sentinel(tmp_path: pathlib.Path) -> Iterator[Sentinel]:
    made = Sentinel(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()


def test_calls_go_to_the_master_that_the_sentinels_name(sentinel: Sentinel, make_server) -> None:
    first, second = make_server(), make_server()
    sentinel.name(first)
    face = seawall.sentinel.Sentinel([("127.0.0.1", sentinel.port)], socket_timeout=5)
    assert type(face.sentinels[0]) is seawall.Redis
    client = face.master_for("shop")
    assert type(client) is seawall.Redis
    assert type(client.connection_pool) is seawall.sentinel.SentinelConnectionPool
    assert type(face.master_for("shop", redis.Redis)) is redis.Redis
    assert client.set("where", "first")
    assert client.pipeline().get("where").execute() == [b"first"]
    sentinel.name(second)
    first.kill()
    # The pool looks at what it kept: that it is closed is seen before anything is sent.
    assert client.set("where", "second")
    assert second.admin().get("where") == "second"
    with pytest.raises(seawall.sentinel.MasterNotFoundError):
        face.master_for("another").get("where")
    assert face.replica_for("shop").get("where") == b"second"


def test_calls_of_tasks_go_there_too(sentinel: Sentinel, make_server) -> None:
    first, second = make_server(), make_server()
    sentinel.name(first)

    async def main() -> None:
        face = seawall.asyncio.sentinel.Sentinel([("127.0.0.1", sentinel.port)], socket_timeout=5)
        assert type(face.sentinels[0]) is seawall.asyncio.Redis
        client = face.master_for("shop")
        assert type(client) is seawall.asyncio.Redis
        assert type(client.connection_pool) is seawall.asyncio.sentinel.SentinelConnectionPool
        assert type(face.master_for("shop", redis.asyncio.Redis)) is redis.asyncio.Redis
        async with client:
            assert await client.set("where", "first")
            assert await client.pipeline().get("where").execute() == [b"first"]
            sentinel.name(second)
            first.kill()
            assert await client.set("where", "second")
        assert second.admin().get("where") == "second"
        async with face.replica_for("shop") as replica:
            assert await replica.get("where") == b"second"
        await face.sentinels[0].aclose()

    asyncio.run(main())
