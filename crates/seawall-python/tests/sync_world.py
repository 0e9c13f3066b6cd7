"""What the tests of blocking clients share: the ways in, and a network path that can be broken, in a thread of its own.

``SEAWALL_TRY=redis-py`` lets every way in lead to plain redis-py, to see that a test can fail: each file says what does.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
import seawall
from asyncio_world import Relay

#: Whether plain redis-py stands in for Seawall.
PEER = os.environ.get("SEAWALL_TRY") == "redis-py"

#: Far beyond what any of this takes: who waits longer hangs.
PATIENCE = 60


def native(url: str, **options: Any) -> redis.Redis:
    """``seawall.Redis``: plain commands take the fast path."""
    return redis.Redis.from_url(url, **options) if PEER else seawall.Redis.from_url(url, **options)


def pooled(url: str, **options: Any) -> redis.Redis:
    """redis-py's own client on our pool, as Django and others make it."""
    single = options.pop("single_connection_client", False)
    kind = redis.ConnectionPool if PEER else seawall.ConnectionPool
    return redis.Redis(connection_pool=kind.from_url(url, **options), single_connection_client=single)


def alone(url: str, **options: Any) -> redis.Redis:
    """One connection for all commands."""
    return native(url, single_connection_client=True, **options)


def built(url: str, **options: Any) -> redis.Redis:
    """Made by the constructor, which in redis-py has another retry policy than ``from_url``."""
    where = redis.connection.parse_url(url)
    where.update(options)
    return redis.Redis(**where) if PEER else seawall.Redis(**where)


#: The ways in.
WAYS = [native, built, pooled, alone]

every_way = pytest.mark.parametrize("connected", WAYS, ids=lambda way: way.__name__)


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """Waits for an event; the test's own patience ends it."""
    deadline = time.monotonic() + PATIENCE
    while not (came := condition()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)
    return came


def answers(client: Any) -> bool:
    """Whether the server answers; while the client takes it to be down, it does not."""
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def run_all(*calls: Callable[[], Any]) -> list[Any]:
    """Runs calls in threads of their own: what each returned or raised. Fails if one hangs."""
    outcomes: list[Any] = [TimeoutError("it hangs")] * len(calls)

    def one(place: int, call: Callable[[], Any]) -> None:
        try:
            outcomes[place] = call()
        except BaseException as error:
            outcomes[place] = error

    threads = [threading.Thread(target=one, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "a call hangs"
    return outcomes


class Path:
    """A :class:`Relay` whose loop runs in a thread, for blocking tests. Its switches are plain attributes."""

    def __init__(self, port: int) -> None:
        self.relay = Relay(port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.relay.__aenter__(), self._loop).result(PATIENCE)
        return self.relay

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.relay.__aexit__(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
