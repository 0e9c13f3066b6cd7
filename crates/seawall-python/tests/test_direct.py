"""Plain commands go straight to the engine, and never past anybody who stands in redis-py's way to it."""

from __future__ import annotations

import asyncio
import copy
from typing import Any
from unittest import mock

import pytest
import redis
import redis.asyncio
import seawall
import seawall.asyncio


@pytest.fixture
def r(server) -> Any:
    with seawall.Redis.from_url(server.url, decode_responses=True) as client:
        client.set("a", "1")
        yield client


def test_a_class_between_ours_and_redis_pys_sees_each_command(server) -> None:
    seen: list[Any] = []

    class Traced(redis.Redis):
        def execute_command(self, *args: Any, **options: Any) -> Any:
            seen.append(args)
            return super().execute_command(*args, **options)

    class Both(seawall.Redis, Traced):
        pass

    with Both.from_url(server.url) as r:
        assert r.get("a") is None
    assert seen == [("GET", "a")]


@pytest.mark.parametrize("name", ["execute_command", "_execute_command", "parse_response", "_send_command_parse_response"])
def test_a_class_derived_from_ours_is_asked(server, name: str) -> None:
    seen: list[str] = []

    def method(self: Any, *args: Any, **options: Any) -> Any:
        seen.append(name)
        return getattr(super(Derived, self), name)(*args, **options)

    Derived = type("Derived", (seawall.Redis,), {name: method})
    with Derived.from_url(server.url) as r:
        assert r.get("a") is None
    assert seen == [name]


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (redis.Redis, "execute_command"),
        (redis.Redis, "parse_response"),
        (seawall.Redis, "execute_command"),
        (seawall.Redis, "_execute_command"),
        (seawall.Redis, "parse_response"),
    ],
)
def test_who_is_put_in_its_place_later_is_asked_as_long_as_he_is_there(r, of: type, name: str) -> None:
    assert r.get("a") == "1"
    with mock.patch.object(of, name, return_value="another") as another:
        assert r.get("a") == "another"
    assert another.call_count == 1
    assert r.get("a") == "1"


@pytest.mark.parametrize("name", ["execute_command", "_execute_command", "parse_response"])
def test_what_a_client_has_for_itself_is_asked(r, name: str) -> None:
    setattr(r, name, lambda *args, **options: "its own")
    assert r.get("a") == "its own"
    delattr(r, name)
    assert r.get("a") == "1"


def test_a_callback_gets_what_the_caller_said_and_not_what_is_the_clients(r) -> None:
    r.set_response_callback("GET", lambda reply, **options: (reply, options))
    assert r.execute_command("GET", "a", keys=["a"], NEVER_DECODE=True, other=1) == (b"1", {"other": 1})
    assert r.execute_command("get", "a") == ("1", {})
    r.response_callbacks = {"GET": lambda reply: "of a plain dictionary"}
    assert r.get("a") == "of a plain dictionary"


def test_an_error_may_stand_for_something(r) -> None:
    assert r.execute_command("LPUSH", "a", "x", EMPTY_RESPONSE=[]) == []
    with pytest.raises(redis.ResponseError):
        r.execute_command("LPUSH", "a", "x")


def test_a_callback_may_return_anything(r) -> None:
    r.set_response_callback("INCRBY", lambda reply, **_: NotImplemented)
    assert r.incr("n") is NotImplemented
    assert r.get("n") == "1"


def test_a_pool_may_be_a_property(server) -> None:
    other = seawall.ConnectionPool.from_url(server.url, db=5)

    class Tenant(seawall.Redis):
        @property
        def connection_pool(self) -> Any:
            return other

        @connection_pool.setter
        def connection_pool(self, pool: Any) -> None:
            self.__dict__["connection_pool"] = pool

    with Tenant.from_url(server.url) as r:
        r.set("t", 1)
    with seawall.Redis.from_url(server.url, db=5) as r:
        assert r.get("t") == b"1"


