"""Metrics for Prometheus: of one process, and of all processes of an application."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import redis
from real_servers import free_port

import seawall
from seawall import _share


def until(true: Callable[[], object], seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return bool(true())


def parsed(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """As prometheus_client reads it."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return parsed(text).get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No test leaves a shared directory to the next."""
    yield
    _share._here = None


def test_text_is_what_prometheus_reads(server) -> None:
    at = f"127.0.0.1:{server.port}"
    assert at not in seawall.prometheus.text(), "what other tests counted there would be told with ours"
    r = seawall.Redis.from_url(server.url, deadline=0.3)
    for _ in range(3):
        r.ping()
    server.freeze()
    with pytest.raises(redis.TimeoutError):
        r.incr("secret-key", 171_717_171_717)  # More digits than any measured time has.
    assert until(lambda: seawall.stats()["endpoints"][at]["state"] == "down")
    with pytest.raises(redis.RedisError):
        r.ping()
    text = seawall.prometheus.text()
    server.thaw()
    assert value(text, "seawall_calls_total", endpoint=at, outcome="answered") == 3
    assert value(text, "seawall_calls_total", endpoint=at, outcome="failed") == 2
    assert value(text, "seawall_outcome_unknown_total", endpoint=at) == 1
    assert value(text, "seawall_retries_total", endpoint=at, outcome="refused") == 1
    assert value(text, "seawall_outage_answers_total", endpoint=at, policy="fail") == 1
    assert value(text, "seawall_breaker_state", endpoint=at) == 2
    assert value(text, "seawall_outages_total", endpoint=at) == 1
    assert value(text, "db_client_connection_max", db_client_connection_pool_name=at) == 100
    lost = [key for key in parsed(text) if key[0] == "seawall_disconnects_total" and ("endpoint", at) in key[1]]
    assert lost and all(dict(labels)["cause"] for _, labels in lost)
    assert "secret" not in text and "171717171717" not in text
    assert re.search(r"^# TYPE seawall_disconnects_total counter$", text, re.M)


def test_times_of_connections_are_histograms(server) -> None:
    at = f"127.0.0.1:{server.port}"
    pool = {"db_client_connection_pool_name": at}
    r = seawall.Redis.from_url(server.url, pool_size=1, deadline=10)
    r.ping()
    # One call has the only connection for a while, the other one waits for it.
    server.freeze()
    threads = [threading.Thread(target=r.ping) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.6)
    server.thaw()
    for thread in threads:
        thread.join()
    text = seawall.prometheus.text()
    found = {name: seawall.stats()["endpoints"][at][name] for name in ("create_time", "wait_time", "use_time")}
    for name, times in found.items():
        metric = f"db_client_connection_{name}_seconds"
        assert re.search(rf"^# TYPE {metric} histogram$", text, re.M)
        assert value(text, f"{metric}_count", **pool) == times["count"] > 0
        assert value(text, f"{metric}_sum", **pool) == pytest.approx(times["sum"])
        buckets = [number for (sample, labels), number in parsed(text).items()
                   if sample == f"{metric}_bucket" and ("db_client_connection_pool_name", at) in labels]
        assert len(buckets) == 16 and buckets == sorted(buckets) and buckets[-1] == times["count"]
    assert found["create_time"]["count"] == seawall.stats()["endpoints"][at]["dialled"]
    assert 0.5 < found["use_time"]["sum"] < 5
    assert sum(count for bound, (count, _) in found["wait_time"]["buckets"].items() if float(bound) > 0.25) >= 1


def test_the_collector_tells_prometheus_client_the_same(url) -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    r = seawall.Redis.from_url(url)
    r.ping()
    registry = CollectorRegistry()
    assert seawall.prometheus.register(registry) is seawall.prometheus.register(registry)
    assert generate_latest(registry).count(b"# TYPE seawall_calls_total ") == 1

    def ours(text: str) -> dict[Any, float]:
        # Clients that other tests left behind go on looking for their servers.
        at = seawall.stats()["endpoints"].keys() & {url.removeprefix("redis://").removesuffix("/0")}
        assert at
        return {key: count for key, count in parsed(text).items() if at & {value for _, value in key[1]}}

    assert ours(generate_latest(registry).decode()) == ours(seawall.prometheus.text()) != {}


