"""What a connection asks of the engine follows its attributes, which others change after it was made.

Fails where what they came to at first is kept whatever becomes of them.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import redis
import seawall
import seawall.asyncio
from real_servers import REPOSITORY
from redis.driver_info import DriverInfo
from seawall import _config

PLAIN = {
    "_attempts": 2,
    "username": "user",
    "password": "word",
    "db": 3,
    "client_name": "name",
    "protocol": 2,
    "driver_info": DriverInfo(name="other", lib_version="1"),
    "host": "elsewhere",
    "port": 1,
    "socket_keepalive": False,
}
OF_THREADS = {**PLAIN, "_socket_timeout": 7.0, "_socket_connect_timeout": 0.3}
OF_TASKS = {**PLAIN, "socket_timeout": 7.0, "socket_connect_timeout": 0.3}
OF_TLS = {"ca_certs": "/ca", "certfile": "/cert", "keyfile": "/key", "check_hostname": False}


class EqualToAll:
    """A provider of credentials whose class compares by what it was made of."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def asked(connection: Any) -> tuple[Any, ...]:
    return _config.spec_of(connection, connection._ours).key


@pytest.mark.parametrize(
    ("connection", "attributes"),
    [
        (seawall.Connection(), OF_THREADS),
        (seawall.asyncio.Connection(), OF_TASKS),
        (seawall.SSLConnection(), {**OF_THREADS, **OF_TLS}),
        (seawall.UnixDomainSocketConnection(path="/before"), {"path": "/after"}),
    ],
    ids=["threads", "tasks", "tls", "unix"],
)
def test_a_changed_attribute_reaches_the_next_lease(connection, attributes):
    assert asked(connection) == asked(connection)
    for name, value in attributes.items():
        before = asked(connection)
        setattr(connection, name, value)
        assert asked(connection) != before, name


def test_so_does_a_name_that_is_added_to_those_of_its_library():
    connection = seawall.Connection(driver_info=DriverInfo(name="framework", lib_version="1"))
    before = asked(connection)
    connection.driver_info.add_upstream_driver("other", "2.0")
    assert asked(connection) != before


def test_a_provider_of_credentials_is_part_of_it():
    connection = seawall.Connection()
    before = asked(connection)
    for _ in range(2):
        connection.credential_provider = EqualToAll()
        assert asked(connection) != before
        before = asked(connection)


def test_the_defaults_that_are_not_those_of_the_settings_page_are_written_down(shared_server) -> None:
    page = (REPOSITORY / "docs" / "python.md").read_text()
    _, _, table = page.partition("| setting | here | since |")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table.partition("\n\n")[0], re.MULTILINE)
    written = {name: re.findall(r"`([^` ]+)`", text) for name, text in rows}

    def said(pool: Any) -> dict[str, str]:
        sample = pool.connection_class(**pool.connection_kwargs)
        size = None if isinstance(pool, redis.asyncio.ConnectionPool) else pool.max_connections
        return dict(_config.spec_of(sample, sample._ours, size).settings)

    async def size_of_tasks() -> int:
        async with seawall.asyncio.Redis.from_url(shared_server.url) as client:
            await client.ping()
            return int(client.connection_pool.stats()["size"])

    threads, blocking, tasks = map(
        said, (seawall.ConnectionPool(), seawall.BlockingConnectionPool(), seawall.asyncio.ConnectionPool())
    )
    # The engine's own version is the page's default.
    del threads["lib_version"]
    assert written.keys() == threads.keys()
    assert written["deadline"] == [f"{int(threads['deadline'].removesuffix('ms')) // 1000}s"] == ["5s"]
    assert written["protocol"] == [threads["protocol"]] == [tasks["protocol"]]
    assert written["lib_name"][0].partition("_v")[0] == threads["lib_name"].partition("_v")[0]
    sizes = [threads["pool_size"], blocking["pool_size"], str(asyncio.run(size_of_tasks()))]
    assert [text for text in written["pool_size"] if text.isdigit()] == sizes
