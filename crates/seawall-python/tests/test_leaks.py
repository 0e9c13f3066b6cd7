"""Many calls, clients and loops leave nothing behind: no memory, no objects, no descriptors, no threads, no connections.

Short by default; ``SEAWALL_LONG=1`` makes a million calls, ten thousand clients and a thousand loops. A leak of 100 bytes
a call would be 3 MB in the short one, 100 MB in the long one; one object a round is seen. Each was seen to fail with a
list that keeps what a call returns.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading

import pytest
import redis
import seawall
import seawall.asyncio
from asyncio_world import loop_kinds, run_on
from sync_world import native, pooled, until

LONG = bool(os.environ.get("SEAWALL_LONG"))


def memory():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def tasks():
    return len(os.listdir("/proc/self/task"))


def objects():
    gc.collect()
    return len(gc.get_objects())


class Steady:
    """What is there before, and must not have grown after."""

    def __init__(self, bytes_more: int = 3_000_000, objects_more: int = 250) -> None:
        self.bytes_more, self.objects_more = bytes_more, objects_more

    def __enter__(self) -> None:
        self.objects = objects()
        self.before = memory(), descriptors(), tasks()

    def __exit__(self, kind, *_: object) -> None:
        if kind is not None:
            return
        gc.collect()
        until(lambda: descriptors() <= self.before[1] + 2, "the end of descriptors")
        until(lambda: tasks() <= self.before[2] + 1, "the end of threads")
        assert objects() <= self.objects + self.objects_more
        assert memory() <= self.before[0] + self.bytes_more


def rounds(short, long):
    return long if LONG else short


def refuse(response, **options):
    raise ValueError("not like this")


def plain(client):
    client.set("k", "v")
    client.get("k")
    client.mget("k", "none")
    client.hgetall("h")


def pipelines(client):
    client.pipeline().set("k", "v").get("k").execute()
    client.pipeline(transaction=False).get("k").mget("k", "l").execute()


def failures(client):
    for call in (
        lambda: client.lpush("k", 1),
        lambda: client.set("k", object()),
        lambda: client.execute_command("NONSENSE"),
        lambda: client.pipeline().lpush("k", 1).execute(),
        lambda: client.echo("x"),
    ):
        with pytest.raises((redis.RedisError, ValueError)):
            call()


def subscriptions(client):
    with client.pubsub() as pubsub:
        pubsub.subscribe("news")
        pubsub.get_message(timeout=5)
        client.pipeline(transaction=False).publish("news", "x").publish("news", "y" * 100).execute()
        pubsub.get_message(timeout=5)
        pubsub.get_message(timeout=5)


def others(client):
    with client.lock(f"door:{threading.get_ident()}", timeout=5):
        pass
    client.eval("return ARGV[1]", 0, "x")
    client.rpush("q", "x")
    client.blpop("q", timeout=1)


@pytest.mark.parametrize("connected", [native, pooled], ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    "talk, count",
    [(plain, 7_000), (pipelines, 2_000), (failures, 1_500), (subscriptions, 300), (others, 500)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_blocking_calls_leave_nothing_behind(url, connected, talk, count):
    client = connected(url)
    client.set("k", "v")
    client.set_response_callback("ECHO", refuse)
    for _ in range(count // 10):
        talk(client)
    with Steady():
        for _ in range(rounds(count, 35 * count)):
            talk(client)
    client.close()


def test_tasks_calls_leave_nothing_behind(url):
    async def main():
        async with seawall.asyncio.Redis.from_url(url) as client:
            client.set_response_callback("ECHO", refuse)

            async def failing():
                for call in (client.lpush("k", 1), client.echo("x"), client.execute_command("NONSENSE")):
                    try:
                        await call
                    except (redis.RedisError, ValueError):
                        pass

            async def piped():
                async with client.pipeline() as pipe:
                    await pipe.set("k", "v").get("k").execute()

            async def heard():
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe("news")
                    await pubsub.get_message(timeout=5)

            async def calls(count):
                for number in range(count // 50):
                    more = [piped(), failing(), *([heard()] if number % 20 == 0 else [])]
                    await asyncio.gather(*(client.get("k") for _ in range(45)), *more)

            await calls(5_000)
            with Steady():
                await calls(rounds(30_000, 1_000_000))

    run_on(asyncio.new_event_loop, main()) if not LONG else asyncio.run(main())


def test_clients_that_come_and_go_leave_nothing_behind(server):
    def use(number):
        kind = (native, pooled)[number % 2]
        # Now and then with settings that nobody else has: links come and go too.
        options = {"client_name": f"n{number}"} if number % 5 == 0 else {}
        client = kind(server.url, **options)
        client.get("k")
        if number % 3 == 0:
            client.pipeline().get("k").execute()
        if number % 2:
            client.close()

    for number in range(100):
        use(number)
    with Steady():
        for number in range(rounds(600, 10_000)):
            use(number)
        gc.collect()
        until(lambda: len(server.admin().client_list()) <= 6, "the connections' end")


@pytest.mark.parametrize("new_loop", loop_kinds())
def test_loops_that_come_and_go_leave_nothing_behind(url, new_loop):
    shared = seawall.asyncio.Redis.from_url(url)

    async def main(number):
        await asyncio.gather(*(shared.get("k") for _ in range(5)))
        async with seawall.asyncio.Redis.from_url(url) as client, client.pipeline() as pipe:
            await pipe.get("k").execute()
        if number % 3 == 0:
            asyncio.ensure_future(shared.blpop("never", timeout=0))
            await asyncio.sleep(0)

    for number in range(30):
        run_on(new_loop, main(number))
    # Closed loops are cycles, with buffers in them, which the collector comes to now and then.
    with Steady(bytes_more=20_000_000):
        for number in range(rounds(150, 1_000)):
            run_on(new_loop, main(number))


@pytest.mark.parametrize("new_loop", loop_kinds())
def test_loops_of_many_threads_at_once_leave_nothing_behind(url, new_loop):
    shared = seawall.asyncio.Redis.from_url(url, decode_responses=True)
    wrong = []

    async def main(name):
        answers = await asyncio.gather(*(shared.echo(f"{name}:{n}") for n in range(10)))
        if answers != [f"{name}:{n}" for n in range(10)]:
            wrong.append(answers)

    def work(place, count):
        for number in range(count):
            run_on(new_loop, main(f"{place}:{number}"))

    def all_at_once(count):
        threads = [threading.Thread(target=work, args=(place, count)) for place in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    all_at_once(5)
    # Arenas of threads that come and go hold some more.
    with Steady(bytes_more=30_000_000, objects_more=400):
        all_at_once(rounds(60, 125))
    assert wrong == []


@pytest.mark.parametrize("threads", [1, 3])
def test_a_thread_that_had_a_large_value_once_does_not_keep_room_for_another(url, threads):
    # 64 MB each: what a thread kept of them stayed until it ended.
    client, size = native(url), 64 * 1024 * 1024
    client.set("large", bytes(size))
    done, end = threading.Barrier(threads + 1), threading.Event()

    def one() -> None:
        assert len(client.get("large")) == size
        done.wait(60)
        end.wait(60)

    workers = [threading.Thread(target=one, daemon=True) for _ in range(threads)]
    before = memory()
    for worker in workers:
        worker.start()
    done.wait(60)
    gc.collect()
    kept = memory() - before
    end.set()
    for worker in workers:
        worker.join(60)
    client.delete("large")
    assert kept < size / 2
