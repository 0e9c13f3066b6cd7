"""What people get wrong at first: each is told in words, and no password with it.

Fails with redis-py's own answers to most of these, which name its inner workings.
"""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import inspect
import math
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest
import redis
import redis.asyncio
import seawall
import seawall.asyncio
from seawall import _deadline
from seawall.check import _command

KINDS = [seawall.Redis, seawall.asyncio.Redis]


def get(client: redis.Redis) -> object:
    """What a GET comes to, through either client."""
    answer = client.get("greeting")
    if not inspect.isawaitable(answer):
        return answer

    async def awaited() -> object:
        return await answer

    return asyncio.run(awaited())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("redis://user:hunter2@127.0.0.1:6379/0", r"from_url"),
        ("127.0.0.1:6379", r"`port`"),
        (5, r"int is no name"),
    ],
)
def test_what_is_no_host_is_said_in_words_and_not_shown(kind, host, told):
    with pytest.raises(redis.DataError, match=rf"host: .*{told}") as caught:
        get(kind(host=host))
    assert "hunter2" not in str(caught.value)


def test_a_host_may_be_what_the_name_service_takes(shared_server):
    for host in (None, b"127.0.0.1", "localhost"):
        assert seawall.Redis(host=host, port=shared_server.port).ping()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("retry", r"takes a Retry; .*attempts=3"),
        ("retry_on_error", r"takes a list of exception classes; .*replay=reads"),
        ("credential_provider", r"takes a CredentialProvider; "),
        ("connection_class", r"takes a class of connections; "),
        ("redis_connect_func", r"takes a function; "),
        ("cache_config", r"takes a CacheConfig; "),
        ("event_dispatcher", r"takes an EventDispatcher; "),
        ("maint_notifications_config", r"takes a MaintNotificationsConfig; "),
    ],
)
def test_what_no_url_can_carry_is_said_where_the_client_is_made(kind, name, told):
    with pytest.raises(redis.DataError, match=rf"^{name}: .*{told}") as caught:
        kind.from_url(f"redis://127.0.0.1:1/0?{name}=hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(redis.DataError, match=rf"^{name}: "):
        kind(connection_pool=kind().connection_pool.__class__(**{name: 3}))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_as_objects_is_taken(kind, shared_server):
    if kind is seawall.Redis:
        retry = redis.retry.Retry(redis.backoff.NoBackoff(), 1)
    else:
        retry = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 1)
    url = f"redis://127.0.0.1:{shared_server.port}/9"
    for said in ({"retry": retry}, {"retry_on_error": [redis.ConnectionError]}, {"retry_on_error": []}, {"retry": None}):
        assert get(kind.from_url(url, **said)) is None


def test_a_socket_without_a_path_is_said_in_words():
    with pytest.raises(redis.DataError, match="unix:///"):
        seawall.Redis.from_url("unix://").ping()


def test_none_is_the_default_of_what_cannot_be_switched_off(shared_server):
    settings = ("deadline", "ride_out", "replay", "attempts", "retry_budget", "pool_size", "max_idle", "tcp_user_timeout")
    assert seawall.Redis(port=shared_server.port, **dict.fromkeys(settings)).ping()
    with pytest.raises(redis.DataError, match="deadline.* or None for the default"):
        seawall.Redis(deadline=0).ping()
    with pytest.raises(redis.DataError, match="max_idle.* or None to switch it off"):
        seawall.Redis(max_idle=0).ping()


@pytest.mark.parametrize("wrong", ["1", None, math.nan, True, object()])
def test_a_deadline_that_is_no_number_is_refused_where_it_is_written(wrong):
    with pytest.raises((TypeError, ValueError), match="deadline: .* is no number of seconds"):
        seawall.deadline(wrong)


def test_a_deadline_without_an_end_bounds_nothing_and_one_that_is_over_ends_at_once(url):
    client = seawall.Redis.from_url(url)
    for endless in (math.inf, 1e308, datetime.timedelta.max):
        with seawall.deadline(endless):
            assert client.ping()
            with seawall.deadline(datetime.timedelta(seconds=-1)), pytest.raises(seawall.errors.TimeoutError) as caught:
                client.ping()
            assert caught.value.may_have_run is False
    assert client.ping()


def test_a_deadline_decorates_functions_and_coroutine_functions(url):
    @seawall.deadline(0.2)
    def alone():
        return seawall.Redis.from_url(url).blpop("nothing", timeout=60)

    @seawall.deadline(0.2)
    async def together():
        return await seawall.asyncio.Redis.from_url(url).blpop("nothing", timeout=60)

    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(seawall.errors.TimeoutError):
            alone()
        with pytest.raises(seawall.errors.TimeoutError):
            asyncio.run(together())
        assert time.monotonic() - began < 30
    assert together.__name__ == "together"
    with pytest.raises(TypeError, match="around the loop"):

        @seawall.deadline(1)
        def generator():
            yield


def test_a_deadline_whose_with_never_came_about_bounds_nothing():
    # An exception out of a signal's handler comes between the entry and the block.
    seawall.deadline(60).__enter__()
    assert _deadline.left() is None
    with seawall.deadline(60):
        assert _deadline.left() is not None
    assert _deadline.left() is None


