"""Fixtures for the tests of the Python package."""

from __future__ import annotations

import functools
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from asyncio_world import loop_kinds, run_on  # noqa: E402
from real_servers import Server  # noqa: E402

# A shell starts what runs in the background deaf to Ctrl-C, and the programs that tests start inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def server() -> Iterator[Server]:
    """A fresh server for one test."""
    server = Server().start()
    yield server
    server.end()


@pytest.fixture
def make_server() -> Iterator[type[Server]]:
    """Makes servers with options; ended with the test."""
    made: list[Server] = []

    def make(*options: str, save: bool = False) -> Server:
        server = Server(*options, save=save).start()
        made.append(server)
        return server

    yield make  # type: ignore[misc]
    for server in made:
        server.end()


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """A server that no test breaks."""
    server = Server().start()
    yield server
    server.end()


@pytest.fixture
def url(shared_server: Server) -> str:
    """A healthy, empty database."""
    shared_server.admin().flushall()
    return shared_server.url


@pytest.fixture(params=loop_kinds())
def new_loop(request: pytest.FixtureRequest) -> Any:
    """Makes a loop of one kind after the other."""
    return request.param


@pytest.fixture
def run(new_loop: Any) -> Callable[..., Any]:
    """Runs a coroutine on each kind of loop."""
    return functools.partial(run_on, new_loop)
