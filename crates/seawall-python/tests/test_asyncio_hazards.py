"""What breaks redis.asyncio, and must not break seawall.asyncio: cancellation, lost replies, dead and silent servers."""

import asyncio
import gc
import random
import threading
import time

import pytest
import redis
import redis.asyncio
import seawall
import seawall.asyncio
from asyncio_world import Relay


def connected(url, **options):
    return seawall.asyncio.Redis.from_url(url, **options)


async def until(condition):
    """Waits for an event; the test's own patience ends it."""
    while not condition():
        await asyncio.sleep(0.01)


def connections(server, name):
    return [client for client in server.admin().client_list() if client["name"] == name]


# -- cancellation --


@pytest.mark.parametrize("seed", range(4))
def test_cancellation_at_any_point_leaves_every_other_caller_its_own_reply(run, url, seed):
    dice = random.Random(seed)

    async def main():
        async with connected(url, decode_responses=True) as client:
            await asyncio.gather(*(client.set(f"key{n}", f"key{n}") for n in range(50)))
            wrong, answered = [], 0

            async def look():
                nonlocal answered
                key = f"key{dice.randrange(50)}"
                kind = dice.randrange(4)
                if kind == 0:
                    pipe = client.pipeline(transaction=dice.random() < 0.5)
                    got = await pipe.get(key).echo(key).execute()
                    expected = [key, key]
                elif kind == 1:
                    got, expected = await client.mget(key, key), [key, key]
                elif kind == 2:
                    got, expected = await client.echo(key * 2000), key * 2000
                else:
                    got, expected = await client.get(key), key
                answered += 1
                if got != expected:
                    wrong.append((expected, got))

            async def cut_short():
                span = dice.random() * 0.003
                how = dice.randrange(3)
                if how == 0:
                    task = asyncio.ensure_future(look())
                    await asyncio.sleep(span)
                    task.cancel()
                    await asyncio.wait([task])
                elif how == 1:
                    try:
                        await asyncio.wait_for(look(), span)
                    except asyncio.TimeoutError:
                        pass
                else:
                    both = asyncio.gather(look(), look())
                    await asyncio.sleep(span)
                    both.cancel()
                    try:
                        await both
                    except asyncio.CancelledError:
                        pass

            async def worker():
                for _ in range(40):
                    await cut_short()
                    await look()

            await asyncio.gather(*(worker() for _ in range(20)))
            assert wrong == []
            assert answered >= 800
            pool = client.connection_pool
            assert not pool._in_use_connections and not pool._waiting
            await until(lambda: pool.stats()["in_use"] <= 1)
            assert pool.stats()["waiting"] == 0

    run(main())


def test_replies_that_a_pipeline_left_unread_reach_no_later_caller(run, url):
    """Over connections that their pool keeps, as behind Sentinel: its last reply comes when the next has asked already."""

    async def logged_in(connection):
        await connection.on_connect()

    async def main():
        async with connected(url, redis_connect_func=logged_in, max_connections=1) as client:
            await client.set("kept", "v")

            def refuse(response, **options):
                raise ValueError("not like this")

            client.set_response_callback("ECHO", refuse)
            with pytest.raises(ValueError):
                await client.pipeline(transaction=False).echo("x").blpop("nothing", timeout=0.3).execute()
            assert await client.get("kept") == b"v"
            assert await client.strlen("kept") == 1

    run(main())


def test_a_reply_that_nobody_read_reaches_no_later_caller_of_a_client_of_one_connection(run, url):
    async def main():
        async with connected(url, single_connection_client=True) as client:
            await client.set("kept", "v")
            # As an exception out of a signal's handler leaves it, between sending and reading.
            await client.connection.send_command("ECHO", "another's")
            assert await client.get("kept") == b"v"

    run(main())