def test_a_deadline_bounds_what_stands_in_an_async_with_as_in_any_other(url):
    shared = seawall.deadline(1)

    async def one(client: redis.asyncio.Redis) -> None:
        with pytest.raises(seawall.errors.TimeoutError):
            async with shared:
                async with seawall.deadline(60):
                    assert _deadline.left() <= 1
                    await client.blpop("nothing", timeout=60)
        assert _deadline.left() is None

    async def main() -> None:
        async with seawall.asyncio.Redis.from_url(url) as client:
            await asyncio.gather(one(client), one(client))

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 30


class Awaited:
    """Is called as a coroutine function is."""

    async def __call__(self):
        return _deadline.left()


def behind_another_decorator():
    return Awaited()()


class Methods:
    @seawall.deadline(5)
    @staticmethod
    def static():
        return _deadline.left()

    @seawall.deadline(5)
    @classmethod
    async def of_class(cls):
        return _deadline.left()


def test_a_deadline_bounds_whatever_is_awaited_and_methods_of_all_kinds():
    for function in (Awaited(), behind_another_decorator):
        assert 0 < asyncio.run(seawall.deadline(5)(function)()) <= 5
    assert 0 < Methods.static() <= 5
    assert 0 < asyncio.run(Methods.of_class()) <= 5


def test_one_deadline_serves_many_tasks_at_once_each_counted_from_its_own_start():
    shared = seawall.deadline(60)

    async def one(pause: float) -> None:
        with shared:
            await asyncio.sleep(pause)
            left = _deadline.left()
            assert 0 < left <= 60
            with seawall.deadline(120):
                assert _deadline.left() <= left
        assert _deadline.left() is None

    async def several() -> None:
        await asyncio.gather(*(one(pause) for pause in (0.03, 0.01, 0.02)))

    asyncio.run(several())


def test_blocks_of_generators_may_end_in_another_order():
    def block(seconds: float):
        with seawall.deadline(seconds):
            yield

    first, second = block(60), block(5)
    next(first)
    next(second)
    assert _deadline.left() <= 5
    first.close()
    assert _deadline.left() <= 5
    second.close()
    assert _deadline.left() is None


async def reads():
    with seawall.deadline(0.05):
        yield 1
        yield 2


def test_a_generator_that_nobody_reads_any_more_leaves_its_deadline_nowhere():
    async def by_the_loop() -> None:
        async for _ in reads():
            break
        await asyncio.sleep(0.1)
        assert _deadline.left() is None
        assert await asyncio.create_task(left_of_a_task()) is None

    async def by_another_task() -> None:
        reader = reads()
        await anext(reader)
        assert _deadline.left() is not None
        await asyncio.create_task(reader.aclose())
        await asyncio.sleep(0.1)
        assert _deadline.left() is None
        with seawall.deadline(5):
            assert _deadline.left() > 1
        assert _deadline.left() is None

    async def left_of_a_task() -> float | None:
        return _deadline.left()

    asyncio.run(by_the_loop())
    asyncio.run(by_another_task())


def test_a_generator_that_another_thread_closes_leaves_its_deadline_nowhere():
    def block():
        with seawall.deadline(0.05):
            yield

    held = block()
    next(held)
    other = threading.Thread(target=held.close)
    other.start()
    other.join()
    assert _deadline.left() is None
    assert contextvars.copy_context().run(_deadline.left) is None


def test_a_task_that_outlives_the_block_in_which_it_was_started_is_bound_no_longer():
    async def main() -> None:
        went = asyncio.Event()

        async def task() -> tuple[float | None, float | None]:
            inside = _deadline.left()
            await went.wait()
            return inside, _deadline.left()

        with seawall.deadline(60):
            started = asyncio.create_task(task())
            await asyncio.sleep(0)
        went.set()
        inside, outside = await started
        assert inside is not None and outside is None

    asyncio.run(main())


def test_a_pool_of_the_other_kind_is_refused(url):
    with pytest.raises(TypeError, match="seawall.asyncio.Redis takes it"):
        seawall.Redis(connection_pool=seawall.asyncio.ConnectionPool.from_url(url))
    with pytest.raises(TypeError, match="seawall.Redis takes it"):
        seawall.asyncio.Redis(connection_pool=seawall.ConnectionPool.from_url(url))


@pytest.mark.parametrize(("version", "imported"), [("5.2.1", False), ("8.0.1", False), ("8.1.0", True), ("8.10.0b1", True)])
def test_an_older_redis_py_is_named_at_the_import(version, imported, tmp_path: pathlib.Path):
    (tmp_path / "sitecustomize.py").write_text(f"import redis\nredis.__version__ = {version!r}\n")
    path = os.pathsep.join([str(tmp_path), str(pathlib.Path(seawall.__file__).parent.parent)])
    done = subprocess.run(
        [sys.executable, "-c", "import seawall"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode == 0) == imported, done.stderr
    if not imported:
        assert f"redis-py 8.1 or later, and {version} is installed" in done.stderr


@pytest.mark.parametrize("option", ["--workers", "--threads", "--pool", "--deadline"])
def test_an_option_of_check_that_is_no_number_is_named(option, capsys):
    assert _command.main(["redis://127.0.0.1", option, "many"]) == 2
    assert "'many' is no " in capsys.readouterr().err
