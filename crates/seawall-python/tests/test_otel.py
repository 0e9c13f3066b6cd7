"""OpenTelemetry's metrics and span events, and who instruments redis-py: Sentry, OpenTelemetry, both at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import seawall
import seawall.asyncio
from seawall import _families


@pytest.fixture
def told() -> Iterator[None]:
    yield
    seawall.otel.uninstall()


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    found: dict[str, list[Any]] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            assert scope.scope.name == "seawall"
            for metric in scope.metrics:
                found[metric.name] = list(metric.data.data_points)
    return found


def test_metrics_have_opentelemetrys_names_and_attributes(server, told) -> None:
    reader = InMemoryMetricReader()
    seawall.otel.install(MeterProvider([reader]), spans=False)
    r = seawall.Redis.from_url(server.url)
    r.ping()
    time.sleep(0.3)
    found = points(reader)
    mine = lambda name: [dict(point.attributes) | {"value": point.value} for point in found[name]  # noqa: E731
                         if point.attributes.get("server.port") == server.port]
    assert {family.otel for family in _families.FAMILIES} >= found.keys()
    answered = {"db.system.name": "redis", "server.address": "127.0.0.1", "server.port": server.port,
                "seawall.outcome": "answered", "value": 1}
    assert answered in mine("seawall.calls")
    states = {point["db.client.connection.state"]: point["value"] for point in mine("db.client.connection.count")}
    assert states == {"idle": 1, "used": 0}
    assert mine("seawall.breaker.state")[0]["value"] == 0
    seawall.otel.uninstall()
    r.ping()
    left = points(reader)
    # What was recorded cannot be taken back, and gets no more.
    assert [one.count for one in left.pop("db.client.connection.use_time")
            if one.attributes["server.port"] == server.port] == [1]
    assert not any(points for name, points in left.items() if not name.endswith("_time"))


def test_times_of_connections_are_recorded_once_with_the_bounds_that_they_were_counted_by(server, told) -> None:
    reader, other = InMemoryMetricReader(), InMemoryMetricReader()
    seawall.otel.install(MeterProvider([reader, other]), spans=False)
    r = seawall.Redis.from_url(server.url)
    for _ in range(20):
        r.ping()

    def of(name: str, reader: InMemoryMetricReader) -> Any:
        (one,) = (one for one in points(reader)[name] if one.attributes["server.port"] == server.port)
        assert one.attributes["db.client.connection.pool.name"] == f"127.0.0.1:{server.port}"
        return one

    kept = seawall.stats()["endpoints"][f"127.0.0.1:{server.port}"]
    for key, least in (("create_time", 1), ("wait_time", 20), ("use_time", 20)):
        for one in (of(f"db.client.connection.{key}", reader), of(f"db.client.connection.{key}", other)):
            assert one.count == kept[key]["count"] == least
            assert one.sum == pytest.approx(kept[key]["sum"])
            filled = {bound: count for bound, count in zip(one.explicit_bounds, one.bucket_counts) if count}
            assert filled == {float(bound): count for bound, (count, _) in kept[key]["buckets"].items()}
    r.ping()
    assert of("db.client.connection.use_time", reader).count == 21


def test_more_times_than_are_worth_recording_are_thinned_evenly(server, told, monkeypatch) -> None:
    monkeypatch.setattr(seawall.otel, "_RECORDS_MAX", 50)
    reader = InMemoryMetricReader()
    seawall.otel.install(MeterProvider([reader]), spans=False)
    r = seawall.Redis.from_url(server.url)
    for _ in range(500):
        r.ping()
    kept = seawall.stats()["endpoints"][f"127.0.0.1:{server.port}"]["use_time"]
    (one,) = (one for one in points(reader)["db.client.connection.use_time"]
              if one.attributes["server.port"] == server.port)
    assert 20 <= one.count <= 50
    # A call that was held up weighs much in the mean of fifty, and nothing in where most of them are.
    most, (count, _) = max(kept["buckets"].items(), key=lambda bucket: bucket[1])
    recorded = one.bucket_counts[one.explicit_bounds.index(float(most))]
    assert recorded / one.count == pytest.approx(count / kept["count"], abs=0.1)


def test_a_second_install_counts_nothing_twice(url, told) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    seawall.otel.install(provider)
    seawall.otel.install(provider)
    seawall.Redis.from_url(url).ping()
    time.sleep(0.3)
    keys = [tuple(sorted(point.attributes.items())) for point in points(reader)["seawall.calls"]]
    assert len(keys) == len(set(keys))


def test_without_opentelemetry_the_package_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match="pip install opentelemetry-api"):
        seawall.otel.install()


@pytest.fixture
def tracer() -> Any:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    tracer.exporter = exporter  # type: ignore[attr-defined]
    return tracer


@contextlib.contextmanager
def killing(server) -> Iterator[None]:
    """Kills every connection, over and over."""
    admin = server.admin()
    stop = threading.Event()

    def kill() -> None:
        while not stop.is_set():
            admin.client_kill_filter(_type="normal", skipme=True)
            stop.wait(0.001)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        stop.set()
        killer.join()


def attempts(span: Any) -> list[dict[str, Any]]:
    return [dict(event.attributes) for event in span.events if event.name == "seawall.attempt"]


def check(spans: list[Any]) -> None:
    with_trouble = [attempts(span) for span in spans if attempts(span)]
    assert with_trouble, "no call had to be repeated"
    for told in with_trouble:
        assert [one["seawall.attempt"] for one in told] == list(range(1, len(told) + 1))
        assert all("error.type" in one and "seawall.waited_ms" in one for one in told[:-1])
        assert told[-1].keys() == {"seawall.attempt"} or "seawall.retry_refused" in told[-1] or "error.type" in told[-1]
    assert any(told[-1].keys() == {"seawall.attempt"} for told in with_trouble), "one was answered in the end"
    quiet = [span for span in spans if not attempts(span)]
    assert quiet, "a call that went well has no events"


def enough(tracer: Any) -> bool:
    spans = tracer.exporter.get_finished_spans()
    return sum(len(attempts(span)) >= 2 and attempts(span)[-1].keys() == {"seawall.attempt"} for span in spans) >= 3


def test_each_attempt_is_an_event_on_the_span_of_its_thread(server, told, tracer) -> None:
    seawall.otel.install(metrics=False)
    r = seawall.Redis.from_url(server.url, retry_budget=100)
    with tracer.start_as_current_span("quiet"):
        r.get("a")

    def calls() -> None:
        end = time.monotonic() + 15
        while not enough(tracer) and time.monotonic() < end:
            with tracer.start_as_current_span("call"), contextlib.suppress(redis.RedisError):
                r.get("a")
            with tracer.start_as_current_span("call"), contextlib.suppress(redis.RedisError):
                r.pipeline(transaction=False).get("a").get("b").execute()

    with killing(server):
        threads = [threading.Thread(target=calls) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    check(tracer.exporter.get_finished_spans())


def test_each_attempt_is_an_event_on_the_span_of_its_task(server, told, tracer) -> None:
    seawall.otel.install(metrics=False)

    async def main() -> None:
        r = seawall.asyncio.Redis.from_url(server.url, retry_budget=100)
        with tracer.start_as_current_span("quiet"):
            await r.get("a")

        async def calls() -> None:
            end = time.monotonic() + 15
            while not enough(tracer) and time.monotonic() < end:
                with tracer.start_as_current_span("call"), contextlib.suppress(redis.RedisError):
                    await r.get("a")
                with tracer.start_as_current_span("call"), contextlib.suppress(redis.RedisError):
                    await r.pipeline(transaction=False).get("a").get("b").execute()

        with killing(server):
            await asyncio.gather(*(calls() for _ in range(5)))
        await r.aclose()

    asyncio.run(main())
    check(tracer.exporter.get_finished_spans())


def check_refused(span: Any, error: Any) -> None:
    told = attempts(span)
    assert error.cause == "read-only" and len(told) == error.attempts > 1
    assert [one["seawall.attempt"] for one in told] == list(range(1, error.attempts + 1))
    assert {one["error.type"] for one in told[:-1]} == {"read-only"}
    assert told[-1] == {"seawall.attempt": error.attempts, "error.type": "_OTHER"}


def test_a_write_that_is_refused_again_has_an_event_for_each_attempt(server, told, tracer) -> None:
    seawall.otel.install(metrics=False)
    r = seawall.Redis.from_url(server.url)
    r.ping()
    server.admin().replicaof("127.0.0.1", 1)
    with tracer.start_as_current_span("call") as span, pytest.raises(redis.exceptions.ReadOnlyError) as caught:
        r.incr("a")
    check_refused(span, caught.value)


def test_a_write_of_a_task_that_is_refused_again_has_an_event_for_each_attempt(server, told, tracer) -> None:
    seawall.otel.install(metrics=False)

    async def main() -> None:
        async with seawall.asyncio.Redis.from_url(server.url) as r:
            await r.ping()
            server.admin().replicaof("127.0.0.1", 1)
            with tracer.start_as_current_span("call") as span, pytest.raises(redis.exceptions.ReadOnlyError) as caught:
                await r.incr("a")
            check_refused(span, caught.value)

    asyncio.run(main())


@pytest.fixture
def spanning(told) -> Iterator[Any]:
    """A provider by which our own spans are made, and its exporter."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = [seawall.Redis.__dict__["_execute_command"], seawall.Redis.pipeline]
    seawall.otel.install(metrics=False, command_spans=True, tracer_provider=provider)
    seawall.otel.install(metrics=False, command_spans=True, tracer_provider=provider)
    yield exporter
    seawall.otel.uninstall()
    assert [seawall.Redis.__dict__["_execute_command"], seawall.Redis.pipeline] == before


