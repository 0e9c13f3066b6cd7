"""``SEAWALL=on|observe|off``: each in processes of its own, since it is read at import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest


def run(mode: str, program: str, *args: str, seconds: float = 60.0) -> Any:
    """What the program prints last, read as JSON."""
    outcome = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *args],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "SEAWALL": mode},
    )
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout.splitlines()[-1])


@pytest.mark.parametrize("wrong", ["of", "true", "1", "observe,off"])
def test_a_wrong_value_is_told_with_those_that_there_are(wrong: str) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", "import seawall"], capture_output=True, text=True, env={**os.environ, "SEAWALL": wrong}
    )
    assert outcome.returncode == 1
    last = outcome.stderr.splitlines()[-1]
    assert last.startswith(f"ValueError: SEAWALL={wrong!r}") and all(word in last for word in ("on (", "observe (", "off ("))


@pytest.mark.parametrize("value,mode", [("", "on"), (" On ", "on"), ("OFF", "off"), ("Observe", "observe")])
def test_case_and_blanks_do_not_matter(value: str, mode: str) -> None:
    assert run(value, "import json, seawall; print(json.dumps(seawall.stats()['mode']))") == mode


CLASSES = """
    import asyncio, json, sys, threading, redis, redis.asyncio, seawall, seawall.asyncio, seawall.sentinel
    from redis.client import Pipeline
    url, port = sys.argv[1] + "?deadline=2s&pool_size=4", int(sys.argv[1].rpartition(":")[2].partition("/")[0])
    made = seawall.Redis("127.0.0.1", port, deadline=1.5, ride_out=0.2)
    for r in (made, seawall.Redis.from_url(url), seawall.from_url(url, max_connections=3),
              seawall.Redis(connection_pool=seawall.BlockingConnectionPool.from_url(url)),
              redis.Redis(connection_pool=seawall.ConnectionPool.from_url(url, deadline=1.0)),
              seawall.Redis.from_url(url, single_connection_client=True)):
        assert isinstance(r, redis.Redis)
        assert isinstance(r.connection_pool, (seawall.ConnectionPool, seawall.BlockingConnectionPool))
        assert r.set("a", 1) and r.get("a") == b"1"
        pipe = r.pipeline()
        assert isinstance(pipe, Pipeline) and pipe.get("a").incr("a").execute() == [b"1", 2]
        with r.lock("l", timeout=1): pass
        r.connection_pool.stats()["state"]
        connection = r.connection_pool.get_connection()
        assert isinstance(connection, seawall.Connection) and isinstance(connection, redis.Connection)
        r.connection_pool.release(connection)
    assert isinstance(made, seawall.Redis)
    with seawall.deadline(5): made.ping()
    seawall.sentinel.Sentinel([("127.0.0.1", port)])

    async def main():
        for r in (seawall.asyncio.Redis(host="127.0.0.1", port=port, deadline=1.5), seawall.asyncio.Redis.from_url(url),
                  redis.asyncio.Redis(connection_pool=seawall.asyncio.BlockingConnectionPool.from_url(url)),
                  redis.asyncio.Redis(connection_pool=seawall.asyncio.ConnectionPool.from_url(url))):
            assert isinstance(r, redis.asyncio.Redis)
            assert isinstance(r.connection_pool, (seawall.asyncio.ConnectionPool, seawall.asyncio.BlockingConnectionPool))
            assert await r.set("a", 1) and await r.get("a") == b"1"
            assert await r.pipeline().get("a").incr("a").execute() == [b"1", 2]
            await r.aclose()
    asyncio.run(main())
