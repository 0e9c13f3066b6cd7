"""Scenes of greenlets, each in a process of its own, since patching is for ever: `greenlet_world.py gevent SCENE plain|tls`."""

from __future__ import annotations

import sys

LIBRARY, SCENE, LINE = sys.argv[1:4]

if SCENE.startswith("late_"):
    import seawall

if LIBRARY == "gevent":
    import gevent.monkey

    if not SCENE.startswith("late_"):
        gevent.monkey.patch_all()
else:
    import eventlet

    eventlet.monkey_patch()

import atexit
import collections
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import seawall
from real_servers import Server, TlsServer

errors = seawall.errors

if LIBRARY == "gevent":
    import gevent

    Timeout, GreenletExit = gevent.Timeout, gevent.GreenletExit
    spawn, sleep = gevent.spawn, gevent.sleep

    def result(green: Any) -> Any:
        return green.get()
else:
    from greenlet import GreenletExit

    Timeout = eventlet.Timeout
    spawn, sleep = eventlet.spawn, eventlet.sleep

    def result(green: Any) -> Any:
        return green.wait()


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    return [result(green) for green in [spawn(work, number) for number in range(count)]]


class Ticker:
    """Counts how often it had its turn: a hub that is held up has none to give."""

    def __init__(self) -> None:
        self.turns = 0
        self.green = spawn(self.run)

    def run(self) -> None:
        while True:
            self.turns += 1
            sleep(0.01)

    def during(self, work: Callable[[], Any]) -> int:
        before = self.turns
        work()
        return self.turns - before

    def after(self, turns: int, work: Callable[[], Any]) -> None:
        """Works as soon as it has had so many turns more."""
        enough = self.turns + turns

        def wait() -> None:
            while self.turns < enough:
                sleep(0.01)
            work()

        spawn(wait)


def client(server: Server, **options: Any) -> seawall.Redis:
    return seawall.Redis.from_url(server.url, **options)


def rests(r: seawall.Redis) -> bool:
    stats = r.connection_pool.stats()
    return stats["in_use"] == 0 and stats["waiting"] == 0


# -- scenes --


def a_blocking_command_holds_up_nobody(server: Server) -> None:
    r = client(server)
    popping = spawn(r.blpop, "queue", 60)
    sleep(0.05)

    def work(number: int) -> None:
        for turn in range(10):
            r.set(f"key:{number}", f"{number}.{turn}")
            assert r.get(f"key:{number}") == f"{number}.{turn}".encode()

    together(100, work)
    r.rpush("queue", "one")
    assert result(popping) == (b"queue", b"one")
    assert rests(r)


def a_slow_server_holds_up_no_greenlet(server: Server) -> None:
    r = client(server, ride_out=5)
    ticker = Ticker()
    answers = [spawn(r.execute_command, "DEBUG", "SLEEP", 1), *(spawn(r.ping) for _ in range(50))]
    turns = ticker.during(lambda: [result(answer) for answer in answers])
    assert turns >= 5, turns


def a_timeout_at_any_point_leaves_each_reply_to_its_own_greenlet(server: Server) -> None:
    r = client(server, max_connections=8)
    seen: collections.Counter[str] = collections.Counter()
    longest = 0.02

    def work(number: int) -> None:
        dice = random.Random(number)
        for turn in range(40):
            mark = f"{number}.{turn}"
            timeout = Timeout(dice.uniform(0, longest))
            try:
                with timeout:
                    r.set(f"key:{number}", mark)
                    assert r.get(f"key:{number}") == mark.encode()
                    assert r.echo(mark) == mark.encode()
                    with r.pipeline(transaction=bool(turn % 2)) as pipe:
                        assert pipe.echo(mark).get(f"key:{number}").execute() == [mark.encode()] * 2
                seen["answered"] += 1
            except Timeout as error:
                assert error is timeout, "somebody else's"
                seen["timeout"] += 1

    together(30, work)
    while seen["answered"] < 10 and longest < 1:
        # A machine with much else to do.
        longest *= 3
        together(30, work)
    assert seen["timeout"] >= 10 and seen["answered"] >= 10, seen
    assert rests(r)
    assert together(20, lambda number: r.echo(str(number))) == [str(number).encode() for number in range(20)]