PLAIN = {"db.system.name": "redis", "db.namespace": "0", "server.address": "127.0.0.1",
         "network.peer.address": "127.0.0.1"}


def check_own_spans(spans: Any, port: int) -> None:
    at = PLAIN | {"server.port": port, "network.peer.port": port}
    assert [(span.name, dict(span.attributes)) for span in spans] == [
        ("SET", at | {"db.operation.name": "SET"}),
        ("LPUSH", at | {"db.operation.name": "LPUSH", "error.type": "WRONGTYPE", "db.response.status_code": "WRONGTYPE"}),
        ("MULTI", at | {"db.operation.name": "MULTI", "db.operation.batch.size": 2}),
        ("PIPELINE GET", at | {"db.operation.name": "PIPELINE GET", "db.operation.batch.size": 3}),
        ("PIPELINE INCRBY", at | {"db.operation.name": "PIPELINE INCRBY"}),
        ("WATCH", at | {"db.operation.name": "WATCH"}),
        ("GET", at | {"db.operation.name": "GET"}),
        ("MULTI SET", at | {"db.operation.name": "MULTI SET"}),
        ("BLPOP", at | {"db.operation.name": "BLPOP"}),
        ("SELECT", at | {"db.operation.name": "SELECT"}),
    ]
    assert all(span.kind is trace.SpanKind.CLIENT for span in spans)
    assert [span.name for span in spans if span.status.status_code is trace.StatusCode.ERROR] == ["LPUSH"]
    assert "secret" not in "".join(span.to_json() for span in spans), "no key and no value"


