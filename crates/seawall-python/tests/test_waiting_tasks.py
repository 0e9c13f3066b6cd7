"""Tasks that wait on connections of their own: for what comes, for room, and for the time to be over."""

import asyncio
import functools
import gc
import os
import signal

import pytest
import redis.asyncio
import seawall.asyncio
from seawall.asyncio import _watch


def pool_of(server, **options):
    return seawall.asyncio.ConnectionPool.from_url(server.url, **options)


def test_who_waits_shorter_is_told_first(run, server):
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
        # Not when its time is over.
        assert await asyncio.wait_for(waiting, 10) == [b"queue", b"job"]
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


class CalledAway(Exception):
    pass


@pytest.fixture
def called_away():
    """Has a signal come whose handler raises."""

    def handler(*_):
        raise CalledAway

    before = signal.signal(signal.SIGUSR1, handler)
    yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def once_before(monkeypatch, owner, name, what):
    """Has something happen as a function is called the first time."""
    real, done = getattr(owner, name), []

    def instead(*args):
        if not done:
            done.append(True)
            what()
        return real(*args)

    monkeypatch.setattr(owner, name, instead)
    return done


def test_an_exception_out_of_a_signals_handler_takes_nobodys_reply_along(run, server, monkeypatch, called_away):
    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        pool = pool_of(server)
        connections = [await pool.get_connection() for _ in range(3)]
        done = once_before(monkeypatch, _watch, "_tell", called_away)
        for _ in range(2):
            for connection in connections:
                await connection.send_command("BLPOP", "nothing", 0.05)
            replies = asyncio.gather(*(connection.read_response() for connection in connections))
            assert await asyncio.wait_for(replies, 4) == [None] * 3
        assert done
        for connection in connections:
            await pool.release(connection)
        await pool.disconnect()

    run(main())


def test_nor_does_it_take_the_end_of_anybodys_time_along(run, server, monkeypatch, called_away):
    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        pool = pool_of(server)
        connections = [await pool.get_connection() for _ in range(3)]
        done = once_before(monkeypatch, _watch.Sockets, "ring", called_away)
        for _ in range(2):
            waits = asyncio.gather(*(connection.read_response(timeout=0.05) for connection in connections))
            assert await asyncio.wait_for(waits, 4) == [None] * 3
        assert done
        for connection in connections:
            await pool.release(connection)
        await pool.disconnect()

    run(main())


def test_a_loop_that_was_used_before_a_fork_waits_in_the_child_too(new_loop, server):
    pool = pool_of(server)
    client = redis.asyncio.Redis(connection_pool=pool)
    loop = new_loop()
    nothing = functools.partial(client.blpop, "nothing", timeout=0.05)

    async def wait():
        return [await nothing() for _ in range(2)]

    try:
        assert loop.run_until_complete(wait()) == [None, None]
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                # Longer than the server takes, and much less than the time of a wait that nobody ends.
                code = 0 if loop.run_until_complete(asyncio.wait_for(wait(), 4)) == [None, None] else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert loop.run_until_complete(wait()) == [None, None]
        loop.run_until_complete(pool.disconnect())
    finally:
        loop.close()


def test_a_loop_is_not_rung_in_vain(run, server, monkeypatch):
    """uvloop counts in milliseconds."""
    rung = []

    async def main():
        real = _watch.Sockets.ring
        monkeypatch.setattr(_watch.Sockets, "ring", lambda sockets: rung.append(1) or real(sockets))
        pool = pool_of(server)
        connection = await pool.get_connection()
        for _ in range(20):
            assert await connection.read_response(timeout=0.0123) is None
        assert 20 <= len(rung) <= 60
        await pool.release(connection)
        await pool.disconnect()

    run(main())


def test_a_copy_of_a_descriptor_that_was_closed_does_not_keep_the_loop_busy(run, server, monkeypatch):
    looks = []

    async def main():
        real = _watch.Sockets._look
        monkeypatch.setattr(_watch.Sockets, "_look", lambda sockets: looks.append(1) or real(sockets))
        pool = pool_of(server)
        connection, other = await pool.get_connection(), await pool.get_connection()
        await connection.send_command("SUBSCRIBE", "news")
        await connection.read_response(push_request=True)
        waiting = asyncio.ensure_future(connection._watch.readable(0.3))
        await asyncio.sleep(0)
        copy = os.dup(connection._lease.fileno())
        try:
            # Beneath the watch.
            connection._lease.abandon()
            server.admin().publish("news", "which nobody reads")
            await other.send_command("BLPOP", "nothing", 0.2)
            assert await asyncio.wait_for(other.read_response(), 10) is None
            await waiting
            await asyncio.sleep(0.2)
        finally:
            os.close(copy)
        assert 1 <= len(looks) <= 20
        await pool.release(connection)
        await pool.release(other)
        await pool.disconnect()

    run(main())