def a_reply_that_came_while_another_held_the_hub_up_is_read(server: Server) -> None:
    with client(server, socket_timeout=0.5) as r:
        connection = r.connection_pool.get_connection()
        for _ in range(3):
            connection.send_command("BLPOP", "nothing", "0.2")

            def hold_up() -> None:
                until = time.monotonic() + 1.0
                while time.monotonic() < until:
                    pass

            held_up = spawn(hold_up)
            # It came after 0.2 s; the timer of half a second and the reply are found together.
            assert connection.read_response(timeout=0.5) is None
            result(held_up)
        r.connection_pool.release(connection)


def a_killed_greenlet_takes_nobodys_reply_along(server: Server) -> None:
    r = client(server, max_connections=6)
    wrong: list[Any] = []

    def work(number: int) -> None:
        turn = 0
        while True:
            turn += 1
            mark = f"{number}.{turn}"
            try:
                if r.echo(mark) != mark.encode():
                    wrong.append(mark)
            except GreenletExit:
                raise
            except BaseException as error:
                wrong.append(error)

    for round in range(10):
        greens = [spawn(work, number) for number in range(40)]
        sleep(0.02)
        for green in greens:
            green.kill()
    assert wrong == []
    assert rests(r)
    assert r.connection_pool.stats()["failed"]["cancelled"] > 0
    assert r.echo("end") == b"end"


def a_full_pool_is_waited_for_without_holding_up_the_others(server: Server) -> None:
    r = client(server, max_connections=2, socket_timeout=10)
    ticker = Ticker()
    # Plain commands: parked in the engine.
    slow = [spawn(r.execute_command, "DEBUG", "SLEEP", 0.1) for _ in range(4)]
    sleep(0.01)
    with Timeout(0.05, False):
        r.ping()
        raise AssertionError("the timeout did not come")
    assert ticker.during(lambda: [result(green) for green in slow]) >= 3

    # What takes connections from redis-py's pool: parked there.
    def transaction(number: int) -> Any:
        with r.pipeline() as pipe:
            return pipe.incr("counter").echo(str(number)).execute()[1]

    assert together(40, transaction) == [str(number).encode() for number in range(40)]
    assert r.get("counter") == b"40"

    def held(seconds: float) -> None:
        connection = r.connection_pool.get_connection()
        sleep(seconds)
        r.connection_pool.release(connection)

    # Told of a free connection and called away at the same moment, again and again: it is the next one's. Eventlet's own
    # locks lose such a word.
    for _ in range(30 if LIBRARY == "gevent" else 0):
        holders = [spawn(held, 0.005) for _ in range(2)]
        sleep(0)

        def impatient(_: int) -> None:
            with Timeout(0.005, False):
                held(0)

        waiting = [spawn(impatient, number) for number in range(3)] + [spawn(held, 0) for _ in range(3)]
        with Timeout(5):
            for green in holders + waiting:
                result(green)
    assert rests(r)


def a_killed_server_is_survived_and_nothing_is_counted_twice(server: Server) -> None:
    r = client(server, socket_timeout=2)
    ticker = Ticker()
    seen: collections.Counter[str] = collections.Counter()
    stop = False

    def work(number: int) -> None:
        while not stop:
            try:
                r.incr("counter")
                seen["counted"] += 1
            except errors.SeawallError as error:
                seen["maybe" if error.may_have_run else "not"] += 1
                sleep(0.01)

    greens = [spawn(work, number) for number in range(50)]
    for _ in range(2):
        sleep(0.2)
        turns = ticker.during(lambda: (server.kill(), sleep(1), server.start()))
        assert turns >= 5, turns
        before = seen["counted"]
        with Timeout(20):
            while seen["counted"] < before + 200:
                sleep(0.01)
    stop = True
    for green in greens:
        result(green)
    counted = int(r.get("counter"))
    assert seen["counted"] <= counted <= seen["counted"] + seen["maybe"], (counted, seen)
    assert seen["not"] > 0, seen


def a_frozen_server_holds_up_no_greenlet_beyond_its_deadline(server: Server) -> None:
    r = client(server, deadline=1)
    together(20, lambda number: r.echo(str(number)))
    ticker = Ticker()
    server.freeze()

    def call(number: int) -> Any:
        began = time.monotonic()
        try:
            r.incr("counter")
        except errors.SeawallError as error:
            assert time.monotonic() - began < 10, "until its deadline"
            return error
        raise AssertionError("nobody answers")

    failed: list[Any] = []
    assert ticker.during(lambda: failed.extend(together(50, call))) >= 5
    # What was never sent says so: the others may run when the server goes on.
    maybe = sum(error.may_have_run for error in failed)
    assert maybe < len(failed)
    server.thaw()
    with Timeout(20):
        while True:
            try:
                r.ping()
                break
            except errors.SeawallError:
                sleep(0.05)
    assert int(r.get("counter") or 0) <= maybe
    assert together(20, lambda number: r.echo(str(number))) == [str(n).encode() for n in range(20)]