"""


@pytest.mark.parametrize("mode", ["on", "observe", "off"])
def test_names_types_and_settings_are_good_in_every_mode(url: str, mode: str) -> None:
    program = textwrap.dedent(CLASSES) + "\nprint(json.dumps([seawall.stats(), seawall.health()]))"
    stats, health = run(mode, program, url)
    assert stats["mode"] == health["mode"] == mode
    assert health["live"] and health["ready"] and not health["degraded"]
    assert bool(stats["endpoints"]) == (mode != "off")


def test_off_is_redis_pys_own_code_all_along(url: str) -> None:
    program = textwrap.dedent(CLASSES) + textwrap.dedent(
        """
        import os
        assert seawall.Redis._execute_command is redis.Redis._execute_command
        assert seawall.Redis.pipeline is redis.Redis.pipeline
        assert seawall.asyncio.Redis.execute_command is redis.asyncio.Redis.execute_command
        for ours in (seawall.Redis, seawall.asyncio.Redis):
            assert {name for name in vars(ours) if not name.startswith("__")} <= {"from_url", "pubsub"}
        for ours, theirs in ((seawall.ConnectionPool, redis.ConnectionPool), (seawall.Connection, redis.Connection),
                             (seawall.asyncio.ConnectionPool, redis.asyncio.ConnectionPool),
                             (seawall.asyncio.Connection, redis.asyncio.Connection)):
            assert theirs in ours.__mro__
            own = {name for kind in ours.__mro__[: ours.__mro__.index(theirs)] for name in vars(kind)}
            own = {name for name in own if not name.startswith("__") or name == "__init__"}
            assert own & vars(theirs).keys() <= {"__init__", "_abc_impl"}, (ours, own)
        assert made.get_retry() == redis.Redis().get_retry()
        assert made.connection_pool.connection_kwargs.keys() - redis.Redis().connection_pool.connection_kwargs.keys() <= {
            "deadline", "ride_out"}
        threads = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
        print(json.dumps([threads, threading.active_count()]))
        """
    )
    threads, count = run("off", program, url)
    assert "seawall-tender" not in threads and "seawall-events" not in threads and count == 1


LOST = """
    import asyncio, json, logging, os, redis, redis.asyncio, signal, sys, threading, time, seawall
    from redis.backoff import ConstantBackoff
    how, url, server = sys.argv[1], sys.argv[2], int(sys.argv[3])
    lines = []
    logging.getLogger("seawall").setLevel(logging.INFO)
    logging.getLogger("seawall").addHandler(type("H", (logging.Handler,), {"emit": lambda _, r: lines.append(r.getMessage())})())
    def frozen(seconds):
        os.kill(server, signal.SIGSTOP)
        threading.Timer(seconds, os.kill, (server, signal.SIGCONT)).start()
    if how == "threads":
        r = seawall.Redis.from_url(url, socket_timeout=0.3, retry=redis.retry.Retry(ConstantBackoff(0.1), 5))
        r.set("n", 0)
        frozen(0.7)
        n = r.incr("n")
        frozen(0.7)
        r.get("n")
        frozen(0.7)
        r.pipeline().incr("n").execute()
    else:
        async def main():
            r = seawall.asyncio.Redis.from_url(url, socket_timeout=0.3, retry=redis.asyncio.retry.Retry(ConstantBackoff(0.1), 5))
            await r.set("n", 0)
            frozen(0.7)
            n = await r.incr("n")
            frozen(0.7)
            await r.get("n")
            frozen(0.7)
            await r.pipeline().incr("n").execute()
            await r.aclose()
            return n
        n = asyncio.run(main())
    time.sleep(0.3)
    print(json.dumps([n, list(seawall.stats()["endpoints"].values())[0], lines, seawall.prometheus.text()]))