def test_our_own_spans_are_one_for_each_command_and_pipeline(server, spanning) -> None:
    r = seawall.Redis.from_url(server.url)
    r.set("secret", 1)
    with pytest.raises(redis.ResponseError):
        r.lpush("secret", 1)
    r.pipeline().set("secret", 1).get("secret").execute()
    r.pipeline(transaction=False).get("secret").get("secret").get("b").execute()
    r.pipeline(transaction=False).incr("secret").execute()
    with r.pipeline() as pipe:
        pipe.watch("secret")
        pipe.get("secret")
        pipe.multi()
        pipe.set("secret", 2)
        pipe.execute()
        pipe.execute()
    r.blpop("nothing", timeout=0.01)
    r.select(0)
    check_own_spans(spanning.get_finished_spans(), server.port)


def test_our_own_spans_are_one_for_each_command_and_pipeline_of_a_task(server, spanning) -> None:
    async def main() -> None:
        r = seawall.asyncio.Redis.from_url(server.url)
        await r.set("secret", 1)
        with pytest.raises(redis.ResponseError):
            await r.lpush("secret", 1)
        await r.pipeline().set("secret", 1).get("secret").execute()
        await r.pipeline(transaction=False).get("secret").get("secret").get("b").execute()
        await r.pipeline(transaction=False).incr("secret").execute()
        async with r.pipeline() as pipe:
            await pipe.watch("secret")
            await pipe.get("secret")
            pipe.multi()
            pipe.set("secret", 2)
            await pipe.execute()
            await pipe.execute()
        await r.blpop("nothing", timeout=0.01)
        await r.select(0)
        await r.aclose()

    asyncio.run(main())
    check_own_spans(spanning.get_finished_spans(), server.port)