def messages_are_heard_while_the_others_go_on(server: Server) -> None:
    r = client(server, decode_responses=True)
    got: list[str] = []

    def listen() -> None:
        with r.pubsub() as subscriber:
            subscriber.subscribe("news")
            for message in subscriber.listen():
                if message["type"] == "message":
                    got.append(message["data"])
                    if message["data"] == "end":
                        return

    listening = spawn(listen)
    with r.pubsub() as other:
        other.subscribe("quiet")
        assert other.get_message(timeout=30)["type"] == "subscribe"
        assert other.get_message(timeout=0.05) is None
        # Its message is sent only if the others have their turns while it waits.
        Ticker().after(10, lambda: r.publish("quiet", "heard"))
        assert other.get_message(timeout=30)["data"] == "heard"
        try:
            with Timeout(0.05) as timeout:
                other.get_message(timeout=30)
            raise AssertionError("the timeout did not come")
        except Timeout as error:
            assert error is timeout
    while r.publish("news", "first") == 0:
        sleep(0.01)
    together(50, lambda number: r.publish("news", str(number)))
    r.publish("news", "end")
    result(listening)
    assert sorted(got[got.index("first") + 1 : -1]) == sorted(str(number) for number in range(50))
    killed = spawn(listen)
    sleep(0.05)
    killed.kill()
    heard: list[Any] = []
    threaded = r.pubsub()
    threaded.subscribe(**{"news": heard.append})
    worker = threaded.run_in_thread(sleep_time=0.01)
    while not heard:
        r.publish("news", "to a thread")
        sleep(0.01)
    worker.stop()
    worker.join(10)
    assert not worker.is_alive()


def locks_and_transactions_hold_between_greenlets(server: Server) -> None:
    r = client(server)
    inside = 0

    def locked(number: int) -> None:
        nonlocal inside
        with r.lock("lock", timeout=30, sleep=0.001):
            inside += 1
            assert inside == 1
            value = int(r.get("counter") or 0)
            sleep(0)
            r.set("counter", value + 1)
            inside -= 1

    together(20, locked)
    assert r.get("counter") == b"20"

    def watched(number: int) -> None:
        def raised(pipe: Any) -> None:
            value = int(pipe.get("sum") or 0)
            sleep(0)
            pipe.multi()
            pipe.set("sum", value + number)

        r.transaction(raised, "sum")

    together(10, watched)
    assert r.get("sum") == str(sum(range(10))).encode()


def large_values_are_written_and_read_in_turns(server: Server) -> None:
    r = client(server, socket_timeout=30)
    ticker = Ticker()
    values = [bytes([65 + number]) * 20_000_000 for number in range(3)]

    def work(number: int) -> None:
        r.set(f"large:{number}", values[number])
        assert r.get(f"large:{number}") == values[number]

    assert ticker.during(lambda: together(3, work)) >= 2


def threads_with_and_without_hubs(server: Server) -> None:
    r = client(server)
    if LIBRARY == "gevent":
        start = gevent.monkey.get_original("_thread", "start_new_thread")
        lock = gevent.monkey.get_original("_thread", "allocate_lock")
    else:
        original = eventlet.patcher.original("_thread")
        start, lock = original.start_new_thread, original.allocate_lock
    failed: list[Any] = []

    def thread(work: Callable[[], None]) -> Any:
        done = lock()
        done.acquire()

        def run() -> None:
            try:
                work()
            except BaseException as error:
                failed.append(error)
            finally:
                done.release()

        start(run, ())
        return done

    def alone() -> None:
        for number in range(200):
            assert r.echo(str(number)) == str(number).encode()

    def with_greenlets() -> None:
        popping = spawn(r.blpop, f"queue:{id(spawn)}", 60)
        sleep(0.01)
        together(10, lambda number: [r.echo(str(number)) for _ in range(20)])
        popping.kill()

    threads = [thread(alone) for _ in range(3)] + [thread(with_greenlets) for _ in range(3)]
    together(20, lambda number: [r.echo(str(number)) for _ in range(20)])
    if LIBRARY == "gevent":
        pool = gevent.get_hub().threadpool
        answers = [pool.spawn(r.echo, str(number)) for number in range(20)]
        assert [answer.get() for answer in answers] == [str(number).encode() for number in range(20)]
    else:
        from eventlet import tpool

        assert tpool.execute(r.echo, "pool") == b"pool"
    for done in threads:
        while not done.acquire(False):
            sleep(0.01)
    assert failed == []