def test_an_asyncio_subscription_that_was_given_its_connection_by_hand_keeps_it(run, server):
    async def main():
        pool = seawall.asyncio.ConnectionPool.from_url(server.url)
        listener = redis.asyncio.Redis(connection_pool=pool).pubsub()
        listener.connection = taken = await pool.get_connection()
        lease = taken._lease
        await listener.psubscribe("news.*")
        for word in ("first", "second"):
            server.admin().publish("news.today", word)
        heard = [await listener.parse_response() for _ in range(3)]
        assert [message[-1] for message in heard] == [1, b"first", b"second"]
        assert listener.connection is taken and taken._lease is lease
        await listener.aclose()
        await pool.disconnect()

    run(main())


def test_a_connection_given_back_as_a_wait_for_it_ends_is_not_lost(run, url, monkeypatch):
    async def in_one_round(turn, seconds):
        """``wait_for`` of Python 3.12 where the timer comes in the round of the loop in which the turn has come."""
        await turn
        raise asyncio.TimeoutError

    async def main():
        pool = seawall.asyncio.ConnectionPool.from_url(url, max_connections=1)
        taken = await pool.get_connection()
        with monkeypatch.context() as patched:
            patched.setattr("seawall.asyncio.pool.asyncio.wait_for", in_one_round)
            waiting = [asyncio.ensure_future(pool.get_connection()) for _ in range(2)]
            await asyncio.sleep(0)
            await pool.release(taken)
            for one in waiting:
                await pool.release(await one)
        await pool.disconnect()

    run(main())


def test_a_cancelled_increment_runs_once_at_most(run, url):
    dice = random.Random(7)

    async def main():
        async with connected(url) as client:
            told = 0

            async def count(key):
                nonlocal told
                task = asyncio.ensure_future(client.incr(key))
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    assert task.result() == 1
                    told += 1

            await asyncio.gather(*(count(f"n{n}") for n in range(500)))
            values = await client.mget(f"n{n}" for n in range(500))
            assert set(values) <= {None, b"1"}
            assert values.count(b"1") >= told

    run(main())


def test_cancelled_blocking_commands_lose_no_item_that_others_wait_for(run, server):
    async def main():
        client = connected(server.url, client_name="blockers")
        for _ in range(20):
            waiting = [asyncio.ensure_future(client.blpop("queue", timeout=0)) for _ in range(10)]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        await until(lambda: server.admin().info("clients")["blocked_clients"] == 0)
        await client.rpush("queue", "mine")
        assert await client.blpop("queue", timeout=5) == (b"queue", b"mine")
        await until(lambda: client.connection_pool.stats()["in_use"] <= 1)
        await client.aclose()
        await until(lambda: not connections(server, "blockers"))

    run(main())


def test_cancelled_waits_for_a_connection_lose_no_slot(run, url):
    dice = random.Random(3)

    async def main():
        pool = seawall.asyncio.ConnectionPool.from_url(url, max_connections=3)
        client = seawall.asyncio.Redis(connection_pool=pool)

        async def use():
            async with client.pipeline() as pipe:
                assert await pipe.echo("x").execute() == [b"x"]

        async def cut_short():
            try:
                await asyncio.wait_for(use(), dice.random() * 0.01)
            except asyncio.TimeoutError:
                pass

        await asyncio.gather(*(cut_short() for _ in range(300)))
        await asyncio.gather(*(use() for _ in range(30)))
        assert not pool._in_use_connections and not pool._waiting
        await pool.aclose()

    run(main())


def test_a_group_of_tasks_that_fails_takes_no_reply_of_others_along(run, url):
    async def main():
        async with connected(url, decode_responses=True) as client:
            await client.set("mine", "mine")

            async def fail():
                await client.get("mine")
                raise RuntimeError("one of the group")

            async def group():
                tasks = [asyncio.ensure_future(client.get("mine")) for _ in range(20)]
                tasks.append(asyncio.ensure_future(fail()))
                done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                for task in rest:
                    task.cancel()

            await asyncio.gather(*(group() for _ in range(20)))
            assert await asyncio.gather(*(client.echo(str(n)) for n in range(50))) == [str(n) for n in range(50)]

    run(main())


# -- exhaustion and waits --