def test_text_needs_no_package_and_register_says_which(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    seawall.prometheus.text()
    with pytest.raises(ImportError, match="pip install prometheus-client"):
        seawall.prometheus.register()


def test_labels_are_escaped() -> None:
    assert seawall.prometheus._escaped('a"b\\c\nd') == 'a\\"b\\\\c\\nd'


@pytest.mark.parametrize("name", ["", ".hidden", "a b", "..", "ä"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        seawall.prometheus.share(name)


def test_a_directory_that_somebody_else_made_is_refused(tmp_path, monkeypatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "seawall").symlink_to(elsewhere)
    monkeypatch.setattr(_share, "default_path", lambda name: str(tmp_path / "seawall" / name))
    with pytest.raises(PermissionError, match="not a directory of this user's"):
        seawall.prometheus.share("shop")


def test_a_directory_of_our_own_is_nobody_elses(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_share, "default_path", lambda name: str(tmp_path / "seawall" / name))
    path = seawall.prometheus.share("shop")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700


WORKER = """
    import os, sys, time, seawall
    r = seawall.Redis.from_url(sys.argv[1])
    for _ in range(int(sys.argv[2])): r.ping()
    sys.stdout.write("done\\n"); sys.stdout.flush()
    sys.stdin.readline()
"""


def worker(url: str, calls: int, folder: pathlib.Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WORKER), url, str(calls)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SEAWALL_METRICS_DIR": str(folder)},
    )
    assert process.stdout is not None and process.stdout.readline() == "done\n"
    return process


def test_processes_are_summed_and_what_the_dead_counted_is_kept(server, tmp_path) -> None:
    at = f"127.0.0.1:{server.port}"
    _share.start(str(tmp_path))

    def answered() -> float:
        return value(seawall.prometheus.text(), "seawall_calls_total", endpoint=at, outcome="answered")

    def used() -> float:
        return sum(number for (name, labels), number in parsed(seawall.prometheus.text()).items()
                   if name == "db_client_connection_count" and ("db_client_connection_pool_name", at) in labels)

    first, second = worker(server.url, 3, tmp_path), worker(server.url, 5, tmp_path)
    assert until(lambda: answered() == 8)
    assert used() == 2

    def waited() -> float:
        text = seawall.prometheus.text()
        return value(text, "db_client_connection_wait_time_seconds_count", db_client_connection_pool_name=at)

    assert waited() == 8
    # In order, and by SIGKILL after it had written.
    first.communicate("\n")
    second.kill()
    second.wait()
    assert answered() == 8 and used() == 0 and waited() == 8
    left = [path.name for path in tmp_path.glob("seawall-*.json") if f"-{os.getpid()}-" not in path.name]
    assert left == [], "the dead leave no files behind"
    assert answered() == 8, "nor are they counted twice"
    third = worker(server.url, 2, tmp_path)
    third.communicate("\n")
    assert answered() == 10
    r = seawall.Redis.from_url(server.url)
    r.ping()
    assert answered() == 11, "this process as it is now"


def test_an_end_in_the_middle_of_adding_up_counts_nothing_twice(tmp_path) -> None:
    sample = {"values": {"seawall_outages_total": [[[["endpoint", "h:1"]], 4]]}}
    name = f"seawall-999999-1-{_share._namespace()}.json"
    (tmp_path / name).write_text(json.dumps(sample))
    # Added to the common file already; whoever did it died before he removed the process's.
    (tmp_path / "seawall.dead.json").write_text(json.dumps({"folded": [name], **sample}))
    _share.start(str(tmp_path))
    assert value(seawall.prometheus.text(), "seawall_outages_total", endpoint="h:1") == 4
    assert not (tmp_path / name).exists()


def test_the_dead_leave_no_heap_of_files_though_nobody_asks(server, tmp_path) -> None:
    sample = json.dumps({"values": {"seawall_outages_total": [[[["endpoint", "h:1"]], 4]]}})
    for pid in range(999_900, 1_000_000):
        (tmp_path / f"seawall-{pid}-1-{_share._namespace()}.json").write_text(sample)
    # Of one that died while it wrote, and of one that is writing.
    torn, writing = tmp_path / "seawall-999999-1-2.json.999999.new", tmp_path / "seawall-999998-1-2.json.999998.new"
    for path in (torn, writing):
        path.write_text("{")
    os.utime(torn, (1, 1))
    worker(server.url, 3, tmp_path).communicate("\n")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in left if "-9999" in name] == [writing.name]
    assert len(left) == 4, "its own, that of the dead, the lock, and the one that is being written"
    _share.start(str(tmp_path))
    assert value(seawall.prometheus.text(), "seawall_outages_total", endpoint="h:1") == 400
    assert value(seawall.prometheus.text(), "seawall_calls_total", endpoint=f"127.0.0.1:{server.port}", outcome="answered") == 3


def test_files_that_are_not_ours_or_damaged_harm_nothing(tmp_path, url) -> None:
    (tmp_path / "counter_17.db").write_bytes(b"prometheus_client's")
    (tmp_path / f"seawall-{os.getppid()}-x.json").write_text("{")
    (tmp_path / "seawall-1-2-3.json").write_text('{"values": {"unknown": [[[], 1]], "seawall_outages_total": 7}}')
    (tmp_path / "seawall.dead.json").write_text("[]")
    _share.start(str(tmp_path))
    seawall.Redis.from_url(url).ping()
    assert "seawall_calls_total" in seawall.prometheus.text()
    assert (tmp_path / "counter_17.db").exists()


def test_a_lock_that_is_never_let_go_of_holds_up_no_scrape(tmp_path) -> None:
    import fcntl

    with open(tmp_path / "seawall.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _share.start(str(tmp_path))
        began = time.monotonic()
        seawall.prometheus.text()
        assert time.monotonic() - began < 10


APPLICATION = """
    import os, seawall
    r = seawall.Redis.from_url(os.environ["REDIS_URL"])
    SHARED = os.environ.get("SHARED")
    if SHARED: seawall.prometheus.share(SHARED)

    def metrics():
        if SHARED: return seawall.prometheus.text().encode()
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        seawall.prometheus.register(registry)
        return generate_latest(registry)

    if not SHARED:
        from prometheus_client import Counter
        hits = Counter("hits", "Requests.")

    def app(environ, start):
        if environ["PATH_INFO"] == "/metrics": body = metrics()
        else:
            if not SHARED: hits.inc()
            r.incr("hits")
            body = str(os.getpid()).encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""


@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize("by", ["prometheus_client", "share"])
def test_gunicorns_workers_are_summed_whichever_is_asked(server, tmp_path, by: str, preload: bool) -> None:
    pytest.importorskip("gunicorn")
    (tmp_path / "shop.py").write_text(textwrap.dedent(APPLICATION))
    folder = tmp_path / "metrics"
    folder.mkdir()
    port, at = free_port(), f"127.0.0.1:{server.port}"
    env = {**os.environ, "REDIS_URL": server.url, "PYTHONPATH": str(tmp_path)}
    env |= {"PROMETHEUS_MULTIPROC_DIR": str(folder)} if by == "prometheus_client" else {"SHARED": str(folder)}
    gunicorn = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", *(["--preload"] if preload else []), "shop:app"],
        cwd=tmp_path, env=env, stderr=(tmp_path / "log").open("wb"),
    )

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.read().decode()

    def up() -> bool:
        try:
            return bool(get("/metrics")) or True
        except OSError:
            return False

    def answered() -> float:
        return value(get("/metrics"), "seawall_calls_total", endpoint=at, outcome="answered")

    try:
        assert until(up, 30), (tmp_path / "log").read_text()
        workers: set[str] = set()
        calls = 0
        end = time.monotonic() + 30
        while len(workers) < 2 and time.monotonic() < end:
            workers.add(get("/"))
            calls += 1
            time.sleep(0.005)
        assert len(workers) == 2
        assert until(lambda: answered() == calls), (answered(), calls)
        assert all(answered() == calls for _ in range(6)), "whichever worker is asked"
        os.kill(int(workers.pop()), signal.SIGKILL)
        time.sleep(0.2)
        assert until(up) and all(answered() >= calls for _ in range(6)), "a worker that died took its counts along"
        if by == "prometheus_client":
            assert value(get("/metrics"), "hits_total") == calls
    finally:
        gunicorn.terminate()
        gunicorn.wait(20)


TASKS = """
    import os, seawall, seawall.celery
    from celery import Celery
    seawall.celery.install()
    app = Celery("shop", broker=os.environ["REDIS_URL"])
    # Another name than the broker's: its calls are counted apart.
    r = seawall.Redis.from_url(os.environ["REDIS_URL"].replace("127.0.0.1", "localhost"))

    @app.task
    def count():
        r.incr("counted")
"""


def test_celerys_prefork_children_are_summed(server, tmp_path) -> None:
    pytest.importorskip("celery")
    (tmp_path / "shop.py").write_text(textwrap.dedent(TASKS))
    folder = tmp_path / "metrics"
    env = {**os.environ, "REDIS_URL": server.url, "PYTHONPATH": str(tmp_path), "SEAWALL_METRICS_DIR": str(folder)}
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "shop", "worker", "--pool", "prefork", "--concurrency", "2"],
        cwd=tmp_path, env=env, stdout=(tmp_path / "log").open("wb"), stderr=subprocess.STDOUT, start_new_session=True,
    )
    admin = server.admin()

    def answered() -> float:
        at = f"localhost:{server.port}"
        return value(seawall.prometheus.text(), "seawall_calls_total", endpoint=at, outcome="answered")

    try:
        from celery import Celery

        with Celery(broker=server.url).connection_for_write() as connection:
            for _ in range(20):
                Celery(broker=server.url).send_task("shop.count", connection=connection)
        assert until(lambda: admin.get("counted") == "20", 60), (tmp_path / "log").read_text()
        _share.start(str(folder))
        assert until(lambda: answered() == 20), answered()
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(30)
