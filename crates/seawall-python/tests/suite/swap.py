"""A plugin for pytest, loaded into each process that runs redis-py's tests.

It starts servers of that process's own, at redis-py's usual ports in a network of its own where that is allowed, and
lets the tests meet Seawall's classes where they name redis-py's. ``SEAWALL_SUITE`` says how far:

- ``direct``: nothing is swapped; what the others are compared with.
- ``client``: ``redis.Redis``, the pools and the connections are Seawall's.
- ``pool``: ``redis.Redis`` stays redis-py's own; the pools and connections that it makes are Seawall's.
- ``aclient`` and ``apool``: the same in ``redis.asyncio``.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Generator
from typing import Any

import pytest

MODE = os.environ.get("SEAWALL_SUITE", "direct")
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
#: What the tests call the deployment that their sentinels watch.
SERVICE = "redis-py-test"


def swap() -> None:
    import redis
    import redis.client
    import redis.connection
    import redis.sentinel

    import seawall
    import seawall.sentinel

    for name in (
        "ConnectionPool",
        "BlockingConnectionPool",
        "Connection",
        "SSLConnection",
        "UnixDomainSocketConnection",
    ):
        # seawall.Redis makes its own pool.
        modules = (redis, redis.connection) if MODE == "client" else (redis, redis.connection, redis.client)
        for module in modules:
            if hasattr(module, name):
                setattr(module, name, getattr(seawall, name))
    for name in ("SentinelManagedConnection", "SentinelManagedSSLConnection", "SentinelConnectionPool"):
        for module in (redis, redis.sentinel):
            if hasattr(module, name):
                setattr(module, name, getattr(seawall.sentinel, name))
    if MODE == "client":
        redis.Redis = redis.StrictRedis = redis.client.Redis = redis.client.StrictRedis = seawall.Redis
        redis.Sentinel = seawall.sentinel.Sentinel
        # Tests put clients of their own into the module.
        redis.sentinel = sys.modules["redis.sentinel"] = seawall.sentinel
    else:
        for method in ("master_for", "slave_for", "replica_for"):
            method = getattr(redis.sentinel.Sentinel, method)
            method.__defaults__ = (redis.Redis, seawall.sentinel.SentinelConnectionPool)


def swap_asyncio() -> None:
    import redis.asyncio
    import redis.asyncio.client
    import redis.asyncio.connection
    import redis.asyncio.sentinel

    import seawall.asyncio
    import seawall.asyncio.sentinel

    for name in (
        "ConnectionPool",
        "BlockingConnectionPool",
        "Connection",
        "SSLConnection",
        "UnixDomainSocketConnection",
    ):
        modules = [redis.asyncio, redis.asyncio.connection]
        if MODE == "apool":
            modules.append(redis.asyncio.client)
        for module in modules:
            if hasattr(module, name):
                setattr(module, name, getattr(seawall.asyncio, name))
    for name in ("SentinelManagedConnection", "SentinelManagedSSLConnection", "SentinelConnectionPool"):
        for module in (redis.asyncio, redis.asyncio.sentinel):
            if hasattr(module, name):
                setattr(module, name, getattr(seawall.asyncio.sentinel, name))
    if MODE == "aclient":
        for module in (redis.asyncio, redis.asyncio.client):
            module.Redis = module.StrictRedis = seawall.asyncio.Redis
        redis.asyncio.Sentinel = seawall.asyncio.sentinel.Sentinel
        # Tests put clients of their own into the module.
        redis.asyncio.sentinel = sys.modules["redis.asyncio.sentinel"] = seawall.asyncio.sentinel
    else:
        for method in ("master_for", "slave_for", "replica_for"):
            method = getattr(redis.asyncio.sentinel.Sentinel, method)
            method.__defaults__ = (redis.asyncio.Redis, seawall.asyncio.sentinel.SentinelConnectionPool)


if MODE in ("aclient", "apool"):
    swap_asyncio()
elif MODE != "direct":
    swap()


def take_pooled_clients() -> None:
    """The clients of most tests keep one connection; these take theirs from the pool, command by command."""
    import tests.conftest

    make = tests.conftest._get_client

    def pooled(cls: Any, request: Any, single_connection_client: bool = False, **more: Any) -> Any:
        return make(cls, request, single_connection_client=single_connection_client, **more)

    tests.conftest._get_client = pooled


def network_of_our_own() -> bool:
    """Moves this thread, and all that it starts from now on, into a network where every port is free."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    return True


def free_ports(count: int) -> list[int]:
    """Ports that are free now: asked for all at once, so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Servers:
    """A server and three sentinels that watch it."""

    def __init__(self, binary: str) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="seawall-suite-"))
        self.processes: list[subprocess.Popen[bytes]] = []
        alone = network_of_our_own()
        self.port, *self.sentinels = [6379, 26379, 26380, 26381] if alone else free_ports(4)
        self._start(binary, self.port, ["--save", "", "--enable-debug-command", "yes"])
        for port in self.sentinels:
            # A sentinel rewrites its file.
            config = self.folder / f"sentinel-{port}.conf"
            config.write_text(f"port {port}\nsentinel monitor {SERVICE} 127.0.0.1 {self.port} 2\n")
            self._start(binary, port, ["--sentinel"], str(config))
        self.mend()

    def _start(self, binary: str, port: int, options: list[str], *config: str) -> None:
        process = subprocess.Popen(
            [binary, *config, "--port", str(port), "--dir", str(self.folder), *options],
            stdout=(self.folder / f"{port}.log").open("ab"),
            stderr=subprocess.STDOUT,
            # Nothing is left behind, whatever ends this process.
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        )
        self.processes.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError((self.folder / f"{port}.log").read_text())

    def mend(self) -> None:
        """Takes back what a failed test left, and all after it would fail by: a password."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as admin:
            for words in self.remedy:
                admin.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
                admin.recv(1000)

    #: Said as somebody whom the default user's password does not concern.
    remedy = (
        (b"ACL", b"SETUSER", b"suite-admin", b"on", b"nopass", b"~*", b"&*", b"+@all"),
        (b"AUTH", b"suite-admin", b"any"),
        (b"CONFIG", b"SET", b"requirepass", b""),
        (b"ACL", b"SETUSER", b"default", b"on", b"nopass", b"~*", b"&*", b"+@all"),
    )

    def end(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


servers: Servers | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    global servers
    if config.getoption("numprocesses", None) or config.option.collectonly:
        # It hands out the tests, and runs none.
        return
    # The tests turn it on to find leaks, and look at nothing that it says; it doubles their time.
    tracemalloc.start = lambda *_: None
    if os.environ.get("SEAWALL_SUITE_POOLED"):
        take_pooled_clients()
    servers = Servers(os.environ["SEAWALL_SUITE_SERVER"])
    config.option.redis_url = f"redis://localhost:{servers.port}/0"
    config.option.sentinels = ",".join(f"localhost:{port}" for port in servers.sentinels)
    config.option.master_service = SERVICE


def forget_outages() -> None:
    """What the process knows of a server that a test broke is not for the next test, whose server is well."""
    from seawall import _config

    for link in list(_config._links.values()):
        stats = link.stats()
        if stats["state"] != "up" or stats["writes_refused"] or stats["rejected"]:
            _config._links.clear()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, Any, Any]:
    try:
        return (yield)
    finally:
        if servers is not None:
            servers.mend()
            forget_outages()


def pytest_unconfigure() -> None:
    if servers is not None:
        servers.end()
