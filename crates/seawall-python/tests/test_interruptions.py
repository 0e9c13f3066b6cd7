"""Exceptions from outside: out of a signal's handler, KeyboardInterrupt, raised into a thread, at hundreds of random
moments; and signals that only disturb.

With ``SEAWALL_TRY=redis-py`` slots leak and replies go to the wrong callers.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import redis
import seawall
from sync_world import PATIENCE, alone, every_way, native, pooled, until


@pytest.fixture(autouse=True)
def struck_finalizers_are_forgotten(monkeypatch):
    # Finalizers are struck too, and nobody can help that. pytest would keep all that their exceptions lead to.
    monkeypatch.setattr(sys, "unraisablehook", lambda _unraisable: None)


class Struck(BaseException):
    """What is raised from outside. As KeyboardInterrupt, nobody's ``except Exception`` catches it."""


class Striker:
    """Lets a signal's handler raise in the middle of a call."""

    def __init__(self) -> None:
        self.armed = False
        self.struck = 0

    def __enter__(self) -> Striker:
        self._before = signal.signal(signal.SIGALRM, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _handle(self, *_: object) -> None:
        if self.armed:
            self.armed = False
            raise Struck

    def strike(self, after: float, call) -> None:
        try:
            self.armed = True
            signal.setitimer(signal.ITIMER_REAL, after)
            try:
                call()
            finally:
                self.armed = False
        except Struck:
            self.struck += 1


def conversations(client, dice):
    """Calls of every kind, each with what it must answer."""
    key = f"key{dice.randrange(50)}"
    other = f"key{dice.randrange(50)}"

    def plain():
        return client.get(key), key

    def many():
        return client.mget(key, other), [key, other]

    def large():
        return client.echo(key * 5000), key * 5000

    def pipeline():
        return client.pipeline(transaction=False).get(key).echo(other).execute(), [key, other]

    def transaction():
        return client.pipeline().get(key).echo(other).execute(), [key, other]

    def watched():
        with client.pipeline() as pipe:
            pipe.watch(key)
            first = pipe.get(other)
            pipe.multi()
            return [first, *pipe.get(key).execute()], [other, key]

    def blocking():
        queue = f"queue:{dice.random()}"
        client.rpush(queue, key)
        return list(client.blpop(queue, timeout=5)), [queue, key]

    def locked():
        with client.lock(f"lock:{dice.random()}", timeout=0.05, blocking_timeout=1, raise_on_release_error=False):
            return client.get(key), key

    def heard():
        with client.pubsub() as pubsub:
            pubsub.subscribe(key)
            return pubsub.get_message(timeout=1)["channel"], key

    talks = [plain, plain, many, large, pipeline, transaction, watched, blocking, locked]
    if type(client) is not redis.Redis:
        # redis-py's own subscriptions can be left with their lock held, and hang.
        talks.append(heard)
    return dice.choice(talks)


def fill(client):
    client.mset({f"key{n}": f"key{n}" for n in range(50)})


def check(client, dice, wrong):
    talk = conversations(client, dice)
    with contextlib.suppress(redis.exceptions.LockError):
        got, expected = talk()
        if got != expected:
            wrong.append((talk.__name__, expected, got))


@every_way
def test_an_exception_out_of_a_signals_handler_costs_no_slot_and_mixes_up_no_reply(url, connected):
    client = connected(url, decode_responses=True, max_connections=3, socket_timeout=2)
    fill(client)
    dice, wrong = random.Random(5), []
    with Striker() as striker:
        for _ in range(500):
            striker.strike(dice.random() * 0.0003 + 1e-6, lambda: check(client, dice, wrong))
            if client.connection is None or dice.random() < 0.5:
                check(client, dice, wrong)
    assert wrong == []
    assert striker.struck > 100
    # Exceptions and the frames that they passed through hold each other.
    gc.collect()
    held = [client.connection_pool.get_connection() for _ in range(2 if client.connection else 3)]
    for connection in held:
        client.connection_pool.release(connection)
    client.close()


def test_a_connection_of_ones_own_is_not_read_on_after_an_interruption(url):
    # The same, where redis-py reads the next reply from: right after a command was sent.
    client = alone(url, decode_responses=True)
    fill(client)
    connection = client.connection
    send = connection.send_command

    def struck(*args, **kwargs):
        send(*args, **kwargs)
        raise Struck

    for number in range(10):
        connection.send_command = struck
        with pytest.raises(Struck):
            client.get("key1")
        connection.send_command = send
        assert client.get(f"key{number}") == f"key{number}"
    client.close()


def test_a_connection_whose_making_was_interrupted_half_way_serves_on(url):
    client = alone(url, decode_responses=True)
    connection = client.connection
    connection.disconnect()
    begin = connection._parser.on_connect

    def struck(_):
        raise Struck

    connection._parser.on_connect = struck
    with pytest.raises(Struck):
        client.ping()
    connection._parser.on_connect = begin
    # The exception may as well come before redis-py's own code begins to put things straight.
    connection._sock = connection._connect()
    # No command that may be sent twice: that would hide it.
    assert client.incr(f"of:{os.getpid()}:half-way") == 1
    client.close()


def test_a_reply_that_ones_own_closing_took_away_may_have_been_one_to_a_command_that_ran(url):
    client = alone(url)
    connection = client.connection
    connection.send_command("INCR", "counted")
    connection.disconnect()
    with pytest.raises(seawall.errors.ConnectionError) as closed:
        connection.read_response()
    assert closed.value.may_have_run
    assert closed.value.cause == "client-closed"
    client.close()


def test_a_watching_pipeline_is_not_read_on_after_an_interruption(url):
    client = native(url, decode_responses=True)
    fill(client)
    with client.pipeline() as pipe:
        pipe.watch("key1")
        connection = pipe.connection
        send = connection.send_command

        def struck(*args, **kwargs):
            send(*args, **kwargs)
            raise Struck

        connection.send_command = struck
        with pytest.raises(Struck):
            pipe.get("key1")
        connection.send_command = send
        # Its watch is gone with the connection: all of it must begin anew.
        with pytest.raises(redis.WatchError):
            pipe.get("key2")
    client.close()


def raise_in(thread, kind):
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(kind)) <= 1