def test_a_hundred_and_fifty_tasks_on_the_default_pool_are_all_answered(run, url):
    async def main():
        async with connected(url) as client:

            async def work(number):
                async with client.pipeline() as pipe:
                    return await pipe.set(f"k{number}", number).get(f"k{number}").execute()

            answers = await asyncio.gather(*(work(number) for number in range(150)))
            assert answers == [[True, str(number).encode()] for number in range(150)]

    run(main())


def test_a_short_socket_timeout_does_not_cut_a_blocking_command_short(run, url):
    async def main():
        for single in (False, True):
            client = connected(url, socket_timeout=0.2, single_connection_client=single)
            assert await client.blpop("nothing", timeout=1) is None
            assert await client.ping()
            await client.aclose()

    run(main())


# -- idle connections --


def test_a_connection_that_the_server_closed_while_it_was_idle_fails_no_call(run, server):
    admin = server.admin()

    async def main():
        client = connected(server.url)
        alone = connected(server.url, single_connection_client=True)
        for _ in range(20):
            assert await asyncio.gather(client.ping(), client.incr("n"), alone.ping())
            async with client.pipeline() as pipe:
                assert await pipe.incr("p").execute()
            admin.client_kill_filter(_type="normal", skipme=True)
        assert (await client.get("n"), await client.get("p")) == (b"20", b"20")
        await client.aclose()
        await alone.aclose()

    run(main())


def test_the_servers_own_idle_timeout_fails_no_call(run, make_server):
    server = make_server("--timeout", "1")

    async def main():
        client = connected(server.url, client_name="idler")
        for expected in (1, 2, 3):
            assert await client.incr("n") == expected
            async with client.pipeline() as pipe:
                assert await pipe.incr("p").execute() == [expected]
            await until(lambda: not connections(server, "idler"))
        await client.aclose()

    run(main())


# -- lost replies --


