"""What one client of a process finds out about a server the others know, whatever their settings."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
import redis

import seawall
import seawall.asyncio


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


async def until_here(true: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("harm", ["kill", "freeze"])
def test_an_outage_that_threads_find_out_is_known_to_tasks(server, harm: str) -> None:
    threads = seawall.Redis.from_url(server.url, deadline=1)

    async def main() -> None:
        tasks = seawall.asyncio.Redis.from_url(server.url)
        assert await tasks.ping() and threads.ping()
        state = lambda: tasks.connection_pool.stats()["state"]  # noqa: E731
        assert state() == "up"
        getattr(server, harm)()
        with pytest.raises(redis.RedisError):
            await asyncio.to_thread(threads.ping)
        # Nobody asks through it meanwhile: it was told, and has looked for itself.
        await until_here(lambda: state() == "down")
        assert tasks.connection_pool.stats()["calls"] == 1
        # What a client that does not know finds out by waiting is over.
        await asyncio.sleep(0.6)
        with pytest.raises(redis.RedisError) as caught:
            await tasks.incr("a")
        assert caught.value.attempts == 0 and not caught.value.may_have_run, "it was not sent to find out"
        assert caught.value.elapsed < 0.3 and caught.value.retry_after is not None
        if harm == "kill":
            server.start()
        else:
            server.thaw()
        await until_here(lambda: state() == "up")
        assert await tasks.incr("a") == 1
        await tasks.aclose()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_an_outage_that_tasks_find_out_is_known_to_threads_with_other_settings(server) -> None:
    threads = seawall.Redis.from_url(server.url + "?db=3", deadline=2)
    threads.ping()

    async def main() -> None:
        async with seawall.asyncio.Redis.from_url(server.url) as tasks:
            await tasks.ping()
            server.kill()
            with pytest.raises(redis.RedisError):
                await tasks.ping()

    asyncio.run(main())
    until(lambda: threads.connection_pool.stats()["state"] == "down")
    assert threads.connection_pool.stats()["calls"] == 1


def test_what_is_wrong_with_one_client_alone_is_no_outage_of_the_others(make_server) -> None:
    server = make_server("--requirepass", "right")
    well = seawall.Redis(port=server.port, password="right")
    let_in = seawall.Redis(port=server.port, username="app", password="old")
    well.acl_setuser("app", enabled=True, passwords=["+old"], commands=["+@all"], keys=["*"])
    assert let_in.ping() and well.ping()
    well.acl_deluser("app")
    # The server has closed its connection, and lets it in no more: an outage of its own.
    with pytest.raises(redis.AuthenticationError):
        let_in.ping()
    until(lambda: let_in.connection_pool.stats()["state"] == "down")
    stop = time.monotonic() + 0.5
    seen = set()
    while time.monotonic() < stop:
        seen.add(well.connection_pool.stats()["state"])
        assert well.ping()
    assert seen == {"up"}


def test_many_links_to_a_server_that_is_killed_come_back_with_it(server) -> None:
    clients = [seawall.Redis.from_url(server.url, deadline=1 + number / 100) for number in range(12)]
    for client in clients:
        client.ping()
    server.kill()
    with pytest.raises(redis.RedisError):
        clients[0].ping()
    states = lambda: {client.connection_pool.stats()["state"] for client in clients}  # noqa: E731
    until(lambda: states() == {"down"})
    # Each looks by itself and at its own pace, and no oftener than alone.
    before = sum(sum(client.connection_pool.stats()["dials_failed"].values()) for client in clients)
    time.sleep(1)
    probes = sum(sum(client.connection_pool.stats()["dials_failed"].values()) for client in clients) - before
    assert probes < 12 * 60
    server.start()
    until(lambda: states() == {"up"})
    threads = [threading.Thread(target=client.ping) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(client.ping() for client in clients)
