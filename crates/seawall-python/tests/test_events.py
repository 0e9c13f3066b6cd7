"""Events on their way to the log and to listeners: never at a call's expense, over forks and to the very end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

import seawall
from seawall import events


def until(true: Callable[[], object], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return bool(true())


@pytest.fixture
def heard() -> Iterator[list[seawall.Event]]:
    """Everything that is told during a test."""
    told: list[seawall.Event] = []
    seawall.on_event(told.append)
    yield told
    seawall.off_event(told.append)


def names(told: list[seawall.Event], endpoint: str) -> list[str]:
    return [event.name for event in told if event.endpoint == endpoint]


def client(server, **settings) -> seawall.Redis:
    return seawall.Redis.from_url(server.url, **settings)


def at(server) -> str:
    return f"127.0.0.1:{server.port}"


def test_an_outage_is_told_from_its_start_to_its_end(server, heard, caplog) -> None:
    caplog.set_level(logging.INFO, logger="seawall")
    r = client(server, deadline=1.0)
    r.set("a", 1)
    server.kill()
    began = time.monotonic()
    while "outage.progress" not in names(heard, at(server)):
        assert time.monotonic() - began < 30, names(heard, at(server))
        with contextlib.suppress(redis.RedisError):
            r.get("a")
        time.sleep(0.1)
    server.start()
    assert until(lambda: "outage.end" in names(heard, at(server)))
    assert r.get("a") is None

    told = {event.name: event for event in heard if event.endpoint == at(server)}
    start, progress, end = told["outage.start"], told["outage.progress"], told["outage.end"]
    assert start.cause == "connection-refused" and start.facts["fails"] >= 2
    assert progress.facts["lasting"] >= 10.0
    assert end.facts["lasted"] > progress.facts["lasting"] and end.facts["restarted"] == "yes"
    assert end.facts["failed"] > 0 and end.facts["maybe_ran"] <= 1
    assert start.at < progress.at < end.at <= time.time()
    assert told["policy.answered"].facts["policy"] == "fail"
    with pytest.raises(TypeError):
        end.facts["lasted"] = 0  # type: ignore[index]

    lines = [record.getMessage() for record in caplog.records if record.name == "seawall"]
    assert any(line.startswith(f"outage.start endpoint={at(server)} cause=connection-refused fails=") for line in lines)
    ended = next(line for line in lines if line.startswith("outage.end"))
    for word in ("lasted=", "answered=", "failed=", "maybe_ran=", "restarted=yes"):
        assert word in ended
    record = next(record for record in caplog.records if record.getMessage().startswith("outage.end"))
    assert record.levelno == logging.WARNING and record.seawall.facts["restarted"] == "yes"  # type: ignore[attr-defined]


def test_each_client_tells_what_became_of_its_calls(server, heard, caplog) -> None:
    caplog.set_level(logging.INFO, logger="seawall")
    # Two that share what they know of the server, and no connections.
    idle, busy = client(server, deadline=1.0), client(server, deadline=2.0)
    for one in (idle, busy):
        one.ping()
    server.kill()
    for _ in range(2):
        with pytest.raises(redis.RedisError):
            busy.get("a")
    server.start()
    assert until(lambda: names(heard, at(server)).count("outage.end") == 2)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("outage.end")]
    # The first of them may have been sent before its connection was known to have ended.
    counted = [re.findall(r"(?:failed|maybe_ran)=(\d+)", line) for line in lines]
    assert sorted(sum(map(int, counts)) for counts in counted) == [0, 2]


def test_retries_are_told_with_their_number_and_a_storm_of_them_once_a_second(server, heard, caplog) -> None:
    caplog.set_level(logging.INFO, logger="seawall")
    r = client(server, deadline=5.0, retry_budget=100, attempts=10)
    admin = server.admin()
    r.set("a", 1)
    stop = threading.Event()

    def kill() -> None:
        while not stop.is_set():
            admin.client_kill_filter(_type="normal", skipme=True)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        began = time.monotonic()
        while names(heard, at(server)).count("retry") < 20 and time.monotonic() - began < 20:
            with contextlib.suppress(redis.RedisError):
                r.get("a")
                r.pipeline(transaction=False).get("a").get("b").execute()
    finally:
        stop.set()
        killer.join()
    took = time.monotonic() - began
    retries = [event for event in heard if event.name == "retry"]
    assert len(retries) >= 20
    assert {event.facts["attempt"] for event in retries} >= {2}
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("retry ")]
    causes = {event.cause for event in retries}
    assert 1 <= len(lines) <= (took + 2) * len(causes) and len(lines) < len(retries)
    assert {event.facts["cmd"] for event in retries} <= {"GET", "PIPELINE"}
    assert all(re.search(r" cause=[a-z-]+ cmd=(GET|PIPELINE) attempt=\d+/10 waited_ms=\d+", line) for line in lines)


def test_a_key_or_value_is_in_no_event(server, heard) -> None:
    r = client(server, deadline=0.3)
    r.set("secret-key", "secret-value")
    server.freeze()
    try:
        for name in ("get", "incr"):
            with pytest.raises(redis.RedisError):
                getattr(r, name)("secret-key")
        with pytest.raises(redis.RedisError):
            r.execute_command("secret-key", "secret-value")
    finally:
        server.thaw()
    assert until(lambda: "retry.refused" in names(heard, at(server)))
    assert all("secret" not in f"{event} {dict(event.facts)}" for event in heard)


def test_a_listener_that_raises_is_logged_and_harms_nothing(server, heard, caplog) -> None:
    def raises(event: seawall.Event) -> None:
        raise SystemExit(3)

    seawall.on_event(raises)
    try:
        r = client(server)
        assert r.ping()
        assert until(lambda: "connection.open" in names(heard, at(server)))
        assert until(lambda: any("listener.failed" in record.getMessage() for record in caplog.records))
        server.admin().client_kill_filter(_type="normal", skipme=True)
        assert r.ping()
        assert until(lambda: "connection.lost" in names(heard, at(server)))
    finally:
        seawall.off_event(raises)


def test_a_listener_that_hangs_holds_up_no_call(server) -> None:
    go_on = threading.Event()
    seawall.on_event(wait := lambda event: go_on.wait(30))
    try:
        r = client(server)
        began = time.monotonic()
        for _ in range(200):
            assert r.ping()
        assert time.monotonic() - began < 10
    finally:
        go_on.set()
        seawall.off_event(wait)


def test_the_tender_waits_for_no_interpreter(server, heard) -> None:
    """What it sees while somebody holds the interpreter for seconds is dated by when it saw it."""
    r = client(server)
    r.ping()
    length, took = 10, 0.0
    while took < 0.1:
        length += 1
        # Of a processor's time: how long it takes on a busy machine says nothing of the next.
        began = time.thread_time()
        re.match("(a+)+$", "a" * length + "b")
        took = time.thread_time() - began
    with subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -9 {server.process.pid}"]):
        re.match("(a+)+$", "a" * (length + 5) + "b")
        end = time.time()
    assert until(lambda: "connection.lost" in names(heard, at(server)))
    lost = next(event for event in heard if event.endpoint == at(server) and event.name == "connection.lost")
    assert lost.at < end - 0.5


def test_while_nobody_takes_events_their_number_is_bounded(server) -> None:
    go_on = threading.Event()
    seawall.on_event(wait := lambda event: go_on.wait(60))
    try:
        r = client(server)
        assert r.ping()
        for _ in range(3_000):
            # Each connection that is closed and made is two events.
            connection = r.connection_pool.get_connection()
            connection.disconnect()
            r.connection_pool.release(connection)
            if seawall.stats()["events"]["dropped"]:
                break
        counts = seawall.stats()["events"]
        assert counts["dropped"] > 0 and counts["waiting"] <= 2_048
    finally:
        go_on.set()
        seawall.off_event(wait)
        assert until(lambda: seawall.stats()["events"]["waiting"] == 0, 30)


def test_what_cannot_be_a_listener_is_refused_with_a_word() -> None:
    async def task(event: seawall.Event) -> None: ...

    class Tasks:
        async def __call__(self, event: seawall.Event) -> None: ...

    for wrong in ("listener", task, Tasks()):
        with pytest.raises(TypeError, match="listener"):
            seawall.on_event(wrong)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="no event is called 'outage.strat'; there are: .*outage.start"):
        seawall.on_event(print, names="outage.strat")
    with pytest.raises(ValueError, match="not registered"):
        seawall.off_event(print)


def test_a_listener_hears_the_names_it_asked_for_and_once(server) -> None:
    told: list[str] = []

    @seawall.on_event(names=["connection"])
    def hear(event: seawall.Event) -> None:
        told.append(event.name)

    seawall.on_event(hear, names=["connection.open", "outage"])
    try:
        r = client(server)
        r.ping()
        server.admin().client_kill_filter(_type="normal", skipme=True)
        r.ping()
        assert until(lambda: len(told) >= 2)
        assert set(told) == {"connection.open"} and len(told) == 2
    finally:
        seawall.off_event(hear)


def test_an_event_may_go_to_another_process() -> None:
    event = seawall.Event("outage.start", "h:1", "loading", {"fails": 2})
    copy = pickle.loads(pickle.dumps(event))
    assert str(copy) == str(event) == "outage.start endpoint=h:1 cause=loading fails=2"
    assert dict(copy.facts) == {"fails": 2} and copy.at == event.at


def test_texts_with_spaces_are_quoted_in_a_line() -> None:
    event = seawall.Event("connection.failed", "/tmp/my socket", "unreachable", {"detail": 'no "route"\n'})
    assert str(event) == 'connection.failed endpoint="/tmp/my socket" cause=unreachable detail="no \\"route\\"\\n"'


def test_asyncio_tells_too(server, heard) -> None:
    async def main() -> None:
        r = seawall.asyncio.Redis.from_url(server.url)
        await r.set("a", 1)
        server.admin().client_kill_filter(_type="normal", skipme=True)
        assert await r.get("a") == b"1"
        await r.aclose()

    asyncio.run(main())
    assert until(lambda: "connection.lost" in names(heard, at(server)))


# -- forks and ends --


def run(program: str, *args: str, seconds: float = 30.0, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", textwrap.dedent(program), *args],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **env},
    )


def test_a_forked_child_tells_its_own_events_and_not_its_parents(server) -> None:
    outcome = run(
        """
        import json, os, sys, time, threading, seawall
        told = []
        seawall.on_event(lambda event: told.append((os.getpid(), event.name)), names="connection.open")
        r = seawall.Redis.from_url(sys.argv[1])
        r.ping()
        while not told: time.sleep(0.01)
        # So that events of the parent's wait while it forks.
        hold = threading.Event()
        seawall.on_event(hold_up := lambda event: hold.wait(10))
        other = seawall.Redis.from_url(sys.argv[1] + "?client_name=other")
        other.ping()
        pid = os.fork()
        if pid == 0:
            seawall.off_event(hold_up)
            told.clear()
            assert seawall.stats()["endpoints"] == {}, "the parent's"
            r.ping()
            end = time.monotonic() + 10
            while not told and time.monotonic() < end: time.sleep(0.01)
            time.sleep(0.1)
            ok = [pid for pid, _ in told] == [os.getpid()]
            one = list(seawall.stats()["endpoints"].values())[0]
            os._exit(0 if ok and one["calls"] == 1 else 1)
        _, status = os.waitpid(pid, 0)
        hold.set()
        sys.exit(os.waitstatus_to_exitcode(status))
        """,
        server.url,
    )
    assert outcome.returncode == 0, outcome.stderr


def test_forks_in_the_middle_of_a_storm_of_events_end(server) -> None:
    outcome = run(
        """
        import os, sys, threading, time, seawall
        seawall.on_event(lambda event: None)
        r = seawall.Redis.from_url(sys.argv[1])
        r.ping()  # a fork in the middle of an import is CPython's own affair
        stop = False
        def storm():
            while not stop:
                connection = r.connection_pool.get_connection()
                connection.disconnect()
                r.connection_pool.release(connection)
        threads = [threading.Thread(target=storm) for _ in range(4)]
        for thread in threads: thread.start()
        for number in range(40):
            pid = os.fork()
            if pid == 0:
                told = []
                seawall.on_event(told.append)
                assert r.ping()
                seawall.stats(), seawall.health()
                end = time.monotonic() + 10
                while not told:
                    assert time.monotonic() < end
                    time.sleep(0.005)
                os._exit(0)
            end = time.monotonic() + 20
            while True:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    assert status == 0, status
                    break
                if time.monotonic() > end:
                    os.kill(pid, 9)
                    stop = True
                    sys.exit(f"child {number} hangs")
                time.sleep(0.002)
        stop = True
        for thread in threads: thread.join()
        """,
        server.url,
        seconds=120,
    )
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("how", ["quick", "hanging", "busy"])
def test_an_interpreter_ends_while_events_wait(server, how: str) -> None:
    """Neither an abort of a native frame, nor a hang, nor a lost line where there is time to tell it."""
    outcome = run(
        """
        import logging, os, signal, sys, threading, time, seawall
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        how = sys.argv[2]
        r = seawall.Redis.from_url(sys.argv[1], deadline=0.3)
        r.ping()
        if how == "hanging":
            seawall.on_event(lambda event: time.sleep(60))
        if how == "busy":
            seawall.on_event(lambda event: sum(range(10_000)))
            def spin():
                while True: sum(range(1_000))
            threading.Thread(target=spin, daemon=True).start()
        os.kill(int(sys.argv[3]), signal.SIGKILL)
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            try: r.get("a")
            except Exception: pass
        """,
        server.url,
        how,
        str(server.process.pid),
        seconds=20,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "Fatal" not in outcome.stderr and "panicked" not in outcome.stderr, outcome.stderr
    if how == "quick":
        assert "outage.start" in outcome.stderr


def test_the_last_lines_are_told_at_the_end(server) -> None:
    outcome = run(
        """
        import logging, sys, seawall
        logging.basicConfig(level=logging.DEBUG, format="%(message)s")
        logging.getLogger("redis").setLevel("ERROR")
        r = seawall.Redis.from_url(sys.argv[1])
        sys.setswitchinterval(5)  # the other thread has no turn before the end
        r.ping()
        """,
        server.url,
    )
    assert outcome.returncode == 0 and "connection.open" in outcome.stderr, outcome.stderr


def test_under_gevent_events_are_told_by_a_greenlet_and_in_a_child_too(server) -> None:
    pytest.importorskip("gevent")
    outcome = run(
        """
        from gevent import monkey; monkey.patch_all()
        import gevent, os, signal, sys, redis, seawall
        told = []
        seawall.on_event(lambda event: told.append(event.name), names="outage")
        r = seawall.Redis.from_url(sys.argv[1], deadline=0.5)
        r.ping()
        os.kill(int(sys.argv[2]), signal.SIGKILL)
        def until_told():
            with gevent.Timeout(10):
                while "outage.start" not in told:
                    try: r.ping()
                    except redis.RedisError: pass
                    gevent.sleep(0.02)
        until_told()
        pid = os.fork()
        if pid == 0:
            told.clear()
            until_told()
            os._exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        server.url,
        str(server.process.pid),
    )
    assert outcome.returncode == 0, outcome.stderr