@pytest.mark.parametrize(
    "name, call, look, once",
    [
        ("INCR", lambda c: c.incr("k"), lambda c: c.get("k"), b"1"),
        ("LPUSH", lambda c: c.lpush("k", "v"), lambda c: c.llen("k"), 1),
        ("SET NX", lambda c: c.set("k", "v", nx=True), lambda c: c.get("k"), b"v"),
        ("EVAL", lambda c: c.eval("return redis.call('INCR', 'k')", 0), lambda c: c.get("k"), b"1"),
        ("EXEC", lambda c: c.pipeline().incr("k").execute(), lambda c: c.get("k"), b"1"),
        ("pipeline", lambda c: c.pipeline(transaction=False).incr("k").execute(), lambda c: c.get("k"), b"1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_write_whose_reply_was_lost_runs_once_and_says_that_it_may_have_run(run, server, name, call, look, once):
    async def main():
        async with Relay(server.port) as relay:
            client = connected(relay.url)
            await client.ping()
            relay.lose_reply_to = b"EVAL" if name == "EVAL" else b"\r\nk\r\n"
            with pytest.raises(redis.ConnectionError) as failure:
                await call(client)
            assert failure.value.may_have_run is True
            assert relay.lost == 1
            assert await look(client) == once
            await client.aclose()

    run(main())


def pooled(url):
    return redis.asyncio.Redis(connection_pool=seawall.asyncio.ConnectionPool.from_url(url))


def alone(url):
    return connected(url, single_connection_client=True)


@pytest.mark.parametrize("made", [pooled, alone], ids=lambda way: way.__name__)
def test_a_set_over_a_connection_that_was_handed_out_is_sent_once(run, server, made):
    async def main():
        async with Relay(server.port) as relay:
            client = made(relay.url)
            await client.set("kept", "v")
            relay.lose_reply_to = b"kept"
            with pytest.raises(redis.ConnectionError) as failure:
                await client.set("kept", "w")
            assert failure.value.may_have_run is True
            assert relay.lost == 1
            relay.lose_reply_to = b"kept"
            assert await client.get("kept") == b"w"
            assert relay.lost == 2
            await client.aclose()
            await client.connection_pool.disconnect()

    run(main())


def test_reads_whose_replies_were_lost_are_answered(run, server):
    async def main():
        async with Relay(server.port) as relay:
            client = connected(relay.url)
            await client.mset({f"k{n}": n for n in range(30)})
            for _ in range(5):
                relay.lose_reply_to = b"k1"
                values = await asyncio.gather(*(client.get(f"k{n}") for n in range(30)))
                assert values == [str(n).encode() for n in range(30)]
            assert relay.lost == 5
            relay.lose_reply_to = b"HGETALL"
            pipe = client.pipeline(transaction=False)
            assert await pipe.hgetall("h").get("k3").execute() == [{}, b"3"]
            await client.aclose()

    run(main())


def test_a_client_that_is_closed_ends_its_connections_in_order(run, server):
    async def main():
        async with Relay(server.port) as relay:
            for _ in range(3):
                client = connected(relay.url)
                await asyncio.gather(*(client.get("k") for _ in range(10)))
                await client.pipeline().get("k").execute()
                await client.aclose()
            await until(lambda: len(server.admin().client_list()) == 1)
            assert relay.resets == 0

    run(main())


# -- silence and outage --


def test_every_call_into_a_silent_network_ends_by_its_deadline(run, server):
    async def main():
        async with Relay(server.port) as relay:
            client = connected(relay.url, socket_timeout=0.5)
            pubsub = client.pubsub()
            await pubsub.subscribe("news")
            await client.ping()
            relay.silent = True
            calls = [client.get("k"), client.incr("n"), client.pipeline().incr("n").execute(), client.blpop("q", 0.1)]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes if not isinstance(outcome, redis.RedisError)] == []
            assert all(outcome.cause for outcome in outcomes)
            relay.silent = False
            while True:
                try:
                    assert await client.ping()
                    break
                except redis.RedisError:
                    await asyncio.sleep(0.05)
            await pubsub.aclose()
            await client.aclose()

    run(main())


def test_a_deadline_around_calls_ends_all_of_them(run, server):
    async def main():
        async with Relay(server.port) as relay:
            client = connected(relay.url, socket_timeout=1000)
            await client.ping()
            relay.silent = True
            with seawall.deadline(0.3):
                calls = [client.get("k"), client.pipeline().incr("n").execute(), client.blpop("q", 0)]
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(outcome, redis.RedisError) for outcome in outcomes), outcomes
            await client.aclose()

    run(main())


def test_a_deadline_ends_what_a_connection_cannot_send_too(run, server):
    async def main():
        connection = seawall.asyncio.Connection(port=server.port, socket_timeout=25)
        await connection.connect()
        server.freeze()
        try:
            with seawall.deadline(0.3), pytest.raises(seawall.errors.TimeoutError):
                # More than the kernel takes for a server that does not read.
                await asyncio.wait_for(connection.send_command("SET", "key", b"x" * (32 << 20)), 10)
        finally:
            server.thaw()
        assert not connection.is_connected

    run(main())


def test_calls_come_back_when_the_server_does_and_none_hangs(run, server):
    async def main():
        client = connected(server.url, socket_timeout=2, decode_responses=True)
        await client.set("n", 0)
        over, wrong, last = False, [], {}

        async def work(number):
            while not over:
                try:
                    if number % 5 == 0:
                        async with client.pipeline() as pipe:
                            got = (await pipe.echo(f"{number}").get("x").execute())[0]
                    else:
                        got = await client.echo(f"{number}")
                    if got != f"{number}":
                        wrong.append((number, got))
                    last[number] = time.monotonic()
                except redis.RedisError:
                    await asyncio.sleep(0.01)

        tasks = [asyncio.ensure_future(work(number)) for number in range(50)]
        for _ in range(2):
            await until(lambda: len(last) == 50)
            server.kill()
            await asyncio.sleep(0.5)
            await asyncio.get_running_loop().run_in_executor(None, server.start)
            last.clear()
        await until(lambda: len(last) == 50)
        over = True
        await asyncio.gather(*tasks)
        assert wrong == []
        await client.aclose()

    run(main())


def test_a_wait_without_an_end_is_over_when_the_server_is_gone(run, server):
    async def main():
        client = connected(server.url, socket_timeout=1)
        pubsub = client.pubsub()
        await pubsub.subscribe("news")
        await pubsub.get_message(timeout=5)
        waiting = [asyncio.ensure_future(client.blpop("q", timeout=0)), asyncio.ensure_future(pubsub.get_message(timeout=None))]
        await asyncio.sleep(0.05)
        server.kill()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, redis.RedisError) for outcome in outcomes), outcomes
        await client.aclose()

    run(main())


