"""Pipelines of asyncio that go over the shared connection answer what redis.asyncio's do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio
import seawall
import seawall.asyncio
from asyncio_world import Relay
from test_pipelines import KINDS, LOADING, STATES, check_said, comparable, full, redis_kind


async def outcome(client: Any, fill: Callable[[Any], None], transaction: bool, raises: bool) -> Any:
    await client.flushall()
    await client.set("string", "x")
    pipe = client.pipeline(transaction=transaction)
    fill(pipe)
    try:
        replies = await pipe.execute(raise_on_error=raises)
    except Exception as error:
        text = "" if isinstance(error, redis.DataError) else str(error)
        return redis_kind(error), text, await client.get("k"), await client.get("n")
    finally:
        assert len(pipe) == 0 and pipe.connection is None
    return comparable(replies), await client.get("k"), await client.get("n")


@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize("fill", KINDS)
def test_a_pipeline_answers_what_redis_asyncios_does(run: Any, url: str, fill: Any, transaction: bool) -> None:
    async def main() -> None:
        for decode in (False, True):
            codec = {"decode_responses": decode, "encoding_errors": "replace"}
            theirs = redis.asyncio.Redis.from_url(url, **codec)
            ours = seawall.asyncio.Redis.from_url(url, **codec)
            for raises in (True, False):
                wanted = await outcome(theirs, fill, transaction, raises)
                assert await outcome(ours, fill, transaction, raises) == wanted
            await theirs.aclose()
            await ours.aclose()

    run(main())


def test_pipelines_of_many_tasks_get_their_own_replies(run: Any, url: str) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis.from_url(url) as client:

            async def work(name: int) -> None:
                for turn in range(30):
                    mine = f"{name}:{turn}"
                    async with client.pipeline(transaction=turn % 2 == 0) as pipe:
                        pipe.set(f"k{name}", mine).get(f"k{name}")
                        assert await pipe.execute() == [True, mine.encode()]
                    assert await client.get(f"k{name}") == mine.encode()

            await asyncio.gather(*(work(name) for name in range(50)))
            # Nothing but the shared connection was needed.
            assert client.connection_pool.stats()["dialled"] == 1

    run(main())


def test_a_large_pipeline_takes_a_connection_of_its_own(run: Any, url: str) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis.from_url(url) as client:
            await client.ping()
            pipe = client.pipeline(transaction=False)
            for number in range(100):
                pipe.set(f"k{number}", bytes(5000))
            assert await pipe.execute() == [True] * 100
            assert client.connection_pool.stats()["dialled"] == 2
            assert await client.strlen("k99") == 5000
            pipe = client.pipeline(transaction=True)
            for number in range(20_000):
                pipe.incr("n").execute_command("LPUSH", "k0", number)
            replies = await pipe.execute(raise_on_error=False)
            assert replies[::2] == list(range(1, 20_001))
            assert all(isinstance(reply, redis.ResponseError) for reply in replies[1::2])

    run(main())


def test_callbacks_that_are_coroutines_are_awaited(run: Any, url: str) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis.from_url(url) as client:

            async def slowly(reply: Any) -> Any:
                await asyncio.sleep(0)
                return "slowly", reply

            client.set_response_callback("GET", slowly)
            for transaction in (False, True):
                pipe = client.pipeline(transaction=transaction).set("k", 1).get("k").incr("n")
                assert (await pipe.execute())[:2] == [True, ("slowly", b"1")]

    run(main())


@pytest.mark.parametrize("transaction", [False, True])
def test_a_pipeline_that_may_have_run_is_not_sent_twice(run: Any, shared_server: Any, url: str, transaction: bool) -> None:
    async def main() -> None:
        async with Relay(shared_server.port) as relay:
            async with seawall.asyncio.Redis.from_url(relay.url) as client:
                await client.ping()
                relay.lose_reply_to = b"INCR"
                with pytest.raises(redis.ConnectionError) as caught:
                    await client.pipeline(transaction=transaction).incr("n").get("k").execute()
                assert caught.value.may_have_run
                assert await client.get("n") == b"1"
                relay.lose_reply_to = b"twice"
                reads = client.pipeline(transaction=False).get("twice").get("k")
                assert await reads.execute() == [None, None]

    run(main())


def test_a_cancelled_pipeline_takes_nobody_elses_reply(run: Any, url: str) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis.from_url(url) as client:
            await client.set("k", "mine")
            for wait in range(20):
                pipe = client.pipeline(transaction=wait % 2 == 0)
                for _ in range(50):
                    pipe.echo("theirs")
                task = asyncio.ensure_future(pipe.execute())
                for _ in range(wait // 4):
                    await asyncio.sleep(0)
                task.cancel()
                assert await client.get("k") == b"mine"
                await asyncio.gather(task, return_exceptions=True)
                assert pipe.connection is None

    run(main())


async def raised(client: Any, transaction: bool, *fill: Any) -> Any:
    """The error of a pipeline."""
    async with client, client.pipeline(transaction=transaction) as pipe:
        for words in fill:
            pipe.execute_command(*words)
        with pytest.raises(redis.RedisError) as caught:
            await pipe.execute()
    return caught.value


@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize(("make", "cause", "kind"), STATES)
def test_a_server_that_refuses_for_its_state_says_so_in_a_pipeline(
    run: Any, make_server: Any, make: Any, cause: str, kind: type, transaction: bool
) -> None:
    async def main() -> None:
        server = make(make_server)
        asked = ("GET", "secret"), ("INCRBY", "secret", "1")
        theirs = await raised(redis.asyncio.Redis(port=server.port), transaction, *asked)
        error = await raised(seawall.asyncio.Redis(port=server.port), transaction, *asked)
        check_said(error, theirs, cause, kind)
        assert error.may_have_run is not transaction
        assert server.admin().get("secret") is None

    run(main())


def test_a_list_of_replies_has_each_commands_own_error(run: Any, make_server: Any) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis(port=full(make_server).port) as client:
            pipe = client.pipeline(transaction=False).get("k").incr("n").llen("k")
            got, refused, wrong = await pipe.execute(raise_on_error=False)
            assert got == b"v"
            assert isinstance(refused, redis.exceptions.OutOfMemoryError)
            assert (refused.cause, refused.may_have_run, refused.command) == ("out-of-memory", False, "INCRBY")
            assert type(wrong) is redis.ResponseError

    run(main())


def test_a_transaction_after_watch_says_why_it_was_refused(run: Any, make_server: Any) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis(port=full(make_server).port) as client:
            async with client.pipeline() as pipe:
                await pipe.watch("k")
                pipe.multi()
                pipe.incr("n")
                with pytest.raises(redis.exceptions.OutOfMemoryError) as caught:
                    await pipe.execute()
            assert (caught.value.cause, caught.value.may_have_run) == ("out-of-memory", False)

    run(main())


@pytest.mark.parametrize("transaction", [False, True])
def test_a_server_that_is_loading_says_so_in_a_pipeline(run: Any, url: str, transaction: bool) -> None:
    async def main() -> None:
        client = seawall.asyncio.Redis.from_url(url)
        error = await raised(client, transaction, ("EVAL", LOADING, 0), ("SET", "k", "v"))
        assert isinstance(error, redis.exceptions.BusyLoadingError)
        assert (error.cause, error.may_have_run) == ("loading", True)

    run(main())


def test_who_may_not_say_multi_has_run_the_commands(run: Any, make_server: Any) -> None:
    async def main() -> None:
        server = make_server()
        everything_else = ["+@all", "-multi", "-exec"]
        server.admin().acl_setuser("u", enabled=True, passwords=["+p"], keys=["*"], commands=everything_else)
        for watched in (False, True):
            async with seawall.asyncio.Redis(port=server.port, username="u", password="p") as client:
                async with client.pipeline() as pipe:
                    if watched:
                        await pipe.watch("k")
                        pipe.multi()
                    pipe.set("k", str(watched))
                    with pytest.raises(redis.exceptions.NoPermissionError) as caught:
                        await pipe.execute()
            assert (caught.value.cause, caught.value.may_have_run) == ("permission-denied", True)
            assert server.admin().get("k") == str(watched)

    run(main())


def test_an_error_about_a_single_command_bears_its_name(run: Any, server: Any) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis(port=server.port, deadline=2) as client:
            await client.ping()
            server.kill()
            with contextlib.suppress(redis.RedisError):
                await client.ping()
            error = await raised(client, False, ("LPUSH", "l", "x"))
            assert error.command == "LPUSH" and str(error).startswith("LPUSH did not run: ")
            error = await raised(client, False, ("LPUSH", "l", "x"), ("LPUSH", "l", "y"))
            assert error.command == "PIPELINE" and str(error).startswith("PIPELINE did not run: ")

    run(main())
