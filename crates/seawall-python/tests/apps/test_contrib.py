"""What seawall.contrib answers and logs, in the frameworks' own test clients."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from typing import Any

import httpx
import pytest
import redis
from fastapi import Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

import seawall
import seawall.contrib.fastapi
from apps_support import joins
from seawall.contrib import _unavailable


def api(url: str) -> FastAPI:
    app = FastAPI(lifespan=seawall.contrib.fastapi.lifespan(url))
    seawall.contrib.fastapi.install(app)

    @app.get("/")
    async def read(request: Request) -> str:
        return str(await request.state.redis.get("key"))

    @app.get("/begun")
    async def begun(request: Request) -> StreamingResponse:
        async def parts() -> Any:
            yield b"first"
            yield await request.state.redis.get("key")

        return StreamingResponse(parts())

    @app.get("/mistake")
    async def mistake() -> str:
        raise ValueError("the application's own")

    return app


@joins("FastAPI", "deadline", "cause")
def test_a_frozen_server_ends_a_request_of_fastapi_at_the_clients_timeout(server: Any) -> None:
    with TestClient(api(f"{server.url}?socket_timeout=0.5"), raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 200
        server.freeze()
        try:
            gone = client.get("/")
        finally:
            server.thaw()
    assert gone.status_code == 503
    assert gone.json()["cause"] in ("server-unresponsive", "reply-timeout", "deadline-exceeded")


@joins("FastAPI", "mismatch")
async def test_requests_at_the_same_time_get_their_own_values_while_the_server_is_killed_and_restarted(
    make_server: Any,
) -> None:
    server = make_server("--appendfsync", "no", save=True)
    app = api(server.url)

    @app.get("/own/{name}")
    async def own(name: str, request: Request) -> str:
        return (await request.state.redis.get(f"own:{name}")).decode()

    for name in range(20):
        server.admin().set(f"own:{name}", name)
    statuses: collections.Counter[int] = collections.Counter()
    wrong: list[Any] = []
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        state = await stack.enter_async_context(app.router.lifespan_context(app))

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx.ASGITransport(app=with_state, raise_app_exceptions=False)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://site"))

        async def visit(name: int) -> None:
            while not stop.is_set():
                answer = await client.get(f"/own/{name}")
                statuses[answer.status_code] += 1
                if answer.status_code == 200 and answer.json() != str(name):
                    wrong.append((name, answer.text))
                await asyncio.sleep(0.001)

        visitors = [asyncio.create_task(visit(name)) for name in range(20)]

        async def until(status: int) -> None:
            before = statuses[status]

            async def seen() -> None:
                while statuses[status] < before + 20:
                    await asyncio.sleep(0.01)

            await asyncio.wait_for(seen(), 60)

        try:
            for _ in range(2):
                await until(200)
                server.kill()
                await until(503)
                await asyncio.to_thread(server.start)
            await until(200)
        finally:
            stop.set()
            await asyncio.gather(*visitors)
    assert wrong == []
    assert set(statuses) == {200, 503}


def test_fastapi_answers_503_with_the_cause_and_when_to_come_again(server: Any) -> None:
    with TestClient(api(server.url), raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 200
        server.kill()
        gone = client.get("/")
        assert gone.status_code == 503
        assert gone.json() == {"detail": "Redis is unavailable", "cause": "connection-refused"}
        assert gone.headers["x-seawall-cause"] == "connection-refused"
        assert int(gone.headers["retry-after"]) >= 1
        assert client.get("/mistake").status_code == 500


def test_an_error_in_a_middleware_or_a_dependency_of_fastapi_is_answered_503(server: Any) -> None:
    app = FastAPI(lifespan=seawall.contrib.fastapi.lifespan(server.url))

    async def visitor(request: Request) -> Any:
        return await request.state.redis.get("visitor")

    @app.middleware("http")
    async def limit(request: Request, go_on: Any) -> Any:
        if request.url.path == "/limited":
            await request.state.redis.incr("limit")
        return await go_on(request)

    @app.get("/limited")
    async def limited() -> str:
        return "in"

    @app.get("/visitor")
    async def who(name: Any = Depends(visitor)) -> str:
        return str(name)

    seawall.contrib.fastapi.install(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        for path in ("/limited", "/visitor"):
            assert client.get(path).status_code == 200
        server.kill()
        for path in ("/limited", "/visitor"):
            assert client.get(path).status_code == 503


def test_a_fastapi_response_that_has_begun_is_not_answered_again(server: Any) -> None:
    with TestClient(api(server.url)) as client:
        server.kill()
        with pytest.raises(seawall.errors.SeawallError):
            client.get("/begun")


def test_one_line_a_second_for_each_cause_counts_the_suppressed() -> None:
    ration = _unavailable.Ration()
    assert ration.ask("loading", 10.0) == 0
    assert ration.ask("loading", 10.5) is None
    assert ration.ask("loading", 10.9) is None
    assert ration.ask("connection-refused", 10.9) == 0
    assert ration.ask("loading", 11.1) == 2
    assert ration.ask("loading", 12.2) == 0


def test_the_line_names_cause_and_request(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    error = seawall.errors.ConnectionError("refused\ndetails")
    error.cause = "a-cause-of-this-test"
    with caplog.at_level(logging.ERROR, "seawall.contrib"):
        _unavailable.note(error, "GET /")
        _unavailable.note(error, "GET /")
    assert [record.getMessage() for record in caplog.records] == [
        "request.unavailable cause=a-cause-of-this-test request='GET /' suppressed=0: refused"
    ]


def test_retry_after_is_rounded_up_and_at_least_a_second() -> None:
    error = seawall.errors.ConnectionError("refused")
    for seconds, said in ((None, "1"), (0.2, "1"), (1.2, "2"), (7.0, "7")):
        error.retry_after = seconds
        assert _unavailable.headers_of(error)["Retry-After"] == said


def test_errors_that_kombu_and_django_redis_wrap_are_seen_through() -> None:
    from django_redis.exceptions import ConnectionInterrupted
    from kombu.exceptions import OperationalError

    inner = redis.ConnectionError("gone")
    for outer in (OperationalError("gone"), ConnectionInterrupted(None), ValueError("the application's")):
        outer.__cause__ = inner
        assert (_unavailable.reason(outer) is inner) == (not isinstance(outer, ValueError))
