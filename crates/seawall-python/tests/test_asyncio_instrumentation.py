"""OpenTelemetry, Sentry and ddtrace wrap redis-py's methods: they see each command exactly once."""

import asyncio
import functools
import importlib.util

import pytest
import redis
import redis.asyncio
import seawall
import seawall.asyncio


@pytest.fixture
def seen(monkeypatch):
    """What a wrapper around redis-py's methods sees, made as Sentry makes its own: a plain function."""
    seen = []
    original = redis.asyncio.Redis.execute_command
    original_sync = redis.Redis.execute_command

    async def watching(self, *args, **options):
        seen.append(args)
        return await original(self, *args, **options)

    def watching_sync(self, *args, **options):
        seen.append(args)
        return original_sync(self, *args, **options)

    monkeypatch.setattr(redis.asyncio.Redis, "execute_command", watching)
    monkeypatch.setattr(redis.Redis, "execute_command", watching_sync)
    return seen


def test_a_wrapper_sees_each_command_of_a_task_once_and_its_answer(run, url, seen):
    async def main():
        async with seawall.asyncio.Redis.from_url(url) as client:
            assert await client.set("k", 1) is True
            assert await client.get("k") == b"1"
            assert await client.blpop("nothing", timeout=0.01) is None
            with pytest.raises(redis.ResponseError):
                await client.lpush("k", 1)
            assert seen == [("SET", "k", 1), ("GET", "k"), ("BLPOP", "nothing", 0.01), ("LPUSH", "k", 1)]
            stats = client.connection_pool.stats()
            # The one that is shared, and one for the blocking command.
            assert stats["dialled"] == 2 and not client.connection_pool._in_use_connections

    run(main())


def test_a_command_that_needs_a_connection_of_its_own_is_seen_once(run, url, seen):
    async def main():
        async with seawall.asyncio.Redis.from_url(url) as client:
            assert await client.select(3)
            assert seen == [("SELECT", 3)]
            assert not client.connection_pool._in_use_connections
            async with client.client() as alone:
                assert await alone.echo("x") == b"x"
            assert seen[1:] == [("ECHO", "x")]

    run(main())


def test_many_tasks_under_a_wrapper_get_their_own_replies(run, url, seen):
    async def main():
        async with seawall.asyncio.Redis.from_url(url) as client:
            await asyncio.gather(*(client.set(f"k{n}", n) for n in range(200)))
            values = await asyncio.gather(*(client.get(f"k{n}") for n in range(200)))
            assert values == [str(n).encode() for n in range(200)]
            assert len(seen) == 400
            assert client.connection_pool.stats()["dialled"] == 1

    run(main())


def test_what_a_wrapper_does_with_redis_around_a_command_takes_connections_of_its_own(run, url, monkeypatch):
    original = redis.asyncio.Redis.execute_command
    other = []

    async def meddling(self, *args, **options):
        if args[0] != "GET":
            return await original(self, *args, **options)
        async with self.pipeline() as pipe:
            other.append(await pipe.incr("before").execute())
        await self.echo("between")
        answer = await original(self, *args, **options)
        async with self.pipeline() as pipe:
            other.append(await pipe.incr("after").execute())
        return answer

    monkeypatch.setattr(redis.asyncio.Redis, "execute_command", meddling)

    async def main():
        async with seawall.asyncio.Redis.from_url(url) as client:
            await client.set("k", "v")
            assert await client.get("k") == b"v"
            assert other == [[1], [1]]
            assert not client.connection_pool._in_use_connections

    run(main())


def test_a_wrapper_that_is_taken_off_is_not_called_any_more(run, url, monkeypatch):
    async def main():
        async with seawall.asyncio.Redis.from_url(url) as client:
            with monkeypatch.context() as patch:
                original = redis.asyncio.Redis.execute_command
                count = []

                @functools.wraps(original)
                async def watching(self, *args, **options):
                    count.append(args)
                    return await original(self, *args, **options)

                patch.setattr(redis.asyncio.Redis, "execute_command", watching)
                assert await client.ping()
            assert await client.ping()
            assert count == [("PING",)]

    run(main())


def test_a_wrapper_around_the_sync_client_sees_each_command_once(url, seen):
    with seawall.Redis.from_url(url) as client:
        client.set("k", 1)
        client.get("k")
        client.select(0)
    assert seen == [("SET", "k", 1), ("GET", "k"), ("SELECT", 0)]


def has_opentelemetry():
    try:
        return importlib.util.find_spec("opentelemetry.instrumentation.redis") is not None
    except ModuleNotFoundError:
        return False


if has_opentelemetry():

    @pytest.fixture
    def spans():
        """OpenTelemetry's own instrumentation of redis-py."""
        from opentelemetry.instrumentation.redis import RedisInstrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        RedisInstrumentor().instrument(tracer_provider=provider)
        yield lambda: [span.name for span in exporter.get_finished_spans()]
        RedisInstrumentor().uninstrument()

    def test_opentelemetry_makes_one_span_for_each_command_and_pipeline_of_a_task(run, url, spans):
        async def main():
            async with seawall.asyncio.Redis.from_url(url) as client:
                await client.set("k", 1)
                await client.get("k")
                await client.select(0)
                async with client.pipeline() as pipe:
                    await pipe.set("a", 1).get("a").execute()
                await asyncio.gather(*(client.incr("n") for _ in range(20)))

        run(main())
        assert spans() == ["SET", "GET", "SELECT", "SET GET"] + ["INCRBY"] * 20

    def test_opentelemetry_makes_one_span_for_each_command_of_the_sync_client(url, spans):
        with seawall.Redis.from_url(url) as client:
            client.set("k", 1)
            client.get("k")
            client.pipeline().set("a", 1).get("a").execute()
        assert spans() == ["SET", "GET", "SET GET"]