def test_a_span_of_ours_says_why_its_command_failed_and_whether_it_may_have_run(server, spanning) -> None:
    # A name: the address is that of the connection.
    r = seawall.Redis(host="localhost", port=server.port, deadline=0.3)
    r.ping()
    server.freeze()
    with pytest.raises(redis.TimeoutError):
        r.incr("secret")
    server.kill()
    with pytest.raises(redis.ConnectionError):
        seawall.Redis.from_url(server.url, deadline=0.3, ride_out=0.001).get("secret")
    _, lost, refused = spanning.get_finished_spans()
    assert lost.attributes["error.type"] == "server-unresponsive" or "timeout" in lost.attributes["error.type"]
    assert lost.attributes["seawall.may_have_run"] is True
    assert attempts(lost)[-1]["seawall.retry_refused"]
    assert lost.attributes["server.address"] == "localhost"
    assert lost.attributes["network.peer.address"] in ("127.0.0.1", "::1")
    assert refused.attributes["error.type"] == "connection-refused"
    assert refused.attributes["seawall.may_have_run"] is False
    assert "db.response.status_code" not in refused.attributes


def test_an_instrumentation_that_comes_later_takes_over_and_gives_back(url, spanning) -> None:
    theirs = pytest.importorskip("opentelemetry.instrumentation.redis").RedisInstrumentor()
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    r = seawall.Redis.from_url(url)

    async def of_task() -> None:
        async with seawall.asyncio.Redis.from_url(url) as r:
            await r.ping()
            await r.pipeline().ping().ping().execute()

    for instrumented in (False, True, False):
        if instrumented:
            theirs.instrument(tracer_provider=provider)
        r.ping()
        r.pipeline().ping().ping().execute()
        asyncio.run(of_task())
        if instrumented:
            theirs.uninstrument()
    assert [span.name for span in exporter.get_finished_spans()] == ["PING", "PING PING"] * 2
    assert [span.name for span in spanning.get_finished_spans()] == ["PING", "MULTI PING"] * 4


def test_suppressed_instrumentation_makes_no_span(url, spanning) -> None:
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    with suppress_instrumentation():
        seawall.Redis.from_url(url).ping()
    assert not spanning.get_finished_spans()


def test_nothing_is_traced_where_nobody_asked(server, tracer) -> None:
    r = seawall.Redis.from_url(server.url, deadline=0.3)
    r.ping()
    server.freeze()
    with tracer.start_as_current_span("call") as span, contextlib.suppress(redis.RedisError):
        r.incr("a")
    server.thaw()
    assert not attempts(span)


def run(program: str, *args: str) -> Any:
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), *args], capture_output=True, text=True, timeout=60
    )
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout.splitlines()[-1])


COMMANDS = """
    def commands(r):
        r.set("k", "v"); r.get("k"); r.blpop("nothing", timeout=0.01); r.select(1)
        r.pipeline().set("a", 1).get("a").execute()

    async def of_tasks(url):
        r = seawall.asyncio.Redis.from_url(url)
        await r.set("k", "v"); await r.get("k"); await r.blpop("nothing", timeout=0.01)
        await r.pipeline().set("a", 1).get("a").execute()
        await r.aclose()
"""


