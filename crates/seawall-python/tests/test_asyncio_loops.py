"""Event loops come and go: many after another, several at once, closed in the middle of calls, unfit ones."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref

import pytest
import redis
import seawall
import seawall.asyncio
from asyncio_world import loop_kinds, run_on


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def connected(url, **options):
    return seawall.asyncio.Redis.from_url(url, **options)


def test_fifty_loops_after_another_share_a_client_and_leave_nothing_behind(run, url, server):
    client = connected(server.url, client_name="visitor")
    loops = []

    async def main(number):
        loops.append(weakref.ref(asyncio.get_running_loop()))
        assert await client.set("k", number)
        assert await client.get("k") == str(number).encode()
        async with client.pipeline() as pipe:
            assert await pipe.incr("n").execute()
        assert await client.blpop("nothing", timeout=0.01) is None
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            await pubsub.get_message(timeout=5)

    for number in range(5):
        run(main(number))
    gc.collect()
    before, threads = descriptors(), threading.active_count()
    for number in range(50):
        run(main(number))
    gc.collect()
    assert descriptors() <= before
    assert threading.active_count() <= threads
    assert sum(1 for loop in loops if loop() is not None) <= 1
    # What the last one had; nothing of the others.
    assert len([c for c in server.admin().client_list() if c["name"] == "visitor"]) <= 4


def test_a_loop_closed_with_calls_in_flight_is_collected_and_takes_its_connections_along(new_loop, server):
    client = connected(server.url, client_name="cut-off")
    refs = []

    async def begin():
        await client.ping()
        for _ in range(3):
            refs.append(weakref.ref(asyncio.ensure_future(client.blpop("queue", timeout=0))))
            refs.append(weakref.ref(asyncio.ensure_future(client.get("k"))))
        await asyncio.sleep(0.05)
        refs.append(weakref.ref(asyncio.ensure_future(client.get("k"))))
        await asyncio.sleep(0)

    for _ in range(3):
        loop = new_loop()
        loop.set_exception_handler(lambda *_: None)
        loop.run_until_complete(begin())
        loop.close()
        refs.append(weakref.ref(loop))
        del loop
    gc.collect()
    assert [ref for ref in refs if ref() is not None] == []
    admin = server.admin()
    while admin.info("clients")["blocked_clients"]:
        pass

    async def again():
        assert await client.ping()
        await client.aclose()

    run_on(new_loop, again())


def test_one_client_serves_loops_of_several_threads_at_once(new_loop, url):
    client = connected(url, decode_responses=True)
    wrong, threads_done = [], []

    async def main(name):
        for number in range(100):
            mine = f"{name}:{number}"
            answers = await asyncio.gather(*(client.echo(f"{mine}:{n}") for n in range(10)))
            if answers != [f"{mine}:{n}" for n in range(10)]:
                wrong.append(answers)
            async with client.pipeline() as pipe:
                if await pipe.echo(mine).execute() != [mine]:
                    wrong.append(mine)
        threads_done.append(name)

    threads = [threading.Thread(target=run_on, args=(new_loop, main(f"t{n}"))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(threads_done) == 4


def test_threads_that_share_a_small_pool_wait_for_each_others_connections(new_loop, url):
    pool = seawall.asyncio.ConnectionPool.from_url(url, max_connections=2)
    client = seawall.asyncio.Redis(connection_pool=pool)
    done = []

    async def main():
        async def use():
            async with client.pipeline() as pipe:
                assert await pipe.echo("x").execute() == [b"x"]

        for _ in range(30):
            await asyncio.gather(*(use() for _ in range(6)))
        done.append(True)

    threads = [threading.Thread(target=run_on, args=(new_loop, main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 3
    assert not pool._in_use_connections


def test_a_loop_may_be_run_by_one_thread_after_another(new_loop, url):
    loop = new_loop()
    client = connected(url)

    async def main(number):
        await client.set("k", number)
        return await client.get("k")

    assert loop.run_until_complete(main(1)) == b"1"
    answers = []
    thread = threading.Thread(target=lambda: answers.append(loop.run_until_complete(main(2))))
    thread.start()
    thread.join()
    assert answers == [b"2"]
    assert loop.run_until_complete(main(3)) == b"3"
    loop.run_until_complete(client.aclose())
    loop.close()


def test_a_loop_that_cannot_watch_sockets_is_refused_in_words(url):
    class Minimal(asyncio.SelectorEventLoop):
        """As Windows' Proactor."""

        def add_reader(self, *_):
            raise NotImplementedError

    # Its own pipe for wake-ups is made through a name with an underscore.
    async def main():
        async with connected(url) as client:
            with pytest.raises(RuntimeError, match="Minimal cannot watch sockets"):
                await client.ping()
            with pytest.raises(RuntimeError, match="Minimal cannot watch sockets"):
                await client.pipeline().get("k").execute()

    run_on(Minimal, main())