class Proxy:
    """A pool that is looked up when it is needed, as werkzeug's ``LocalProxy`` does."""

    __slots__ = ("_found",)

    def __init__(self, found: Any) -> None:
        object.__setattr__(self, "_found", found)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._found)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)


def test_a_pool_may_be_a_proxy(server) -> None:
    pool: Any = Proxy(seawall.ConnectionPool.from_url(server.url))
    with seawall.Redis(connection_pool=pool) as r:
        assert r.get("a") is None


def test_a_copy_of_a_client_is_one(r) -> None:
    assert copy.copy(r).get("a") == "1"


class TestTasks:
    """The same for asyncio's."""

    def test_who_stands_in_the_way_is_asked(self, server) -> None:
        seen: list[Any] = []

        class Reading(seawall.asyncio.Redis):
            async def parse_response(self, *args: Any, **options: Any) -> Any:
                seen.append("class")
                return await super().parse_response(*args, **options)

        async def own(*_: Any, **__: Any) -> str:
            return "its own"

        async def main() -> None:
            async with Reading.from_url(server.url) as r:
                assert await r.get("a") is None
            async with seawall.asyncio.Redis.from_url(server.url) as r:
                r.parse_response = own
                assert await r.get("a") == "its own"
                del r.parse_response
                assert await r.get("a") is None
                with mock.patch.object(redis.asyncio.Redis, "parse_response", own):
                    assert await r.get("a") == "its own"
                assert await r.get("a") is None

        asyncio.run(main())
        assert seen == ["class"]

    def test_who_watches_sees_each_command_once_of_a_client_with_ways_of_its_own(self, server) -> None:
        seen: list[Any] = []
        base = redis.asyncio.Redis.execute_command

        async def watched(self: Any, *args: Any, **options: Any) -> Any:
            seen.append(args[0])
            return await base(self, *args, **options)

        class Reading(seawall.asyncio.Redis):
            async def parse_response(self, *args: Any, **options: Any) -> Any:
                return await super().parse_response(*args, **options)

        class Proud(seawall.asyncio.Redis):
            @property
            def connection(self) -> Any:
                return None

            @connection.setter
            def connection(self, _: Any) -> None:
                pass

        async def main() -> None:
            for kind in (Reading, Proud):
                async with kind.from_url(server.url) as r:
                    assert await r.get("a") is None
            async with seawall.asyncio.Redis.from_url(server.url, single_connection_client=None) as r:
                assert await r.get("a") is None

        with mock.patch.object(redis.asyncio.Redis, "execute_command", watched):
            asyncio.run(main())
        assert seen == ["GET"] * 3

    def test_one_client_serves_the_loop_that_runs(self, server) -> None:
        r = seawall.asyncio.Redis.from_url(server.url)

        async def calls() -> list[Any]:
            return await asyncio.gather(*(r.incr("n") for _ in range(50)))

        async def main() -> list[Any]:
            # In tasks that the engine resumes: another loop in another thread is another loop.
            mine = await calls()
            theirs = await asyncio.to_thread(asyncio.run, calls())
            return sorted(mine + theirs + await calls())

        assert asyncio.run(main()) == list(range(1, 151))
        assert sorted(asyncio.run(calls())) == list(range(151, 201))

    def test_an_error_and_a_cancellation_come_to_the_task_that_waits(self, server) -> None:
        async def main() -> None:
            async with seawall.asyncio.Redis.from_url(server.url) as r:
                await r.set("a", "1")
                outcomes = await asyncio.gather(
                    *(r.lpush("a", "x") if i % 3 == 0 else r.get("a") for i in range(30)), return_exceptions=True
                )
                assert [isinstance(each, redis.ResponseError) for each in outcomes] == [i % 3 == 0 for i in range(30)]
                waits = asyncio.create_task(r.blpop(["nothing"], 5))
                await asyncio.sleep(0.05)
                waits.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waits
                assert await r.get("a") == b"1"

        asyncio.run(main())
