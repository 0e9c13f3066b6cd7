"""Classes of somebody's own, derived from Seawall's connections: what they do in another way is done for every command.

Fails where the engine speaks in their stead.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import seawall
import seawall.asyncio

SEEN: list[Any] = []


class Told(seawall.Connection):
    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        SEEN.append("sent")
        super().send_packed_command(command, check_health)

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        reply = super().read_response(*args, **kwargs)
        SEEN.append(reply)
        return reply


class ToldOfTasks(seawall.asyncio.Connection):
    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        SEEN.append("sent")
        await super().send_packed_command(command, check_health)

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        reply = await super().read_response(*args, **kwargs)
        SEEN.append(reply)
        return reply


class Greeting:
    """Mixed in: says something first over each connection."""

    def on_connect_check_health(self, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health)  # type: ignore[misc]
        SEEN.append("connected")


class Greets(Greeting, seawall.Connection):
    pass


class Stranger(seawall.Connection):
    def _connect(self) -> Any:
        SEEN.append(socket.create_connection((self.host, self.port)))
        return SEEN[-1]


class Named(seawall.Connection):
    """What it changes is no way of talking."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "client_name": "somebody"})

    def disconnect(self, *args: Any) -> None:
        # As kombu's.
        super().disconnect(*args)


@pytest.fixture(autouse=True)
def nothing_seen():
    SEEN.clear()


def test_what_a_class_sends_and_reads_in_its_own_way_are_all_commands(url):
    with seawall.Redis(connection_pool=seawall.ConnectionPool.from_url(url, connection_class=Told)) as client:
        client.set("k", "v")
        assert SEEN == ["sent", b"OK"]
        SEEN.clear()
        assert client.pipeline(transaction=False).get("k").strlen("k").execute() == [b"v", 1]
        assert SEEN == ["sent", b"v", 1]
        SEEN.clear()
        assert client.pipeline().get("k").execute() == [b"v"]
        assert SEEN == ["sent", b"OK", b"QUEUED", [b"v"]]


def test_under_asyncio_they_are_too(url):
    async def main() -> None:
        pool = seawall.asyncio.ConnectionPool.from_url(url, connection_class=ToldOfTasks)
        async with seawall.asyncio.Redis(connection_pool=pool) as client:
            await client.set("k", "v")
            assert SEEN == ["sent", b"OK"]
            SEEN.clear()
            assert await client.pipeline().get("k").execute() == [b"v"]
            assert SEEN == ["sent", b"OK", b"QUEUED", [b"v"]]
        await pool.disconnect()

    asyncio.run(main())


def test_what_a_class_does_when_it_connects_is_done_once_for_a_connection(url):
    pool = seawall.ConnectionPool.from_url(url, connection_class=Greets)
    client = seawall.Redis(connection_pool=pool)
    for _ in range(3):
        client.ping()
    assert SEEN == ["connected"]
    pool.disconnect()
    client.ping()
    assert SEEN == ["connected", "connected"]
    pool.disconnect()


def test_a_class_that_dials_by_itself_is_told_what_to_derive_from(url):
    client = seawall.Redis(connection_pool=seawall.ConnectionPool.from_url(url, connection_class=Stranger))
    with pytest.raises(TypeError, match="Stranger makes connections of its own: derive it from redis-py's class"):
        client.ping()
    SEEN.pop().close()


def test_a_class_that_changes_nothing_but_arguments_stays_on_the_engine(url):
    pool = seawall.ConnectionPool.from_url(url, connection_class=Named)
    client = seawall.Redis(connection_pool=pool)
    assert client.client_getname() == "somebody"
    assert pool._link() is not None
    pool.disconnect()