def test_a_client_that_is_not_closed_makes_no_noise(run, url):
    async def main():
        client = connected(url)
        await client.ping()
        async with client.pipeline() as pipe:
            await pipe.get("k").execute()
        del client

    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run(main())
        gc.collect()
    assert [str(warning.message) for warning in said] == []


@pytest.mark.parametrize("kind", [kind.id for kind in loop_kinds()])
@pytest.mark.parametrize("how", ["in-flight", "daemon", "exit", "left-open"])
def test_the_interpreter_ends_quietly_with_calls_in_flight(shared_server, kind, how):
    code = textwrap.dedent(
        """
        import asyncio, os, sys, threading, seawall.asyncio
        url, kind, how = sys.argv[1:]
        client = seawall.asyncio.Redis.from_url(url)
        if kind == "uvloop":
            import uvloop
            new_loop = uvloop.new_event_loop
        else:
            new_loop = asyncio.new_event_loop

        async def main(ready=None):
            await client.ping()
            calls = [asyncio.ensure_future(client.blpop("never", timeout=0)) for _ in range(3)]
            calls += [asyncio.ensure_future(client.get("k")) for _ in range(3)]
            await asyncio.sleep(0.02)
            if ready is not None:
                ready.set()
                await asyncio.gather(*calls)
            if how == "exit":
                sys.exit(3)

        loop = new_loop()
        if how == "daemon":
            ready = threading.Event()
            threading.Thread(target=loop.run_until_complete, args=(main(ready),), daemon=True).start()
            ready.wait()
        else:
            loop.run_until_complete(main())
            if how == "in-flight":
                loop.close()
        print("end")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, shared_server.url, kind, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == (3 if how == "exit" else 0), done.stderr
    assert ("end" in done.stdout) == (how != "exit")
    # asyncio itself says that tasks were destroyed; nothing else may be said.
    for sign in ("panicked", "Fatal", "Exception ignored", "RuntimeError"):
        assert sign not in done.stderr, done.stderr


def test_many_calls_leave_no_memory_behind(run, url):
    async def main():
        async with connected(url) as client:

            async def calls(count):
                for _ in range(count // 50):
                    await asyncio.gather(*(client.get("k") for _ in range(45)), *(cut_short() for _ in range(5)))

            async def cut_short():
                task = asyncio.ensure_future(client.get("k"))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])

            await calls(10_000)
            gc.collect()
            before = memory()
            await calls(30_000)
            gc.collect()
            # A leak of 100 bytes a call would be 3 MB.
            assert memory() - before < 2_000_000

    run(main())


def memory():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_forked_child_leaves_its_parents_connections_alone(new_loop, url):
    client = connected(url)
    loop = new_loop()

    async def main():
        return await asyncio.gather(*(client.echo(str(n)) for n in range(10)))

    expected = [str(n).encode() for n in range(10)]
    assert loop.run_until_complete(main()) == expected
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.set_event_loop(None)
            code = 0 if run_on(new_loop, main()) == expected else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    for _ in range(3):
        assert loop.run_until_complete(main()) == expected
    loop.run_until_complete(client.aclose())
    loop.close()


def test_a_connection_that_is_dropped_in_use_is_closed_and_said_to_be(run, url):
    async def main():
        async with connected(url) as client:
            connection = await client.connection_pool.get_connection()
            client.connection_pool.reset()
            with pytest.warns(ResourceWarning, match="unclosed Connection"):
                del connection
                gc.collect()
            while client.connection_pool.stats()["in_use"]:
                await asyncio.sleep(0.01)

    run(main())


async def be_resumed_by_a_reply(client):
    """On its return this task runs inside of the callback that read its reply."""
    await asyncio.gather(*(client.set("k", "outer") for _ in range(3)))
    assert await client.get("k") == b"outer"


def test_a_child_forked_by_a_task_that_its_reply_resumed_runs_a_loop_of_its_own(run, url):
    client = connected(url)

    async def in_child():
        return await asyncio.gather(*(client.get("k") for _ in range(3)))

    async def main():
        await be_resumed_by_a_reply(client)
        # Asked for right before and after: what is known of the loop is known in the child.
        waiting = asyncio.ensure_future(client.get("k"))
        first = client.get("k")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if asyncio.run(in_child()) == [b"outer"] * 3 else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert await first == await waiting == b"outer"

    run(main())


def test_a_loop_run_in_the_middle_of_a_task_that_its_reply_resumed_has_a_link_of_its_own(new_loop, url):
    client = connected(url)

    async def main():
        outer = asyncio.get_running_loop()
        await be_resumed_by_a_reply(client)
        link = client.connection_pool._link()
        assert await client.get("k") == b"outer"
        asyncio._set_running_loop(None)
        inner = new_loop()
        try:
            assert inner.run_until_complete(client.get("k")) == b"outer"
            others = [known for known in client.connection_pool._links.values() if known is not link]
            assert [other.stats()["answered"] for other in others] == [1]
            inner.run_until_complete(client.connection_pool.disconnect())
        finally:
            inner.close()
            asyncio._set_running_loop(outer)
        assert await client.get("k") == b"outer"

    run_on(new_loop, main())


def test_a_tick_that_an_exception_out_of_a_signals_handler_took_along_is_asked_for_anew(url):
    client = connected(url)

    async def main():
        loop = asyncio.get_running_loop()
        await be_resumed_by_a_reply(client)

        async def begin():
            calls = [asyncio.ensure_future(client.get("k")) for _ in range(3)]
            await asyncio.sleep(0)
            return calls, [handle for handle in loop._ready if getattr(handle._callback, "__name__", "") == "tick"]

        calls, ticks = await begin()
        assert len(ticks) == 1
        # As if it had come right before the loop called it: whoever runs the loop again has lost it.
        loop._ready.remove(ticks[0])
        assert await asyncio.wait_for(asyncio.gather(*calls), 4) == [b"outer"] * 3
        await asyncio.sleep(0.2)
        for _ in range(2):
            calls, ticks = await begin()
            assert len(ticks) == 1
            assert await asyncio.gather(*calls) == [b"outer"] * 3

    asyncio.run(main())


def test_a_loop_that_was_blocked_has_no_more_timers_of_ours_than_before(url):
    client = connected(url)

    async def main():
        loop = asyncio.get_running_loop()

        async def keep_a_timer():
            while True:
                await client.blpop("nothing", timeout=0.05)

        keeping = [asyncio.ensure_future(keep_a_timer()) for _ in range(3)]
        for _ in range(3):
            await asyncio.sleep(0.1)
            # Longer than until the first of our timers, and than a late one is taken for lost.
            time.sleep(0.3)
            await asyncio.gather(*(client.ping() for _ in range(100)))
        await asyncio.sleep(0.1)
        alarms = [handle for handle in loop._scheduled if not handle._cancelled and getattr(handle._callback, "__name__", "") == "alarm"]
        assert len(alarms) <= 10
        for task in keeping:
            task.cancel()

    asyncio.run(main())