"""


@pytest.mark.parametrize("how", ["threads", "tasks"])
def test_observe_counts_the_writes_that_redis_py_doubled(server, how: str) -> None:
    n, one, lines, metrics = run("observe", LOST, how, server.url, str(server.process.pid))
    assert n >= 2, "redis-py is as it is"
    seen = one["observed"]
    assert seen["unfit"] is None
    assert seen["doubled"]["INCRBY"] >= 2 and seen["retried"] > seen["doubled"]["INCRBY"]
    assert seen["lost"]["reply-timeout"] == seen["may_have_run"] == seen["would_retry"] + seen["would_not_retry"]
    assert seen["would_retry"] >= 1, "the GET"
    assert seen["failed"] == {}
    assert one["calls"] == 0, "the engine carried none"
    assert any(line.startswith("observe.doubled") and "cmd=INCRBY" in line and "attempt=2" in line for line in lines)
    assert any(line.startswith("outage.suspected") for line in lines)
    assert 'what="doubled"' in metrics


def test_observe_knows_an_outage_and_what_would_have_been_refused(server) -> None:
    one, health, doubled = run(
        "observe",
        """
        import json, os, redis, signal, sys, time, seawall
        r = seawall.Redis.from_url(sys.argv[1], socket_timeout=0.5)
        r.ping()
        os.kill(int(sys.argv[2]), signal.SIGKILL)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try: r.incr("n")
            except redis.RedisError as error: assert type(error).__module__ == "redis.exceptions", error
            time.sleep(0.05)
        one = list(seawall.stats()["endpoints"].values())[0]
        print(json.dumps([one, seawall.health(), one["observed"]["doubled"]]))
        """,
        server.url,
        str(server.process.pid),
    )
    assert health["degraded"] and health["ready"]
    assert one["state"] == "down" and one["cause"] == "connection-refused" and one["outages"] == 1
    seen = one["observed"]
    assert seen["would_refuse"] >= 5 and seen["would_refuse_answered"] == 0
    assert seen["failed"]["connection-refused"] >= 5
    assert doubled == {}


def test_observe_harms_nothing_where_seawall_could_not_work(url: str) -> None:
    """Settings that Seawall would refuse are told, and the application goes on."""
    one = run(
        "observe",
        """
        import json, sys, seawall
        r = seawall.Redis.from_url(sys.argv[1] + "?deadline=nonsense")
        assert r.ping() and seawall.Redis.from_url(sys.argv[1], deadline=-1).ping()
        print(json.dumps(list(seawall.stats()["endpoints"].values())[0]["observed"]))
        """,
        url,
    )
    assert "deadline" in one["unfit"] and one["requests"] == 2


def test_observe_counts_anew_in_a_forked_child(url: str) -> None:
    before, after = run(
        "observe",
        """
        import json, os, sys, seawall
        r = seawall.Redis.from_url(sys.argv[1])
        for _ in range(3): r.ping()
        seen = lambda: list(seawall.stats()["endpoints"].values())[0]["observed"]["requests"]
        ours, theirs = os.pipe()
        if os.fork() == 0:
            r.ping()
            os.write(theirs, str(seen()).encode())
            os._exit(0)
        print(json.dumps([seen(), int(os.read(ours, 9))]))
        """,
        url,
    )
    assert (before, after) == (3, 1)


@pytest.mark.parametrize("mode", ["on", "observe", "off"])
def test_celery_is_joined_as_far_as_the_mode_goes(mode: str) -> None:
    pytest.importorskip("kombu")
    found = run(
        mode,
        """
        import json, kombu.transport.redis as k
        before = k.Channel.connection_class, k.Channel._put, k.QoS.ack
        import seawall, seawall.celery
        seawall.celery.install()
        seawall.celery.install()
        print(json.dumps([a is b for a, b in zip(before, (k.Channel.connection_class, k.Channel._put, k.QoS.ack))]))
        """,
    )
    assert found == {"on": [False, False, False], "observe": [False, True, True], "off": [True, True, True]}[mode]


@pytest.mark.parametrize("mode", ["on", "observe", "off"])
def test_django_takes_the_pool_class_in_every_mode(url: str, mode: str) -> None:
    pytest.importorskip("django")
    name = run(
        mode,
        """
        import json, sys, seawall
        from django.conf import settings
        settings.configure(CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": sys.argv[1], "OPTIONS": {"pool_class": "seawall.ConnectionPool", "deadline": 1.0}}})
        from django.core.cache import cache
        cache.set("a", 1)
        assert cache.get("a") == 1 and cache.incr("a") == 2
        pool = cache._cache._get_connection_pool(True)
        assert isinstance(pool, seawall.ConnectionPool)
        print(json.dumps(type(pool).__module__))
        """,
        url,
    )
    assert name == ("seawall.pool" if mode == "on" else "seawall._plain")
