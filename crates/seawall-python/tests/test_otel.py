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
    assert not any(points(reader).values())


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
            seawall.otel.install(MeterProvider([reader]))
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
