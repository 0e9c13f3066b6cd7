"""What a server says of its own state to a single command over a connection that was handed out."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry
from test_pipelines import LOADING, STATES, full, redis_kind

import seawall
import seawall.asyncio

#: Ways to such a connection, for threads and for tasks: each runs one command.
WAYS: dict[str, Callable[..., Any]] = {}
TASKS: dict[str, Callable[..., Awaitable[Any]]] = {}


def way(function: Any) -> Any:
    (TASKS if asyncio.iscoroutinefunction(function) else WAYS)[function.__name__.removesuffix("_of_tasks")] = function
    return function


@way
def client(port: int, *words: Any) -> Any:
    with seawall.Redis(port=port).client() as one:
        return one.execute_command(*words)


@way
def single(port: int, *words: Any) -> Any:
    return seawall.Redis(port=port, single_connection_client=True).execute_command(*words)


@way
def watching(port: int, *words: Any) -> Any:
    with seawall.Redis(port=port).pipeline() as pipe:
        pipe.watch("k")
        return pipe.execute_command(*words)


@way
def redis_pys(port: int, *words: Any) -> Any:
    return redis.Redis(connection_pool=seawall.ConnectionPool(port=port)).execute_command(*words)


@way
async def client_of_tasks(port: int, *words: Any) -> Any:
    async with seawall.asyncio.Redis(port=port).client() as one:
        return await one.execute_command(*words)


@way
async def watching_of_tasks(port: int, *words: Any) -> Any:
    async with seawall.asyncio.Redis(port=port) as made, made.pipeline() as pipe:
        await pipe.watch("k")
        return await pipe.execute_command(*words)


@way
async def redis_pys_of_tasks(port: int, *words: Any) -> Any:
    pool = seawall.asyncio.ConnectionPool(port=port)
    async with redis.asyncio.Redis.from_pool(pool) as made:
        return await made.execute_command(*words)


RUNS = [pytest.param(run, id=name) for name, run in WAYS.items()]
RUNS += [
    pytest.param(lambda *words, run=run: asyncio.run(run(*words)), id=f"{name}-asyncio") for name, run in TASKS.items()
]


@contextmanager
def refused() -> Iterator[Any]:
    with pytest.raises(redis.RedisError) as caught:
        yield caught


@pytest.mark.parametrize(("make", "cause", "kind"), STATES)
def test_a_server_that_refuses_for_its_state_says_so(make_server: Any, make: Any, cause: str, kind: type) -> None:
    server = make(make_server)
    with refused() as told:
        redis.Redis(port=server.port).execute_command("INCRBY", "secret", 1)
    for one in RUNS:
        with refused() as caught:
            one.values[0](server.port, "INCRBY", "secret", 1)  # type: ignore[operator]
        error = caught.value
        assert isinstance(error, kind) and redis_kind(error) is type(told.value) and str(error) == str(told.value), one.id
        assert isinstance(error, seawall.errors.ServerStateError), one.id
        assert (error.cause, error.command, error.attempts, error.may_have_run) == (cause, "INCRBY", 1, False), one.id
        assert error.hint and str(server.port) in error.endpoint and error.provenance == "replying"
        assert 0 < error.elapsed < 10 and "secret" not in str(vars(error))
        if sys.version_info >= (3, 11):
            assert any("INCRBY was refused: " in note and error.hint in note for note in error.__notes__)
    assert server.admin().get("secret") is None


@pytest.mark.parametrize("run", [run for run in RUNS if "watching" not in str(run.id)])
def test_a_server_that_is_loading_says_so(shared_server: Any, run: Any) -> None:
    # To redis-py the connection is lost by that, and what it watched: a WatchError.
    with refused() as caught:
        run(shared_server.port, "EVAL", LOADING, 0)
    error = caught.value
    assert isinstance(error, redis.exceptions.BusyLoadingError) and isinstance(error, seawall.errors.ServerStateError)
    # A script may have written before.
    assert (error.cause, error.command, error.may_have_run) == ("loading", "EVAL", True)


@pytest.mark.parametrize("run", RUNS)
def test_an_error_about_the_command_itself_stays_redis_pys(shared_server: Any, run: Any) -> None:
    shared_server.admin().set("string", "x")
    for words in (("LPUSH", "string", "x"), ("NOSUCH",), ("GET",)):
        with refused() as caught:
            run(shared_server.port, *words)
        assert type(caught.value) is redis.ResponseError


def test_a_write_that_is_refused_unsent_is_refused_as_by_the_server(make_server: Any) -> None:
    for make, cause, kind in STATES:
        if cause == "permission-denied":
            continue  # Of the command, not of the server: each is sent.
        with seawall.Redis(port=make(make_server).port, ride_out=0.001, retry=Retry(NoBackoff(), 0)) as one:
            errors = []
            while not errors or "did not run" not in str(errors[-1]):
                with pytest.raises(kind) as caught:
                    one.append("k", "v" * 100)
                errors.append(caught.value)
            for error in errors:
                assert isinstance(error, seawall.errors.ServerStateError) and error.cause == cause
                again = pickle.loads(pickle.dumps(error))
                assert type(again) is type(error) and str(again) == str(error)
                assert (again.cause, again.may_have_run) == (cause, error.may_have_run)


def test_what_came_before_a_pipeline_is_not_taken_for_its_own(make_server: Any) -> None:
    with seawall.Redis(port=full(make_server).port).pipeline() as pipe:
        pipe.watch("k")
        assert pipe.execute_command("GET", "k") == b"v"
        pipe.multi()
        pipe.execute_command("APPEND", "k", "w")
        with refused() as caught:
            pipe.execute()
    assert caught.value.command == "APPEND" and caught.value.may_have_run is False