# -- how things stand --


def test_stats_sum_threads_and_loops_and_survive_their_clients(make_server) -> None:
    server = make_server()
    r = client(server)
    for _ in range(3):
        r.ping()

    async def main() -> None:
        task = seawall.asyncio.Redis.from_url(server.url)
        await task.ping()
        assert seawall.stats()["endpoints"][at(server)]["links"] == 2
        await task.aclose()

    asyncio.run(main())
    asyncio.run(main())
    one = seawall.stats()["endpoints"][at(server)]
    assert one["calls"] == 5 and one["answered"] == 5 and one["state"] == "up"
    del r
    import gc

    gc.collect()
    one = seawall.stats()["endpoints"][at(server)]
    assert one["links"] == 0 and one["state"] is None and one["calls"] == 5
    told = seawall.stats()
    assert json.loads(json.dumps(told)) == told


def test_in_an_outage_a_process_is_degraded_and_stays_ready(server) -> None:
    r = client(server, deadline=0.5)
    r.ping()
    mine = lambda: [one for one in seawall.health()["reasons"] if one["endpoint"] == at(server)]  # noqa: E731
    assert mine() == []
    server.kill()
    with pytest.raises(redis.RedisError):
        r.ping()
    assert until(mine)
    health = seawall.health()
    assert health["live"] and health["degraded"]
    [reason] = mine()
    assert reason["reason"] == "outage" and reason["cause"] == "connection-refused" and reason["ready"] is True
    assert health["endpoints"][at(server)] == "down" and json.dumps(health)
    server.start()
    assert until(lambda: not mine())