@pytest.mark.parametrize("connected", [native, pooled], ids=lambda way: way.__name__)
def test_an_exception_raised_into_threads_costs_no_slot_and_mixes_up_no_reply(url, connected):
    client = connected(url, decode_responses=True, max_connections=4, socket_timeout=2)
    fill(client)
    over, wrong, failed = threading.Event(), [], []
    struck = [0] * 4

    def work(place):
        dice = random.Random(place)
        while not over.is_set():
            try:
                while not over.is_set():
                    check(client, dice, wrong)
            except Struck:
                struck[place] += 1

    def keep_working(place):
        while not over.is_set():
            try:
                work(place)
            except Struck:
                pass
            except BaseException as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=keep_working, args=(place,), daemon=True) for place in range(4)]
    for thread in threads:
        thread.start()
    dice = random.Random(11)
    end = time.monotonic() + 1
    while time.monotonic() < end and not failed:
        raise_in(dice.choice(threads), Struck)
        time.sleep(dice.random() * 0.004)
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert (wrong, failed) == ([], [])
    assert sum(struck) > 50
    # Exceptions and the frames that they passed through hold each other.
    gc.collect()
    held = [client.connection_pool.get_connection() for _ in range(4)]
    for connection in held:
        client.connection_pool.release(connection)
    until(lambda: client.connection_pool.stats()["in_use"] == 0, "an end of all calls")
    client.close()


@every_way
def test_a_thousand_signals_a_second_disturb_no_call(url, connected):
    client = connected(url, decode_responses=True)
    fill(client)
    seen = [0]

    def count(*_):
        seen[0] += 1

    before = signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for number in range(2500):
            key = f"key{number % 50}"
            assert client.get(key) == key
            if number % 25 == 0:
                assert client.pipeline().get(key).echo(key * 3000).execute() == [key, key * 3000]
            if number % 500 == 0:
                assert client.blpop("nothing", timeout=0.1) is None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen[0] > 100
    client.close()


@pytest.mark.parametrize("wait", ["blpop", "get_message", "listen", "pool", "outage"])
def test_an_interrupt_ends_a_wait_at_once(server, wait):
    code = textwrap.dedent(
        """
        import os, signal, sys, threading, time
        sys.path.insert(0, sys.argv[1])
        from sync_world import native
        url, wait = sys.argv[2:]
        client = native(url, max_connections=1, socket_timeout=60, ride_out=60)
        client.ping()
        main = threading.get_ident()
        pubsub = client.pubsub()

        def blpop():
            client.blpop("never", timeout=0)
        def get_message():
            pubsub.subscribe("news")
            while True:
                pubsub.get_message(timeout=None)
        def listen():
            pubsub.subscribe("news")
            for _ in pubsub.listen():
                pass
        def pool():
            held = client.connection_pool.get_connection()
            client.connection_pool.get_connection()
        def outage():
            # Nothing listens there.
            os.kill(int(os.environ["SERVER"]), signal.SIGKILL)
            client.get("k")
            client.get("k")

        def strike():
            time.sleep(0.3)
            signal.pthread_kill(main, signal.SIGINT)
        threading.Thread(target=strike, daemon=True).start()
        began = time.monotonic()
        try:
            locals()[wait]()
        except KeyboardInterrupt:
            assert time.monotonic() - began < 10
            print("interrupted")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__), server.url, wait],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "SERVER": str(server.process.pid)},
    )
    assert done.stdout == "interrupted\n", done.stderr


def test_a_handler_that_exits_ends_the_process_with_its_code(shared_server):
    code = textwrap.dedent(
        """
        import signal, sys
        sys.path.insert(0, sys.argv[1])
        from sync_world import native
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        client = native(sys.argv[2])
        client.ping()
        print("ready", flush=True)
        client.blpop("never", timeout=0)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, os.path.dirname(__file__), shared_server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.terminate()
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (7, "", "")
