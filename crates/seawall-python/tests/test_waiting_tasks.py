"""Tasks that wait on connections of their own: for what comes, for room, and for the time to be over."""

import asyncio
import functools
import gc
import os
import signal

import pytest
import redis.asyncio
import seawall.asyncio
from asyncio_world import loop_kinds, run_on


@pytest.fixture(params=loop_kinds())
def run(request):
    return functools.partial(run_on, request.param)


def pool_of(server, **options):
    return seawall.asyncio.ConnectionPool.from_url(server.url, **options)


def test_who_waits_shorter_is_told_first(run, url, server):
    async def main():
        pool = pool_of(server)
        told = []

        async def wait(seconds):
            connection = await pool.get_connection()
            assert await connection.read_response(timeout=seconds) is None
            told.append(seconds)
            await pool.release(connection)

        # The longest first: the others have the timer set anew.
        spans = [0.3, 0.2, 0.1, 0.25, 0.15]
        await asyncio.gather(*map(wait, spans))
        assert told == sorted(spans)
        # And nobody is left who is told later.
        await wait(0.01)
        await pool.disconnect()

    run(main())


def test_one_may_write_while_another_waits_for_what_comes(run, server):
    async def main():
        pool = pool_of(server)
        connection = await pool.get_connection()
        await connection.send_command("PING")
        assert await connection.read_response() == b"PONG"
        listening = asyncio.ensure_future(connection._watch.readable(30))
        await asyncio.sleep(0)
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            # More than the sockets between take: it waits for room.
            writing = asyncio.ensure_future(connection.send_command("SET", "k", b"x" * (24 << 20)))
            done, _ = await asyncio.wait([writing, listening], timeout=0.2)
            assert not done
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        await writing
        assert await listening
        assert await connection.read_response() == b"OK"
        await pool.release(connection)
        await pool.disconnect()

    run(main())


def test_who_waits_is_told_when_the_connection_is_closed_under_him(run, server):
    async def main():
        pool = pool_of(server)
        connection = await pool.get_connection()
        waiting = [asyncio.ensure_future(connection._watch.readable(None)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        await connection.disconnect()
        assert await asyncio.gather(*waiting[1:]) == [True, True]
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        await pool.release(connection)
        await pool.disconnect()

    run(main())


def test_a_connection_that_was_waited_for_in_vain_serves_the_next(run, server):
    async def main():
        client = redis.asyncio.Redis(connection_pool=pool_of(server))
        for number in range(20):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.blpop("nothing", timeout=0), 0.01)
            assert await asyncio.gather(*(client.set(f"k{n}", number) for n in range(5))) == [True] * 5
            assert await asyncio.gather(*(client.get(f"k{n}") for n in range(5))) == [str(number).encode()] * 5
        await client.aclose()
        await client.connection_pool.disconnect()

    run(main())


def test_a_forked_child_that_lets_go_of_a_connection_takes_nothing_from_who_waits_on_it(run, server):
    async def main():
        pool = pool_of(server)
        connection = await pool.get_connection()
        await connection.send_command("BLPOP", "queue", 30)
        waiting = asyncio.ensure_future(connection.read_response())
        await asyncio.sleep(0.05)
        pid = os.fork()
        if pid == 0:
            try:
                connection._watch.close()
                connection._watch = None
                gc.collect()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        server.admin().rpush("queue", "job")
        assert await waiting == [b"queue", b"job"]
        await pool.release(connection)
        await pool.disconnect()

    run(main())


def test_many_wait_at_once_and_each_has_its_own(run, server):
    """More than are told of in one look."""

    async def main():
        client = redis.asyncio.Redis(connection_pool=pool_of(server, max_connections=400))
        waiting = [asyncio.ensure_future(client.blpop(f"queue:{n}", timeout=30)) for n in range(300)]
        admin = server.admin()
        while admin.info("clients")["blocked_clients"] < 300:
            await asyncio.sleep(0.01)
        pipe = admin.pipeline(transaction=True)
        for number in range(300):
            pipe.rpush(f"queue:{number}", number)
        pipe.execute()
        answers = await asyncio.gather(*waiting)
        assert answers == [(f"queue:{n}".encode(), str(n).encode()) for n in range(300)]
        await client.connection_pool.disconnect()

    run(main())