def the_hub_itself_may_call(server: Server) -> None:
    r = client(server)
    r.set("key", "value")
    got: list[Any] = []
    if LIBRARY == "gevent":
        gevent.get_hub().loop.run_callback(lambda: got.append(r.get("key")))
    else:
        eventlet.hubs.get_hub().schedule_call_global(0, lambda: got.append(r.get("key")))
    other = spawn(r.get, "key")
    while not got:
        sleep(0.01)
    assert got == [b"value"] and result(other) == b"value"


def a_fork_with_calls_under_way_leaves_the_parent_its_replies(server: Server) -> None:
    r = client(server)
    popping = [spawn(r.blpop, f"queue:{number}", 60) for number in range(5)]
    subscriber = r.pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe("news")
    while not subscriber.subscribed or subscriber.get_message(timeout=0.1) is not None:
        pass
    hearing = spawn(subscriber.get_message, timeout=60)
    sleep(0.05)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with Timeout(20):
                assert r.echo("child") == b"child"
                for number in range(5):
                    # Wakes the parent's greenlet and, since it shares its socket, the copy here if that comes first.
                    r.rpush(f"queue:{number}", f"for the parent {number}")
                r.publish("news", "for the parent")
                sleep(0.2)
                for green in [*popping, hearing]:
                    assert not green.successful(), green.value
                    causes = "cancelled", "client-closed"
                    assert green.exception is None or green.exception.cause in causes, green.exception
                assert together(10, lambda number: r.echo(str(number))) == [str(n).encode() for n in range(10)]
            status = 0
        finally:
            if status:
                import traceback

                traceback.print_exc()
            os._exit(status)
    with Timeout(20):
        for number, green in enumerate(popping):
            assert result(green) == (f"queue:{number}".encode(), f"for the parent {number}".encode())
        assert result(hearing)["data"] == b"for the parent"
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert r.echo("parent") == b"parent"


def late_a_program_that_waits_for_its_greenlets_ends(server: Server) -> None:
    # Late: gevent watches the processes that it starts, such as the server, and would wait for that.
    gevent.monkey.patch_all()
    heard: list[Any] = []
    seawall.on_event(heard.append)
    r = client(server)
    setting = spawn(r.set, "key", "value")
    assert gevent.wait(timeout=30), "something keeps the hub at work"
    assert setting.value is True
    # What happens is told all the same.
    with Timeout(20):
        while not heard:
            sleep(0.01)


def a_process_ends_with_calls_under_way(server: Server) -> None:
    r = client(server)
    for number in range(20):
        spawn(r.blpop, f"queue:{number}", 600)
    sleep(0.05)
    assert r.ping()
    # The server outlives them.
    atexit.register(server.process.kill)
    server.end = lambda: None  # type: ignore[method-assign]


def a_signal_ends_a_call_and_its_connection(server: Server) -> None:
    import signal

    r = client(server)
    spawn(lambda: (sleep(0.1), os.kill(os.getpid(), signal.SIGINT)))
    try:
        r.blpop("queue", 60)
        raise AssertionError("the signal was not served")
    except KeyboardInterrupt:
        pass
    assert r.echo("after") == b"after"


def late_patching_is_seen(server: Server) -> None:
    r = client(server, max_connections=2)
    assert r.echo("before") == b"before"
    with r.pipeline() as pipe:
        pipe.ping().execute()
    gevent.monkey.patch_all()
    a_blocking_command_holds_up_nobody(server)
    popping = spawn(r.blpop, "queue", 60)
    sleep(0.05)
    assert r.echo("after") == b"after"
    r.rpush("queue", "one")
    assert result(popping) == (b"queue", b"one")

    def held(number: int) -> None:
        connection = r.connection_pool.get_connection()
        sleep(0.02)
        r.connection_pool.release(connection)

    # The locks of its pool are of the time before.
    ticker = Ticker()
    assert ticker.during(lambda: together(20, held)) >= 3


kind = TlsServer if LINE == "tls" else Server
try:
    server = kind("--enable-debug-command", "yes", save="killed" in SCENE).start()
except RuntimeError as error:
    if LINE == "tls" and "tls" in str(error):
        print("the server was built without TLS")
        sys.exit()
    raise
try:
    globals()[SCENE](server)
finally:
    server.end()
print("well")