def test_a_subscription_goes_on_after_the_server_was_restarted(run, server):
    async def main():
        client = connected(server.url, socket_timeout=1)
        heard = []

        async def listen(pubsub):
            while True:
                try:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1)
                except redis.RedisError:
                    await asyncio.sleep(0.05)
                    continue
                if message is not None:
                    heard.append(message["data"])

        pubsub = client.pubsub()
        await pubsub.subscribe("news")
        listener = asyncio.ensure_future(listen(pubsub))
        server.kill()
        await asyncio.get_running_loop().run_in_executor(None, server.start)
        while not heard:
            try:
                await client.publish("news", "back")
            except redis.RedisError:
                pass
            await asyncio.sleep(0.02)
        listener.cancel()
        await asyncio.wait([listener])
        await pubsub.aclose()
        await client.aclose()

    run(main())


# -- refusals --


def test_fifty_tasks_in_an_outage_connect_no_more_than_one_would(run, server):
    async def main():
        async with Relay(server.port) as relay:
            client = connected(relay.url)
            await client.ping()
            server.kill()
            before = relay.connects
            over = time.monotonic() + 1.5

            async def go_on(number):
                while time.monotonic() < over:
                    try:
                        if number % 2:
                            await client.incr("n")
                        else:
                            await client.pipeline().incr("n").execute()
                    except redis.RedisError:
                        await asyncio.sleep(0.02)

            await asyncio.gather(*(go_on(number) for number in range(50)))
            # A probe each 25 ms, and what was to be found out first. redis.asyncio makes 1,000 and more.
            assert relay.connects - before <= 90
            await client.aclose()

    run(main())


def test_a_wrong_password_is_tried_once_a_call(run, make_server):
    server = make_server("--requirepass", "right")

    async def main():
        async with Relay(server.port) as relay:
            client = connected(relay.url, password="wrong")
            for call in (lambda: client.get("k"), lambda: client.pipeline().get("k").execute()):
                with pytest.raises(redis.AuthenticationError) as failure:
                    await call()
                assert failure.value.cause == "auth-failed"
            assert relay.connects <= 2
            await client.aclose()

    run(main())


def test_a_server_that_is_full_is_named_and_used_again_when_there_is_room(run, make_server):
    server = make_server("--maxclients", "2")
    crowd = [server.admin() for _ in range(2)]
    for one in crowd:
        one.ping()

    async def main():
        client = connected(server.url)
        for call in (lambda: client.incr("n"), lambda: client.pipeline().incr("n").execute()):
            with pytest.raises(redis.RedisError) as failure:
                await call()
            assert failure.value.cause == "max-clients"
            assert failure.value.may_have_run is False
        crowd[0].close()
        while True:
            try:
                assert await client.incr("n") == 1
                break
            except redis.RedisError:
                await asyncio.sleep(0.05)
        await client.aclose()
        crowd[1].close()

    run(main())


@pytest.mark.parametrize("call", ["lrange", "pipeline", "transaction"])
def test_a_reply_that_is_too_large_for_the_server_is_asked_for_once(run, make_server, call):
    server = make_server("--client-output-buffer-limit", "normal 1mb 0 0")
    admin = server.admin()
    admin.rpush("big", *["x" * 10_000] * 600)

    async def main():
        client = connected(server.url)
        await client.ping()
        calls = {
            "lrange": lambda: client.lrange("big", 0, -1),
            "pipeline": lambda: client.pipeline(transaction=False).lrange("big", 0, -1).execute(),
            "transaction": lambda: client.pipeline().lrange("big", 0, -1).execute(),
        }
        with pytest.raises(redis.ConnectionError) as failure:
            await calls[call]()
        assert admin.info("commandstats")["cmdstat_lrange"]["calls"] == 1
        assert failure.value.cause == "output-limit"
        assert await client.ping()
        await client.aclose()

    run(main())