def test_refused_writes_degrade_and_a_wrong_password_is_not_ready(make_server) -> None:
    server = make_server("--requirepass", "right")
    wrong = seawall.Redis("127.0.0.1", server.port, password="wrong")
    with pytest.raises(redis.AuthenticationError):
        wrong.ping()
    mine = lambda: [one for one in seawall.health()["reasons"] if one["endpoint"] == at(server)]  # noqa: E731
    [reason] = mine()
    assert reason == {"endpoint": at(server), "reason": "turned-away", "cause": "auth-failed", "ready": False}
    assert seawall.health()["ready"] is False
    del wrong
    right = seawall.Redis("127.0.0.1", server.port, password="right", deadline=0.3)
    right.ping()
    assert mine() == []
    right.config_set("min-replicas-to-write", 1)
    with pytest.raises(redis.RedisError):
        right.set("a", 1)
    [reason] = mine()
    assert (reason["reason"], reason["cause"], reason["ready"]) == ("writes-refused", "no-replicas", True)
    assert right.get("a") is None


@pytest.mark.parametrize("how", ["threads", "tasks"])
def test_who_was_turned_away_gets_ready_by_itself(make_server, how: str) -> None:
    server = make_server("--requirepass", "before")
    mine = lambda: [one for one in seawall.health()["reasons"] if one["endpoint"] == at(server)]  # noqa: E731

    def cure() -> None:
        assert mine() and mine()
        redis.Redis(port=server.port, password="before").config_set("requirepass", "after")
        # No call is made: a balancer sends none.
        assert until(lambda: not mine())

    if how == "threads":
        r = seawall.Redis("127.0.0.1", server.port, password="after")
        with pytest.raises(redis.AuthenticationError):
            r.ping()
        cure()
        return

    async def main() -> None:
        r = seawall.asyncio.Redis(host="127.0.0.1", port=server.port, password="after")
        with pytest.raises(redis.AuthenticationError):
            await r.ping()
        await asyncio.to_thread(cure)
        assert await r.ping()
        await r.aclose()

    asyncio.run(main())


