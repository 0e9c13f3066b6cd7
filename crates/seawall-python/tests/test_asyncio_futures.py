"""How a task is resumed when its call is over: what it awaits is ours, and not asyncio's own future."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import sys
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest
import redis
import seawall as seawall_package
import seawall.asyncio as seawall
from real_servers import Server
from redis.client import EMPTY_RESPONSE
from seawall import errors

_place: contextvars.ContextVar[str] = contextvars.ContextVar("_place", default="nowhere")


def _on_a_loop(work: Callable[[seawall.Redis], Coroutine[Any, Any, Any]], server: Server, **settings: Any) -> Any:
    async def main() -> Any:
        async with seawall.Redis.from_url(server.url, **settings) as client:
            await client.ping()
            return await work(client)

    return asyncio.run(main())


def test_a_task_goes_on_as_itself_and_in_its_own_context(server: Server) -> None:
    async def one(client: seawall.Redis, name: str) -> None:
        _place.set(name)
        task = asyncio.current_task()
        for _ in range(20):
            assert await client.echo(name) == name.encode()
            assert _place.get() == name
            assert asyncio.current_task() is task

    async def work(client: seawall.Redis) -> None:
        await asyncio.gather(*(one(client, str(number)) for number in range(30)))
        assert _place.get() == "nowhere"

    _on_a_loop(work, server)


def test_what_a_cancellation_says_arrives(server: Server) -> None:
    async def work(client: seawall.Redis) -> None:
        task = asyncio.ensure_future(client.blpop(["nothing"], 30))
        await asyncio.sleep(0.05)
        task.cancel("enough of it")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        # Python 3.10 tells it to the task alone.
        assert sys.version_info < (3, 11) or caught.value.args == ("enough of it",)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.blpop(["nothing"], 30), 0.05)
        assert await client.ping()

    _on_a_loop(work, server)


def test_who_is_cancelled_when_his_reply_has_come_is_cancelled(server: Server) -> None:
    async def work(client: seawall.Redis) -> None:
        others: list[asyncio.Task[Any]] = []

        async def first() -> None:
            await client.ping()
            # Their replies came in the same read.
            for other in others:
                other.cancel()

        tasks = [asyncio.ensure_future(first())]
        others += [asyncio.ensure_future(client.echo(str(number))) for number in range(10)]
        ended = await asyncio.gather(*tasks, *others, return_exceptions=True)
        assert ended[0] is None
        assert all(isinstance(end, asyncio.CancelledError) for end in ended[1:])
        assert await client.echo("mine") == b"mine"

    _on_a_loop(work, server)


def test_a_task_may_begin_and_await_others_while_they_are_resumed(server: Server) -> None:
    async def deep(client: seawall.Redis, depth: int) -> int:
        if depth == 0:
            return 0
        more = await asyncio.gather(*(deep(client, depth - 1) for _ in range(2)))
        return sum(more) + int(await client.incr("counted") > 0)

    async def work(client: seawall.Redis) -> Any:
        await client.delete("counted")
        return await deep(client, 7), int(await client.get("counted"))

    assert _on_a_loop(work, server) == (127, 127)


@pytest.mark.parametrize("way_out", [KeyboardInterrupt, SystemExit])
def test_an_exception_that_ends_the_loop_takes_no_answer_along(server: Server, way_out: type[BaseException]) -> None:
    loop = asyncio.new_event_loop()
    client = seawall.Redis.from_url(server.url)
    answers: list[Any] = []

    async def one(number: int) -> None:
        answers.append(await client.echo(str(number)))
        if number == 3:
            raise way_out

    async def begin() -> list[asyncio.Task[None]]:
        await client.ping()
        return [asyncio.ensure_future(one(number)) for number in range(10)]

    async def rest() -> None:
        await asyncio.sleep(0.05)

    tasks = loop.run_until_complete(begin())
    with pytest.raises(way_out):
        loop.run_until_complete(rest())
    loop.run_until_complete(rest())
    assert answers == [str(number).encode() for number in range(10)]
    assert all(task.done() for task in tasks)
    assert [task for task in tasks if task.exception()] == [tasks[3]]
    loop.run_until_complete(client.aclose())
    loop.close()


def test_tasks_written_in_python_do_as_well(server: Server) -> None:
    python_task: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]

    def factory(loop: Any, coro: Any, **options: Any) -> Any:
        return python_task(coro, loop=loop, **options)

    async def work(client: seawall.Redis) -> Any:
        asyncio.get_running_loop().set_task_factory(factory)
        task = asyncio.ensure_future(client.blpop(["nothing"], 30))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.gather(*(asyncio.ensure_future(client.echo(str(n))) for n in range(10)))

    assert _on_a_loop(work, server) == [str(n).encode() for n in range(10)]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks that begin at once came with Python 3.12")
def test_tasks_that_begin_at_once_do_as_well(server: Server) -> None:
    async def work(client: seawall.Redis) -> Any:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await asyncio.gather(*(asyncio.ensure_future(client.echo(str(n))) for n in range(10)))

    assert _on_a_loop(work, server) == [str(n).encode() for n in range(10)]


def test_a_loop_that_is_debugged_blames_each_task_for_its_own_time(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow(client: seawall.Redis) -> None:
        await client.ping()
        end = asyncio.get_running_loop().time() + 0.15
        while asyncio.get_running_loop().time() < end:
            pass

    async def main() -> None:
        async with seawall.Redis.from_url(server.url) as client:
            await client.ping()
            await asyncio.create_task(slow(client), name="the-slow-one")

    asyncio.run(main(), debug=True)
    told = [record.getMessage() for record in caplog.records if "took" in record.getMessage()]
    assert any("the-slow-one" in line for line in told), told


class _Deaf:
    """It can be awaited, but refuses whoever does."""

    def __init__(self) -> None:
        self._asyncio_future_blocking = False
        self.resumed = False

    def __await__(self) -> Generator[Any, Any, Any]:
        self._asyncio_future_blocking = True
        yield self
        self.resumed = True

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def add_done_callback(self, *_: Any, **__: Any) -> None:
        raise ValueError("not you")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_task_is_resumed_once_whatever_it_awaits_next(server: Server) -> None:
    loop = asyncio.new_event_loop()
    client = seawall.Redis.from_url(server.url)
    deaf = _Deaf()

    async def one() -> None:
        await client.ping()
        await deaf

    async def work() -> None:
        await client.ping()
        await asyncio.wait([asyncio.ensure_future(one())], timeout=0.1)
        # As with asyncio's own futures: nobody resumes it any more.
        assert not deaf.resumed
        await client.aclose()
        loop.set_exception_handler(lambda *_: None)

    loop.run_until_complete(work())
    loop.close()


class _Nesting(asyncio.SelectorEventLoop):
    """A loop that a task may run, as nest_asyncio makes them."""

    _nest_patched = True

    def nested(self, work: Coroutine[Any, Any, Any]) -> Any:
        outer: Any = asyncio.current_task(self)
        inner = self.create_task(work)
        end = self.time() + 3
        asyncio.tasks._leave_task(self, outer)
        try:
            while not inner.done() and self.time() < end:
                self._run_once()
        finally:
            asyncio.tasks._enter_task(self, outer)
        return inner.result()

    def _run_once(self) -> None:
        # What ran inside is missed outside.
        with contextlib.suppress(IndexError):
            super()._run_once()  # type: ignore[misc]  # nobody but such a loop calls it


def test_a_task_that_was_answered_may_run_the_loop(server: Server) -> None:
    loop = _Nesting()
    client = seawall.Redis.from_url(server.url)

    async def work() -> Any:
        await client.ping()
        others = [asyncio.ensure_future(client.echo(str(number))) for number in range(10)]

        async def rest() -> Any:
            return await asyncio.gather(*others, client.echo("10"))

        # The others' replies may come in the same read.
        await client.echo("first")
        return loop.nested(rest())

    assert loop.run_until_complete(work()) == [str(number).encode() for number in range(11)]
    loop.run_until_complete(client.aclose())
    loop.close()


def test_a_loop_that_is_let_go_of_with_calls_under_way_is_collected(server: Server) -> None:
    loop = asyncio.new_event_loop()
    client = seawall.Redis.from_url(server.url)

    async def begin() -> weakref.ref[Any]:
        await client.ping()
        task = asyncio.ensure_future(client.blpop(["nothing"], 30))
        asyncio.ensure_future(client.echo("in flight"))
        await asyncio.sleep(0)
        # Said by whoever lets go of a task: not what this is about.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        return weakref.ref(task)

    task = loop.run_until_complete(begin())
    loop.close()
    del loop, client
    gc.collect()
    assert task() is None


def test_an_error_is_kept_by_nobody_who_has_told_it(server: Server) -> None:
    async def work(client: seawall.Redis) -> None:
        await client.set("text", "x")

        async def failed() -> weakref.ref[BaseException]:
            try:
                await client.lpush("text", "x")
            except redis.ResponseError as error:
                return weakref.ref(error)
            raise AssertionError("a text takes no LPUSH")

        gc.collect()
        gc.disable()
        try:
            error = await failed()
            # asyncio has it while the task runs that it was thrown into.
            await asyncio.sleep(0)
            assert error() is None
        finally:
            gc.enable()

    _on_a_loop(work, server)


def test_a_call_without_time_is_never_sent(server: Server) -> None:
    async def work(client: seawall.Redis) -> None:
        await client.lpush("queue", "job")
        # A connection for blocking commands is at rest.
        await client.blmove("queue", "queue", 1)
        calls = (
            lambda: client.incr("count"),
            lambda: client.pipeline().incr("count").execute(),
            lambda: client.blpop(["queue"], 1),
            lambda: client.connection_pool.get_connection(),
        )
        for left in (0, -1, 1e-9):
            for call in calls:
                with seawall_package.deadline(left), pytest.raises(errors.TimeoutError) as caught:
                    await call()
                assert (caught.value.cause, caught.value.may_have_run) == ("deadline-exceeded", False)
        assert await client.get("count") is None
        assert await client.llen("queue") == 1

    _on_a_loop(work, server)


def test_what_is_refused_at_once_is_refused_as_what_is_refused_later(server: Server) -> None:
    async def work(client: seawall.Redis) -> None:
        await client.config_set("maxmemory", 1)
        for _ in range(3):
            # The first is refused by the server, the others by what is known of it.
            answer = await client.execute_command("SET", "key", "value", **{EMPTY_RESPONSE: "nothing"})
            assert answer == "nothing"
            with pytest.raises(redis.ResponseError, match="maxmemory"):
                await client.set("key", "value")

    _on_a_loop(work, server, ride_out=0.01)
