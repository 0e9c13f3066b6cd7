"""gunicorn and Celery with gevent: who waits for Redis holds up nobody, also while Redis is killed and restarted."""

from __future__ import annotations

import json
import pathlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

import seawall
import seawall.celery

seawall.celery.install()

from celery import Celery  # noqa: E402
from kombu.exceptions import OperationalError  # noqa: E402

from apps_support import free_port, wait_until  # noqa: E402
from real_servers import Server, TlsServer  # noqa: E402

HERE = pathlib.Path(__file__).parent
WAITING = 30


def blocked(server: Any) -> int:
    return server.admin().info("clients")["blocked_clients"]


@pytest.fixture(params=["plain", "tls"])
def kept(request: Any) -> Any:
    """A server that keeps what it has through a kill."""
    server = {"plain": Server, "tls": TlsServer}[request.param]("--appendfsync", "no", save=True)
    try:
        yield server.start()
    except RuntimeError:
        if request.param == "plain":
            raise
        pytest.skip("the server was built without TLS")
    finally:
        server.end()


@pytest.mark.parametrize("preload", [False, True])
def test_a_request_that_waits_for_redis_holds_up_no_other_one_of_its_worker(preload: bool, run: Any, kept: Any) -> None:
    server = kept
    base = f"http://127.0.0.1:{free_port()}"
    site = run(
        "gunicorn", "--worker-class=gevent", "--workers=1", *(["--preload"] if preload else []), f"--bind={base[7:]}",
        "green_site:application", cwd=HERE, REDIS_URL=server.url, PING="1" if preload else "",
    )  # fmt: skip

    visitor = httpx.Client(base_url=base, timeout=90, limits=httpx.Limits(max_connections=None))

    def get(path: str) -> httpx.Response:
        return visitor.get(path)

    def up() -> bool:
        try:
            return get("/count/up").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(up, "the site's start")
    worker = get("/echo/who").headers["x-worker"]
    told = unknown = 0
    with ThreadPoolExecutor(WAITING) as waiting, ThreadPoolExecutor(8) as visiting:
        for round in range(2):
            waits = [waiting.submit(get, f"/wait/{round}.{number}") for number in range(WAITING)]
            wait_until(lambda: blocked(server) == WAITING, "all of them wait")
            # One worker of one thread: they would stand behind the first.
            answers = list(visiting.map(get, ["/count/visits"] * 100))
            assert {answer.status_code for answer in answers} == {200}
            told += 100
            echoes = list(visiting.map(get, [f"/echo/{number}" for number in range(100)]))
            assert [echo.text for echo in echoes] == [f"{number}.{number}" for number in range(100)]
            for number in range(0, WAITING, 2):
                server.admin().rpush(f"{round}.{number}", f"value {number}")
            for number in range(0, WAITING, 2):
                assert waits[number].result().text == f"value {number}"
            server.kill()
            for wait in waits[1::2]:
                assert wait.result().status_code == 503 and wait.result().text.endswith(" True"), wait.result().text
            down = list(visiting.map(get, ["/count/visits"] * 20))
            assert {answer.status_code for answer in down} == {503}
            unknown += sum(answer.text.endswith(" True") for answer in down)
            server.start()
            wait_until(up, "the site's return")
    assert told <= int(server.admin().get("visits")) <= told + unknown
    assert get("/echo/who").headers["x-worker"] == worker, site.said[-3000:]


def queues_again(app: Celery) -> bool:
    try:
        app.send_task("green_tasks.count", ["after"], ignore_result=True)
    except (OperationalError, seawall.errors.SeawallError):
        return False
    return True


def test_a_task_that_waits_for_redis_holds_up_no_other_one_of_its_worker(run: Any, make_server: Any) -> None:
    server = make_server("--appendfsync", "no", save=True)
    worker = run(
        "celery", "-A", "green_tasks", "worker", "--pool", "gevent", "--concurrency", str(2 * WAITING), "--loglevel", "INFO",
        cwd=HERE, REDIS_URL=server.url,
    )  # fmt: skip
    app = Celery("tasks", broker=server.url, backend=server.url, set_as_current=False)
    wait_until(lambda: "ready." in worker.said, "the worker's start")
    names = [f"wait.{number}" for number in range(WAITING)]
    first = [app.send_task("green_tasks.wait", [name]) for name in names]
    # The worker itself waits for tasks.
    wait_until(lambda: blocked(server) >= WAITING, "all of them wait")
    counts = [app.send_task("green_tasks.count", ["counter"]) for _ in range(50)]
    assert sorted(count.get(timeout=60) for count in counts) == list(range(1, 51))
    for name in names:
        server.admin().rpush(name, name)
    assert [wait.get(timeout=60) for wait in first] == names

    second = [app.send_task("green_tasks.wait", [f"more {name}"]).id for name in names]
    wait_until(lambda: blocked(server) >= WAITING, "all of them wait again")
    server.kill()
    server.start()

    def failures() -> list[str]:
        stored = server.admin().mget([f"celery-task-meta-{number}" for number in second])
        return [record for record in stored if record and json.loads(record)["status"] == "FAILURE"]

    wait_until(lambda: len(failures()) == WAITING, "all of them have failed")
    assert all("BLPOP may have run" in record for record in failures())
    wait_until(lambda: queues_again(app), "the first task after the restart")
    for _ in range(20):
        app.send_task("green_tasks.count", ["after"], ignore_result=True)
    wait_until(lambda: server.admin().get("after") == "21", "the tasks after the restart")
    assert worker.alive
