"""What seawall.contrib answers and logs, in the frameworks' own test clients."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import redis
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

import seawall
import seawall.contrib.fastapi
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