def test_sentry_sees_each_command_once(url) -> None:
    pytest.importorskip("sentry_sdk")
    spans = run(
        textwrap.dedent(
            """
            import asyncio, json, sys, sentry_sdk
            from sentry_sdk.integrations.redis import RedisIntegration
            from sentry_sdk.transport import Transport
            got = []
            class Keep(Transport):
                def capture_envelope(self, envelope):
                    got.extend(item.payload.json for item in envelope.items if item.type == "transaction")
            sentry_sdk.init(dsn="http://key@localhost/1", transport=Keep, traces_sample_rate=1.0, integrations=[RedisIntegration()])
            import seawall, seawall.asyncio
            """
        )
        + textwrap.dedent(COMMANDS)
        + textwrap.dedent(
            """
            with sentry_sdk.start_transaction(name="threads"):
                commands(seawall.Redis.from_url(sys.argv[1]))
            with sentry_sdk.start_transaction(name="tasks"):
                asyncio.run(of_tasks(sys.argv[1]))
            sentry_sdk.flush(5)
            print(json.dumps({one["transaction"]: [span["description"].split()[0] for span in one["spans"] if span["op"] == "db.redis"]
                              for one in got}))
            """
        ),
        url,
    )
    assert spans["threads"] == ["SET", "GET", "BLPOP", "SELECT", "redis.pipeline.execute"]
    assert spans["tasks"] == ["SET", "GET", "BLPOP", "redis.pipeline.execute"]


def test_opentelemetrys_own_instrumentation_sees_each_command_once_beside_ours(url) -> None:
    pytest.importorskip("opentelemetry.instrumentation.redis")
    spans, metrics = run(
        textwrap.dedent(
            """
            import asyncio, json, sys
            from opentelemetry.instrumentation.redis import RedisInstrumentor
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import InMemoryMetricReader
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import SimpleSpanProcessor
            from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
            exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
            provider = TracerProvider()
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            RedisInstrumentor().instrument(tracer_provider=provider)
            import seawall, seawall.asyncio
            seawall.otel.install(MeterProvider([reader]), command_spans=True, tracer_provider=provider)
            """
        )
        + textwrap.dedent(COMMANDS)
        + textwrap.dedent(
            """
            commands(seawall.Redis.from_url(sys.argv[1]))
            asyncio.run(of_tasks(sys.argv[1]))
            names = [span.name for span in exporter.get_finished_spans()]
            found = reader.get_metrics_data().resource_metrics[0].scope_metrics
            print(json.dumps([names, [metric.name for scope in found for metric in scope.metrics]]))
            """
        ),
        url,
    )
    assert spans == ["SET", "GET", "BLPOP", "SELECT", "SET GET", "SET", "GET", "BLPOP", "SET GET"]
    assert "seawall.calls" in metrics and len(metrics) == len(set(metrics))


def test_a_command_of_opentelemetrys_instrumentation_is_one_span_with_our_attempts_on_it(server) -> None:
    pytest.importorskip("opentelemetry.instrumentation.redis")
    calls, spans, events = run(
        """
        import asyncio, contextlib, json, sys, threading, time, redis
        from opentelemetry.instrumentation.redis import RedisInstrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        RedisInstrumentor().instrument(tracer_provider=provider)
        import seawall, seawall.asyncio
        seawall.otel.install(metrics=False, command_spans=True, tracer_provider=provider)
        from redis.connection import Connection
        stop = threading.Event()
        def kill():
            admin = Connection(port=int(sys.argv[2]))
            while not stop.is_set():
                admin.send_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); admin.read_response()
                stop.wait(0.002)
        killer = threading.Thread(target=kill); killer.start()
        calls = 0
        def told(): return sum(bool(span.events) and "seawall.attempt" in span.events[0].name
                               for span in exporter.get_finished_spans())
        r = seawall.Redis.from_url(sys.argv[1], retry_budget=100)
        end = time.monotonic() + 15
        while told() < 3 and time.monotonic() < end:
            calls += 1
            with contextlib.suppress(redis.RedisError): r.get("a")
        async def main():
            global calls
            r = seawall.asyncio.Redis.from_url(sys.argv[1], retry_budget=100)
            while told() < 6 and time.monotonic() < end:
                calls += 1
                with contextlib.suppress(redis.RedisError): await r.get("a")
            await r.aclose()
        asyncio.run(main())
        stop.set(); killer.join()
        spans = exporter.get_finished_spans()
        events = [[event.name for event in span.events] for span in spans if span.events]
        print(json.dumps([calls, [span.name for span in spans], events]))
        """,
        server.url,
        str(server.port),
    )
    assert spans == ["GET"] * calls
    assert len(events) >= 6 and all("seawall.attempt" in names for names in events)
