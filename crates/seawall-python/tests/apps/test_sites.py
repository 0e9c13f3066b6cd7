"""The example sites behind real servers (gunicorn, uvicorn), while their Redis is killed and restarted."""

from __future__ import annotations

import collections
import threading
import time
from typing import Any

import httpx
import pytest

from apps_support import EXAMPLES, free_port, joins, wait_until



class Visitors:
    """Threads that send requests one after the other, and count the answers by status."""

    def __init__(self, base: str, *requests: tuple[str, str], threads: int = 4) -> None:
        self.base = base
        self.requests = requests
        self.statuses: collections.Counter[int | str] = collections.Counter()
        self.causes: collections.Counter[str] = collections.Counter()
        self.answered: collections.Counter[tuple[str, str]] = collections.Counter()
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._go) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _go(self) -> None:
        with httpx.Client(base_url=self.base, timeout=30) as client:
            while not self.stop.is_set():
                for method, path in self.requests:
                    answer = client.request(method, path)
                    self.statuses[answer.status_code] += 1
                    if answer.status_code == 503:
                        assert int(answer.headers["retry-after"]) >= 1
                        self.causes[answer.headers["x-seawall-cause"]] += 1
                    elif answer.status_code == 200:
                        self.answered[method, path] += 1

    def until_answered(self, more: int) -> None:
        before = self.statuses[200]
        wait_until(lambda: self.statuses[200] > before + more, f"{more} more answers of 200")

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def up(base: str, path: str) -> bool:
    try:
        return httpx.get(base + path, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def break_twice(server: Any, visitors: Visitors) -> None:
    try:
        for _ in range(2):
            visitors.until_answered(50)
            server.kill()
            before = visitors.statuses[503]
            wait_until(lambda: visitors.statuses[503] > before, "an answer of 503")
            server.start()
        visitors.until_answered(50)
    finally:
        visitors.end()


@joins(["Django cache", "gunicorn --preload"], "cause", "restart")
@pytest.mark.parametrize("how", ["--preload", "--threads=4", "--worker-class=gevent"])
def test_a_django_site_answers_200_or_503_with_the_cause_and_never_500(
    how: str, run: Any, make_server: Any
) -> None:
    server = make_server("--appendfsync", "no", save=True)
    base = f"http://127.0.0.1:{free_port()}"
    site = run(
        "gunicorn", "--workers=2", how, f"--bind={base[7:]}", "shop:application",
        cwd=EXAMPLES / "django", REDIS_URL=server.url,
    )  # fmt: skip
    wait_until(lambda: up(base, "/price/tea"), "the site's start")
    visitors = Visitors(base, ("GET", "/price/tea"), ("POST", "/basket"))
    break_twice(server, visitors)
    assert set(visitors.statuses) <= {200, 503}, site.said[-3000:]
    assert "connection-refused" in visitors.causes
    assert site.alive
    # In turn, not a line for each.
    assert "suppressed=" in site.said or visitors.statuses[503] < 5


@joins("Django sessions", "restart")
def test_a_visitor_of_a_django_site_stays_logged_in_through_an_outage(run: Any, make_server: Any) -> None:
    server = make_server("--appendfsync", "no", save=True)
    base = f"http://127.0.0.1:{free_port()}"
    run("gunicorn", f"--bind={base[7:]}", "shop:application", cwd=EXAMPLES / "django", REDIS_URL=server.url)
    wait_until(lambda: up(base, "/price/tea"), "the site's start")
    with httpx.Client(base_url=base, timeout=30) as visitor:
        assert visitor.post("/basket").text == "1\n"
        cookie = visitor.cookies["sessionid"]
        server.kill()
        assert visitor.get("/basket").status_code == 503
        assert visitor.cookies["sessionid"] == cookie
        server.start()
        wait_until(lambda: visitor.get("/basket").status_code == 200, "the site's return")
        assert visitor.get("/basket").text == "1\n"


@joins("FastAPI", "once", "cause", "restart")
@pytest.mark.parametrize("how", ["uvicorn", "uvicorn --workers 2", "gunicorn --preload"])
def test_a_fastapi_site_counts_each_visit_once_through_restarts(how: str, run: Any, make_server: Any) -> None:
    server = make_server("--appendfsync", "no", save=True)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    if how.startswith("uvicorn"):
        words = [*how.split(), "--port", str(port), "--log-level", "warning"]
    else:
        words = [*how.split(), "--workers", "2", "-k", "uvicorn.workers.UvicornWorker", "--bind", f"127.0.0.1:{port}"]
    site = run(*words, "visits:app", cwd=EXAMPLES / "fastapi", REDIS_URL=server.url)
    wait_until(lambda: up(base, "/visits/none"), "the site's start")
    visitors = Visitors(base, ("POST", "/visits/home"), ("GET", "/visits/home"))
    break_twice(server, visitors)
    assert set(visitors.statuses) <= {200, 503}, site.said[-3000:]
    counted = httpx.get(f"{base}/visits/home").json()["visits"]
    told = visitors.answered["POST", "/visits/home"]
    # A visit that was answered is counted; one that was not may have been, each at most once.
    assert told <= counted <= told + visitors.statuses[503]
    assert site.alive
