"""What breaks blocking redis-py, and must not break Seawall, through every way in: lost replies, silence, outages,
refusals, exhaustion.

``SEAWALL_TRY=redis-py pytest`` on this file shows which of it happens to redis-py 8.1.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import redis
import seawall
from sync_world import PEER, WAYS, Path, alone, answers, built, every_way, native, pooled, run_all, until

# -- lost replies: nothing runs twice --


def script(client):
    return client.register_script("return redis.call('INCR', KEYS[1])")


def in_transaction(client):
    def add(pipe):
        pipe.multi()
        pipe.incr("counted")

    return client.transaction(add, "watched")


WRITES = {
    "INCR": (lambda c: c.incr("counted"), lambda c: c.get("counted"), b"1"),
    "LPUSH": (lambda c: c.lpush("counted", "v"), lambda c: c.llen("counted"), 1),
    "BLPOP": (lambda c: c.blpop(["jobs", "counted"], 5), lambda c: c.llen("jobs"), 2),
    "LMOVE": (lambda c: c.lmove("jobs", "counted"), lambda c: c.llen("jobs"), 2),
    "SET NX": (lambda c: c.set("counted", "v", nx=True), lambda c: c.get("counted"), b"v"),
    "EVAL": (lambda c: c.eval("return redis.call('INCR', KEYS[1])", 1, "counted"), lambda c: c.get("counted"), b"1"),
    "script": (lambda c: script(c)(keys=["counted"]), lambda c: c.get("counted"), b"1"),
    "pipeline": (lambda c: c.pipeline(transaction=False).incr("counted").execute(), lambda c: c.get("counted"), b"1"),
    "MULTI": (lambda c: c.pipeline().incr("counted").lpush("jobs", 4).execute(), lambda c: c.llen("jobs"), 4),
    "WATCH": (in_transaction, lambda c: c.get("counted"), b"1"),
    "lock": (lambda c: c.lock("counted", timeout=60).acquire(), lambda c: c.exists("counted"), 1),
    "PUBLISH": (lambda c: c.publish("counted", "news"), lambda c: c.info("commandstats")["cmdstat_publish"]["calls"], 1),
}


@every_way
@pytest.mark.parametrize("write", WRITES)
def test_a_write_whose_replies_are_lost_runs_once_and_says_that_it_may_have_run(server, connected, write):
    call, look, once = WRITES[write]
    with Path(server.port) as relay:
        client = connected(relay.url)
        client.rpush("jobs", 1, 2, 3)
        script(client)(keys=["warm"])
        relay.lose_reply_to, relay.lose_more = b"counted", 1
        with pytest.raises(redis.ConnectionError) as failure:
            call(client)
        assert look(server.admin_raw()) == once
        assert failure.value.may_have_run is True
        assert failure.value.attempts == 1
        assert relay.lost == 1
        client.close()


READS = {
    "GET": (lambda c: c.get("kept"), b"v"),
    "MGET": (lambda c: c.mget("kept", "none"), [b"v", None]),
    "EXISTS": (lambda c: c.exists("kept"), 1),
    "pipeline": (lambda c: c.pipeline(transaction=False).get("kept").strlen("kept").execute(), [b"v", 1]),
    "SET": (lambda c: c.set("kept", "v"), True),
}
#: Over a connection that was handed out only reads go again.
AGAIN = [(connected, read) for connected in WAYS for read in READS if read != "SET" or connected not in (pooled, alone)]


@pytest.mark.parametrize(("connected", "read"), AGAIN, ids=[f"{read}-{connected.__name__}" for connected, read in AGAIN])
def test_what_may_run_twice_is_answered_though_two_replies_are_lost(server, connected, read):
    call, expected = READS[read]
    with Path(server.port) as relay:
        client = connected(relay.url)
        client.set("kept", "v")
        relay.lose_reply_to, relay.lose_more = b"kept", 1
        assert call(client) == expected
        assert relay.lost == 2
        client.close()


@pytest.mark.parametrize("connected", [pooled, alone], ids=lambda way: way.__name__)
def test_a_set_over_a_connection_that_was_handed_out_is_sent_once(server, connected):
    with Path(server.port) as relay:
        client = connected(relay.url)
        client.set("kept", "v")
        relay.lose_reply_to, relay.lose_more = b"kept", 1
        with pytest.raises(redis.ConnectionError) as failure:
            client.set("kept", "w")
        assert failure.value.may_have_run is True
        assert failure.value.attempts == 1
        assert relay.lost == 1
        client.close()


@every_way
def test_a_lock_released_with_a_lost_reply_does_not_release_its_next_holder(server, connected):
    with Path(server.port) as relay:
        client = connected(relay.url)
        lock = client.lock("door", timeout=60)
        assert lock.acquire()
        lock.release()
        assert lock.acquire()
        relay.lose_reply_to = b"door"
        with pytest.raises(redis.ConnectionError):
            lock.release()
        assert connected(server.url).lock("door", timeout=60).acquire(blocking=False)
        client.close()


# -- whose reply --


@every_way
def test_a_callback_that_raises_leaves_every_later_caller_its_own_reply(url, connected):
    client = connected(url)
    client.mset({"a": "a", "b": "b", "c": "c"})

    def refuse(response, **options):
        raise ValueError("not like this")

    client.set_response_callback("ECHO", refuse)
    for transaction in (False, True):
        with pytest.raises(ValueError):
            client.pipeline(transaction=transaction).get("a").echo("x").get("b").get("c").execute()
        assert [client.get(key) for key in "abc"] == [b"a", b"b", b"c"]
        assert client.pipeline(transaction=transaction).get("a").get("b").execute() == [b"a", b"b"]
    with pytest.raises(ValueError):
        client.echo("x")
    with client.pipeline() as pipe:
        pipe.watch("a")
        with pytest.raises(ValueError):
            pipe.echo("x")
        assert pipe.get("b") == b"b"
    assert [client.get(key) for key in "abc"] == [b"a", b"b", b"c"]
    client.close()


@every_way
def test_a_reply_that_nobody_read_reaches_nobody(url, connected):
    client = connected(url)
    client.mset({"mine": "mine", "theirs": "theirs"})
    pool = client.connection_pool
    for _ in range(3):
        connection = pool.get_connection()
        connection.send_command("GET", "theirs")
        time.sleep(0.01)
        pool.release(connection)
        assert client.get("mine") == b"mine"
        assert client.pipeline().get("mine").execute() == [[b"mine"]][0]
    client.close()


def test_a_reply_that_comes_after_its_connection_was_given_back_reaches_nobody(url):
    # A connection that was made in somebody's own way is kept by its pool, as those behind Sentinel are.
    pool = (redis if PEER else seawall).ConnectionPool.from_url(url, redis_connect_func=lambda one: one.on_connect())
    for _ in range(3):
        connection = pool.get_connection()
        connection.send_command("BLPOP", "never", 0.1)
        pool.release(connection)
        again = pool.get_connection()
        again.send_command("ECHO", "mine")
        assert again.read_response() == b"mine"
        pool.release(again)
    pool.disconnect()


@every_way
def test_a_generator_closed_in_the_middle_leaves_every_later_caller_its_own_reply(url, connected):
    client = connected(url)
    client.mset({f"key{n}": n for n in range(100)})
    for _ in range(20):
        scan = client.scan_iter(count=3)
        next(scan)
        scan.close()
        assert client.get("key7") == b"7"

    def listen():
        with client.pubsub() as pubsub:
            pubsub.subscribe("news")
            yield from pubsub.listen()

    if not client.connection:
        for number in range(20):
            heard = listen()
            assert next(heard)["type"] == "subscribe"
            client.publish("news", "x")
            heard.close()
            assert client.get("key8") == b"8"

    def half():
        with client.pipeline() as pipe:
            pipe.watch("key1")
            yield pipe.get("key2")
            pipe.multi()
            pipe.set("key1", "never")
            pipe.execute()

    for _ in range(20):
        steps = half()
        assert next(steps) == b"2"
        steps.close()
        assert client.get("key1") == b"1"
    client.close()


# -- silence --


def into_the_silence(client):
    """Every kind of call, as functions."""
    lock = client.lock("door", timeout=5, blocking_timeout=0.1)

    def watched():
        with client.pipeline() as pipe:
            pipe.watch("k")

    return {
        "get": lambda: client.get("k"),
        "incr": lambda: client.incr("n"),
        "pipeline": lambda: client.pipeline(transaction=False).get("k").incr("n").execute(),
        "transaction": lambda: client.pipeline().get("k").incr("n").execute(),
        "watch": watched,
        "lock": lock.acquire,
        "script": lambda: script(client)(keys=["n"]),
        "blpop": lambda: client.blpop("q", 0.1),
        "publish": lambda: client.publish("news", "x"),
    }


@every_way
def test_every_call_into_a_silent_network_ends_by_its_deadline_with_its_cause(server, connected):
    with Path(server.port) as relay:
        client = connected(relay.url, socket_timeout=0.4)
        calls = into_the_silence(client)
        client.ping()
        relay.silent = True
        began = time.monotonic()
        outcomes = dict(zip(calls, run_all(*calls.values())))
        # With one connection, one after the other; redis-py takes 4 s or more for each.
        assert time.monotonic() - began < 30
        assert {name: type(outcome) for name, outcome in outcomes.items() if not isinstance(outcome, redis.RedisError)} == {}
        assert all(outcome.cause for outcome in outcomes.values())
        relay.silent = False
        until(lambda: answers(client), "an answer")
        client.close()


@pytest.mark.parametrize("connected", [native, built, pooled], ids=lambda way: way.__name__)
def test_a_peer_that_takes_no_connection_is_waited_for_no_longer_than_the_deadline(connected):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        # The queue of a listener that accepts nothing is full: further SYNs are dropped.
        fill = [socket.socket() for _ in range(3)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        client = connected(f"redis://127.0.0.1:{port}/0", socket_timeout=0.5, socket_connect_timeout=0.5)
        began = time.monotonic()
        outcomes = run_all(*into_the_silence(client).values(), lambda: client.pubsub().subscribe("news"))
        assert time.monotonic() - began < 20
        assert all(isinstance(outcome, redis.RedisError) and not outcome.may_have_run for outcome in outcomes), outcomes
        for sock in fill:
            sock.close()


def namespaces():
    """Starts a program with names and a network of its own, where that is allowed."""
    words = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    if shutil.which("unshare") and not subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        return words
    return None


def test_names_that_nobody_resolves_are_waited_for_no_longer_than_the_deadline(tmp_path):
    words = namespaces()
    if words is None:
        pytest.skip("no namespaces of our own here")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    code = textwrap.dedent(
        """
        import socket, sys, time
        sys.path.insert(0, sys.argv[1])
        # A name service that hears everything and says nothing.
        service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        service.bind(("127.0.0.1", 53))
        import redis
        from sync_world import native, pooled
        for connected in (native, pooled):
            client = connected("redis://cache.example.org/0", socket_timeout=0.5)
            for number in range(2):
                began = time.monotonic()
                try:
                    client.pipeline().get("k").execute() if number % 2 else client.get("k")
                    sys.exit("answered?")
                except redis.RedisError as error:
                    assert not error.may_have_run
                    assert error.cause in ("name-service", "deadline-exceeded"), error.cause
                assert time.monotonic() - began < 20, number
        print("bounded")
        """
    )
    inside = 'ip link set lo up && mount --bind "$1/resolv.conf" /etc/resolv.conf && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf && exec "${@:2}"'
    done = subprocess.run(
        [*words, "bash", "-c", inside, "bash", str(tmp_path), sys.executable, "-c", code, os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("no mounts of our own here")
    assert done.stdout == "bounded\n", done.stderr


@pytest.mark.parametrize("connected", [native, pooled], ids=lambda way: way.__name__)
def test_a_short_socket_timeout_does_not_cut_a_blocking_command_short(url, connected):
    client = connected(url, socket_timeout=0.4)
    assert client.blpop("nothing", timeout=0.5) is None
    assert client.pipeline(transaction=False).xread({"nothing": "$"}, block=500).execute() in ([{}], [[]])
    assert client.ping()
    client.close()


@every_way
def test_a_deadline_around_calls_ends_blocking_commands_too(url, connected):
    client = connected(url)

    def watched():
        with client.pipeline() as pipe:
            pipe.watch("k")
            pipe.blpop("never", timeout=0)

    def subscribed():
        with client.pubsub() as pubsub:
            pubsub.subscribe("news")
            for _ in pubsub.listen():
                pass

    calls = [
        lambda: client.blpop("never", timeout=0),
        lambda: client.blpop("never", timeout=1000),
        lambda: client.xread({"never": "$"}, block=0),
        lambda: client.pipeline(transaction=False).get("k").blpop("never", timeout=0).execute(),
        watched,
    ]
    if not client.connection:
        calls.append(subscribed)

    def bounded(call):
        with seawall.deadline(0.3):
            call()

    # On one connection they take turns.
    outcomes = run_all(*(lambda call=call: bounded(call) for call in calls))
    assert all(isinstance(outcome, (redis.TimeoutError, redis.WatchError)) for outcome in outcomes), outcomes
    assert client.ping()
    client.close()


def test_a_long_deadline_around_calls_makes_none_of_them_longer(server):
    with Path(server.port) as relay:
        for connected in (native, pooled):
            client = connected(relay.url, socket_timeout=0.3)
            client.ping()
            relay.silent = True
            began = time.monotonic()
            with seawall.deadline(1000):
                for call in (lambda: client.incr("n"), lambda: client.pipeline().incr("n").execute()):
                    with pytest.raises(redis.RedisError):
                        call()
            assert time.monotonic() - began < 30
            relay.silent = False
            until(lambda: answers(client), "an answer")
            client.close()


# -- outages and refusals --


@pytest.mark.parametrize("connected", [built, pooled], ids=lambda way: way.__name__)
def test_twenty_threads_in_an_outage_connect_no_more_than_one_would(server, connected):
    with Path(server.port) as relay:
        client = connected(relay.url)
        over = time.monotonic() + 1.5
        client.ping()
        server.kill()
        before = relay.connects

        def go_on(number):
            while time.monotonic() < over:
                try:
                    if number % 2:
                        client.incr("n")
                    else:
                        client.pipeline().incr("n").execute()
                except redis.RedisError:
                    time.sleep(0.02)

        run_all(*(lambda number=number: go_on(number) for number in range(20)))
        # A probe each 25 ms in the first 1.25 s, each fiftieth of the outage's age after that: 60, give or take a
        # fifth, and what was to be found out first. redis-py makes 200 and more.
        assert relay.connects - before <= 90
        server.start()
        assert until(lambda: answers(client), "an answer")
        client.close()


@every_way
def test_a_wrong_password_is_tried_once_a_call(make_server, connected):
    server = make_server("--requirepass", "right")
    with Path(server.port) as relay:
        with pytest.raises(redis.AuthenticationError) as failure:
            client = connected(relay.url, password="wrong")
            client.get("k")
        assert relay.connects == 1
        assert failure.value.cause == "auth-failed"
        assert "wrong" not in str(failure.value)
        if connected in (native, built):
            with pytest.raises(redis.AuthenticationError):
                client.pipeline().get("k").execute()
            assert relay.connects <= 2


@pytest.mark.parametrize("connected", [native, built, pooled], ids=lambda way: way.__name__)
def test_a_server_that_is_full_is_named_and_used_again_when_there_is_room(make_server, connected):
    server = make_server("--maxclients", "2")
    crowd = [server.admin() for _ in range(2)]
    for one in crowd:
        one.ping()
    client = connected(server.url)
    for call in (lambda: client.incr("n"), lambda: client.pipeline().incr("n").execute()):
        with pytest.raises(redis.RedisError) as failure:
            call()
        assert failure.value.cause == "max-clients"
        assert failure.value.may_have_run is False
    crowd[0].close()
    until(lambda: answers(client), "an answer")
    assert client.incr("n") == 1
    client.close()
    crowd[1].close()


@pytest.mark.parametrize("connected", [native, pooled, alone], ids=lambda way: way.__name__)
@pytest.mark.parametrize("call", ["sort", "lrange", "pipeline", "transaction"])
def test_a_reply_that_is_too_large_for_the_server_is_asked_for_once(make_server, connected, call):
    server = make_server("--client-output-buffer-limit", "normal 1mb 0 0")
    admin = server.admin()
    admin.rpush("big", *["x" * 10_000] * 600)
    calls = {
        "sort": lambda c: c.sort("big", alpha=True),
        "lrange": lambda c: c.lrange("big", 0, -1),
        "pipeline": lambda c: c.pipeline(transaction=False).lrange("big", 0, -1).execute(),
        "transaction": lambda c: c.pipeline().lrange("big", 0, -1).execute(),
    }
    client = connected(server.url)
    client.ping()
    with pytest.raises(redis.ConnectionError) as failure:
        calls[call](client)
    ran = admin.info("commandstats")
    assert ran.get("cmdstat_lrange", ran.get("cmdstat_sort"))["calls"] == 1
    assert failure.value.cause == "output-limit"
    assert client.ping()
    client.close()


# -- exhaustion --


@pytest.mark.parametrize("kind", ["ConnectionPool", "BlockingConnectionPool"])
def test_who_comes_when_all_connections_are_in_use_waits_and_is_told_in_the_end(url, kind):
    options = {"timeout": 0.5} if kind == "BlockingConnectionPool" else {"socket_timeout": 0.5}
    pool = getattr(redis if PEER else seawall, kind).from_url(url, max_connections=3, **options)
    # Whose pipelines take a connection of the pool each.
    client = redis.Redis(connection_pool=pool)

    def work(number):
        for _ in range(20):
            pipe = client.pipeline()
            assert pipe.set(f"k{number}", number).get(f"k{number}").execute() == [True, str(number).encode()]
        return True

    assert run_all(*(lambda number=number: work(number) for number in range(30))) == [True] * 30
    held = [pool.get_connection() for _ in range(3)]
    with pytest.raises(redis.MaxConnectionsError) as failure:
        client.pipeline().get("k").execute()
    assert failure.value.cause == "pool-exhausted"
    assert failure.value.may_have_run is False
    # Whoever is woken by the first connection that comes back is not told so.
    threading.Timer(0.2, pool.release, [held.pop()]).start()
    assert client.pipeline().echo("x").execute() == [b"x"]
    for connection in held:
        pool.release(connection)
    held = [pool.get_connection() for _ in range(3)]
    for connection in held:
        pool.release(connection)
    assert work(31)
    client.close()


def test_failures_of_every_kind_leak_no_connection_of_a_small_pool(server):
    with Path(server.port) as relay:
        client = pooled(relay.url, max_connections=2, socket_timeout=1)
        client.set("text", "x")

        def refuse(response, **options):
            raise ValueError("not like this")

        client.set_response_callback("ECHO", refuse)
        for number in range(10):
            for failing in (
                lambda: client.lpush("text", 1),
                lambda: client.set("k", object()),
                lambda: client.echo("x"),
                lambda: client.pipeline().echo("x").execute(),
                lambda: client.pipeline().lpush("text", 1).execute(),
                lambda: client.pipeline().set("k", object()).execute(),
                lambda: client.lock("door").release(),
            ):
                with pytest.raises((redis.RedisError, ValueError)):
                    failing()
            relay.lose_reply_to = b"counted"
            with pytest.raises(redis.ConnectionError):
                client.incr("counted")
        held = [client.connection_pool.get_connection() for _ in range(2)]
        for connection in held:
            client.connection_pool.release(connection)
        assert client.get("text") == b"x"
        client.close()


def test_urls_and_arguments_are_given_the_same_number_of_tries(server):
    tries = {}
    for connected in (native, built):
        with Path(server.port) as relay:
            client = connected(relay.url)
            client.set("kept", "v")
            relay.lose_reply_to, relay.lose_more = b"kept", 100
            with pytest.raises(redis.ConnectionError):
                client.get("kept")
            tries[connected] = relay.lost
            client.close()
    assert tries[native] == tries[built] > 1