def test_events_of_pythons_own_are_told_off_the_callers_thread(heard) -> None:
    here: list[str] = []
    seawall.on_event(lambda event: here.append(threading.current_thread().name), names="observe")
    events.tell(seawall.Event("observe.refused", "h:1", "loading"))
    assert until(lambda: here) and here[0] != threading.current_thread().name


def test_a_wrong_password_on_a_connection_that_was_handed_out_is_named_and_not_said_again(make_server, heard) -> None:
    server = make_server("--requirepass", "right")
    pool = seawall.ConnectionPool(host="127.0.0.1", port=server.port, password="right", protocol=2)
    theirs = redis.Redis(connection_pool=pool)
    assert theirs.ping()
    with pytest.raises(redis.AuthenticationError):
        theirs.auth("wrong")
    assert until(lambda: "retry.refused" in names(heard, at(server)))
    (refused,) = (event for event in heard if event.name == "retry.refused" and event.endpoint == at(server))
    assert (refused.cause, refused.facts["why"], refused.facts["cmd"]) == ("auth-failed", "not-retryable", "AUTH")
    assert "retry" not in names(heard, at(server))
    # After a change of the ACL the server may ask anew who somebody is: HELLO is the same as AUTH to it.
    before = server.admin_with("right").info("commandstats")["cmdstat_auth"]["calls"]
    with pytest.raises(redis.AuthenticationError):
        theirs.auth("wrong")
    assert server.admin_with("right").info("commandstats")["cmdstat_auth"]["calls"] - before == 2, "ours, and the admin's"


def test_a_server_that_wants_a_password_is_not_asked_again_over_a_connection_that_was_handed_out(make_server, heard) -> None:
    server = make_server("--requirepass", "right")
    # In RESP2 nothing of the greeting needs a password.
    pool = seawall.ConnectionPool(host="127.0.0.1", port=server.port, protocol=2)
    theirs = redis.Redis(connection_pool=pool)
    began = time.monotonic()
    with pytest.raises(redis.AuthenticationError):
        theirs.set("a", 1)
    assert time.monotonic() - began < 3, "not until the deadline"
    assert server.admin_with("right").info("commandstats")["cmdstat_set"]["rejected_calls"] == 1
    assert until(lambda: "retry.refused" in names(heard, at(server)))
    (refused,) = (event for event in heard if event.name == "retry.refused" and event.endpoint == at(server))
    assert (refused.cause, refused.facts["why"]) == ("auth-required", "not-retryable")
