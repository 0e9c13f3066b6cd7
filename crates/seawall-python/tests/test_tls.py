"""TLS against real servers, through both doors: what is accepted, and what is said where it is not."""

from __future__ import annotations

import asyncio
import datetime
import os
import pathlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import trustme

import seawall
from real_servers import find_server, free_port


class World:
    """Certificates, and a server for each way of having them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        ours, self.others = trustme.CA(), trustme.CA()
        utc = datetime.timezone.utc
        self.authority = self.write("authority.pem", ours.cert_pem)
        self.stranger = self.write("stranger.pem", self.others.cert_pem)
        mine = ours.issue_cert("client")
        self.certificate = self.write("client.pem", *mine.cert_chain_pems)
        self.key = self.write("client.key", mine.private_key_pem)
        good = ours.issue_cert("localhost")
        self.port = self.serve(good)
        self.mutual = self.serve(good, "--tls-auth-clients", "yes")
        self.misnamed = self.serve(ours.issue_cert("elsewhere.example"))
        self.expired = self.serve(
            ours.issue_cert(
                "localhost",
                not_before=datetime.datetime(2019, 1, 1, tzinfo=utc),
                not_after=datetime.datetime(2020, 1, 1, tzinfo=utc),
            )
        )
        self.plain = self.run("--port", str(port := free_port()), port=port)

    def write(self, name: str, *blobs: trustme.Blob) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        return str(path)

    def serve(self, leaf: trustme.LeafCert, *options: str) -> int:
        port = free_port()
        certificate = self.write(f"{port}.pem", *leaf.cert_chain_pems)
        key = self.write(f"{port}.key", leaf.private_key_pem)
        files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", self.authority]
        options = options or ("--tls-auth-clients", "no")
        return self.run("--port", "0", "--tls-port", str(port), *files, *options, port=port)

    def run(self, *options: str, port: int) -> int:
        command = [find_server(), *options, "--save", "", "--dir", str(self.folder)]
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                if self.processes[-1].poll() is not None:
                    pytest.skip("the server was built without TLS")
                assert time.monotonic() < until, "the server does not listen"
                time.sleep(0.01)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("tls"))
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def by_threads(port: int, **options: Any) -> Any:
    with seawall.Redis(host="localhost", port=port, ssl=True, **options) as client:
        client.set("k", "v")
        # Another entry than the fast path.
        assert client.pipeline().set("k", "w").get("k").execute() == [True, b"w"]
        return client.get("k")


def by_tasks(port: int, **options: Any) -> Any:
    async def calls() -> Any:
        async with seawall.asyncio.Redis(host="localhost", port=port, ssl=True, **options) as client:
            await client.set("k", "v")
            assert await client.pipeline().set("k", "w").get("k").execute() == [True, b"w"]
            return await client.get("k")

    return asyncio.run(calls())


doors = pytest.mark.parametrize("door", [by_threads, by_tasks])
Door = Callable[..., Any]


@doors
def test_what_is_in_order_is_accepted(world: World, door: Door) -> None:
    mine = {"ssl_certfile": world.certificate, "ssl_keyfile": world.key}
    assert door(world.port, ssl_ca_certs=world.authority) == b"w"
    assert door(world.port, ssl_cert_reqs="none", ssl_check_hostname=False) == b"w"
    assert door(world.misnamed, ssl_ca_certs=world.authority, ssl_check_hostname=False) == b"w"
    assert door(world.mutual, ssl_ca_certs=world.authority, **mine) == b"w"


@doors
@pytest.mark.parametrize("server", ["port", "misnamed", "expired", "mutual"])
def test_a_certificate_that_is_not_accepted_is_a_connection_error_at_once(world: World, door: Door, server: str) -> None:
    authority = world.stranger if server == "port" else world.authority
    with pytest.raises(redis.ConnectionError) as told:
        door(getattr(world, server), ssl_ca_certs=authority)
    assert isinstance(told.value, seawall.errors.ConnectionError)
    assert (told.value.cause, told.value.may_have_run) == ("tls-certificate", False)
    assert told.value.elapsed < 1, "it was tried again, though nothing but a person can mend it"


@doors
def test_a_port_without_tls_is_named(world: World, door: Door) -> None:
    with pytest.raises(redis.ConnectionError) as told:
        door(world.plain, ssl_ca_certs=world.authority)
    assert told.value.cause == "tls-handshake"  # type: ignore[attr-defined]
    assert "redis://" in told.value.hint  # type: ignore[attr-defined]


@doors
@pytest.mark.parametrize("file", ["/nowhere/authority.pem", "key"])
def test_a_file_that_cannot_be_read_is_named(world: World, door: Door, file: str) -> None:
    with pytest.raises(redis.ConnectionError, match="tls_ca_file") as told:
        door(world.port, ssl_ca_certs=getattr(world, file, file))
    # A setting that is wrong, and what redis-py raises for it.
    assert isinstance(told.value, redis.DataError)


@doors
def test_large_values_and_many_calls_come_through_whole(world: World, door: Door) -> None:
    options = {"host": "localhost", "port": world.port, "ssl": True, "ssl_ca_certs": world.authority}
    value = os.urandom(20_000_000)

    async def tasks() -> list[int]:
        async with seawall.asyncio.Redis(**options) as client:
            await client.set("large", value)
            assert await client.get("large") == value
            await client.delete("n")
            return await asyncio.gather(*(client.incr("n") for _ in range(2000)))

    if door is by_tasks:
        assert asyncio.run(tasks()) == list(range(1, 2001))
        return
    with seawall.Redis(**options) as client:
        client.set("large", value)
        assert client.get("large") == value
        assert client.blpop(["nothing"], timeout=1) is None
        channel = client.pubsub()
        channel.subscribe("c")
        client.publish("c", "said")
        messages = [channel.get_message(timeout=5), channel.get_message(timeout=5)]
        assert [message["data"] for message in messages] == [1, b"said"]  # type: ignore[index]