def test_a_deadline_around_calls_ends_blocking_commands_of_a_healthy_server(run, url):
    async def main():
        async with connected(url) as client:

            async def bounded(call):
                with seawall.deadline(0.3):
                    await call()

            calls = [
                lambda: client.blpop("never", timeout=0),
                lambda: client.blpop("never", timeout=1000),
                lambda: client.pipeline(transaction=False).blpop("never", timeout=0).execute(),
            ]
            outcomes = await asyncio.gather(*map(bounded, calls), return_exceptions=True)
            assert all(isinstance(outcome, redis.TimeoutError) for outcome in outcomes), outcomes
            assert await client.ping()

    run(main())


def test_a_watched_transaction_whose_reply_was_lost_is_not_begun_anew(run, server):
    async def main():
        async with Relay(server.port) as relay:
            client = connected(relay.url)

            async def add(pipe):
                pipe.multi()
                pipe.incr("counted")

            relay.lose_reply_to = b"counted"
            with pytest.raises(redis.ConnectionError) as failure:
                await client.transaction(add, "watched")
            assert failure.value.may_have_run is True
            assert await client.get("counted") == b"1"
            await client.aclose()

    run(main())


# -- sizes --


def test_a_reply_of_twenty_megabytes_among_small_ones_mixes_up_nothing(run, url):
    async def main():
        async with connected(url) as client:
            big = b"0123456789abcdef" * (20 * 65536)
            assert await client.set("big", big)
            calls = [client.get("big") if n == 20 else client.echo(str(n)) for n in range(40)]
            answers = await asyncio.gather(*calls)
            assert answers.pop(20) == big
            assert answers == [str(n).encode() for n in range(40) if n != 20]
            async with client.pipeline() as pipe:
                assert await pipe.get("big").echo("x").execute() == [big, b"x"]

    run(main())


def test_a_slow_subscriber_loses_no_message(run, url):
    async def main():
        async with connected(url) as client, client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            await pubsub.get_message(timeout=5)
            text = "x" * 1000
            for start in range(0, 5000, 500):
                async with client.pipeline(transaction=False) as pipe:
                    for number in range(start, start + 500):
                        pipe.publish("news", f"{number}:{text}")
                    await pipe.execute()
            for number in range(5000):
                message = await pubsub.get_message(timeout=5)
                assert message["data"] == f"{number}:{text}".encode()
                if number % 500 == 0:
                    await asyncio.sleep(0.01)

    run(main())


# -- finalizers --


def test_finalizers_that_call_the_client_neither_deadlock_nor_mix_up_replies(run, url):
    async def main():
        async with connected(url) as client:
            left = []

            class Goodbye:
                def __init__(self):
                    self.myself = self

                def __del__(self):
                    left.append(asyncio.ensure_future(client.echo("bye")))

            before = gc.get_threshold()
            gc.set_threshold(1, 1, 1)
            try:
                for _ in range(10):
                    for _ in range(5):
                        Goodbye()
                    answers = await asyncio.gather(*(client.echo(str(n)) for n in range(20)))
                    assert answers == [str(n).encode() for n in range(20)]
                    gc.collect()
            finally:
                gc.set_threshold(*before)
            gc.collect()
            assert len(left) == 50
            assert set(await asyncio.gather(*left)) == {b"bye"}

    run(main())


def test_collections_of_another_thread_disturb_no_call(run, url):
    over = threading.Event()

    def collect():
        while not over.is_set():
            gc.collect()

    async def main():
        async with connected(url) as client:
            for _ in range(30):
                answers = await asyncio.gather(*(client.echo(str(n)) for n in range(50)))
                assert answers == [str(n).encode() for n in range(50)]
                connection = await client.connection_pool.get_connection()
                await connection.send_command("ECHO", "half")
                # Given back with a reply that is owed: nobody else may read it.
                await client.connection_pool.release(connection)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        run(main())
    finally:
        over.set()
        collector.join()
