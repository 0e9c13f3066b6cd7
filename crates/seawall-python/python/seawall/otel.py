"""OpenTelemetry: metrics of Seawall's own, and an event on the current span for each attempt of a call that had trouble.

Nothing of it is done before :func:`install` is called. Spans for commands are made by OpenTelemetry's own instrumentation of
redis-py, which sees each command of Seawall's clients once; where it is not installed, by this module if it is asked.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from . import _families, _spans, _state, _trace
from ._ext import __version__

__all__ = ["install", "uninstall"]

_lock = threading.Lock()
#: Providers that have our instruments; they cannot be taken back.
_metered: list[Any] = []
_on = False


def install(
    meter_provider: Any = None,
    *,
    metrics: bool = True,
    spans: bool = True,
    command_spans: bool = False,
    tracer_provider: Any = None,
) -> None:
    """Begins to tell OpenTelemetry: metrics through ``meter_provider`` (by default the global one), and span events.

    With ``command_spans`` each command and pipeline of ``seawall.Redis`` and ``seawall.asyncio.Redis`` is a span by
    ``tracer_provider`` (by default the global one) too, except where OpenTelemetry's instrumentation of redis-py makes one.

    Needs ``opentelemetry-api``. In a process that forks workers, call it in each of them, where its SDK is set up.
    """
    global _on
    try:
        from opentelemetry import metrics as _metrics
        from opentelemetry import trace
    except ImportError as error:
        raise ImportError("seawall.otel needs opentelemetry-api (pip install opentelemetry-api)") from error
    if metrics:
        with _lock:
            provider = meter_provider or _metrics.get_meter_provider()
            if not any(known is provider for known in _metered):
                _metered.append(provider)
                _instruments(provider.get_meter("seawall", __version__), _metrics.Observation)
        _on = True
    if spans:
        _trace.install(lambda attempts, answered: _attempts(trace.get_current_span(), attempts, answered))
    if command_spans:
        _spans.install(trace.get_tracer("seawall", __version__, tracer_provider))


def uninstall() -> None:
    """Tells nothing any more. Instruments stay with their provider, without values."""
    global _on
    _on = False
    _trace.install(None)
    _spans.install(None)


# -- spans --

#: OpenTelemetry's word for an error that has no name.
_OTHER = "_OTHER"


def _attempts(span: Any, attempts: list[Any], answered: bool | None) -> None:
    if not span.is_recording():
        return
    number = 0
    refused = False
    for told, cause, waited, why in attempts:
        number = told or number + 1
        facts: dict[str, Any] = {"seawall.attempt": number, "error.type": cause}
        if why is None:
            facts["seawall.waited_ms"] = waited
        else:
            facts["seawall.retry_refused"] = why
            refused = True
        span.add_event("seawall.attempt", facts)
    if answered is not None and not refused:
        # It was sent, and is told of here alone. Why it failed is not known here: the call's own error says it.
        last: dict[str, Any] = {"seawall.attempt": number + 1}
        span.add_event("seawall.attempt", last if answered else {**last, "error.type": _OTHER})


# -- metrics --

#: One look at the counters serves all instruments of a collection.
_FRESH = 0.2
_seen: tuple[float, _families.Values] = (-_FRESH, {})


def _values() -> _families.Values:
    global _seen
    now = time.monotonic()
    if now - _seen[0] >= _FRESH:
        _seen = now, _families.values()
    return _seen[1]


def _instruments(meter: Any, observation: Any) -> None:
    told = _Times(meter)
    for family in _families.FAMILIES:
        if family.times:
            told.add(family)
            continue
        if family.counts:
            make = meter.create_observable_counter
        elif family.sums:
            make = meter.create_observable_up_down_counter
        else:
            make = meter.create_observable_gauge
        # The times are told with whatever is asked for first.
        ask = _reader(family, observation, told if family is _families.FAMILIES[0] else None)
        make(family.otel, [ask], unit=family.unit, description=family.help)


#: OpenTelemetry has no histogram that is observed: what was measured since the last collection is recorded one by one,
#: some 5 us each. Beyond so many of one instrument they are thinned, evenly: quantiles and means hold, counts are too low.
_RECORDS_MAX = 5_000


class _Times:
    """The histograms of one meter, and what was recorded to them."""

    def __init__(self, meter: Any) -> None:
        self._meter = meter
        self._instruments: list[tuple[str, Any]] = []
        self._told: dict[tuple[str, str, str], tuple[int, float]] = {}
        #: What thinning left over.
        self._rest: dict[tuple[str, str, str], float] = {}
        self._process = os.getpid()

    def add(self, family: _families.Family) -> None:
        about: dict[str, Any] = {"unit": family.unit, "description": family.help}
        try:
            made = self._meter.create_histogram(
                family.otel, explicit_bucket_boundaries_advisory=list(_families.BOUNDS), **about
            )
        except TypeError:
            # Before 1.28 it takes no bounds: a view may give them.
            made = self._meter.create_histogram(family.otel, **about)
        self._instruments.append((str(family.times), made))

    def tell(self) -> None:
        """Records what was measured since the last time."""
        if self._process != os.getpid():
            # A forked child counts anew.
            self._process, self._told, self._rest = os.getpid(), {}, {}
        endpoints = _state._endpoints()
        for key, instrument in self._instruments:
            for endpoint, one in endpoints.items():
                self._record(key, instrument, endpoint, one[key]["buckets"])

    def _record(self, key: str, instrument: Any, endpoint: str, buckets: dict[str, tuple[int, float]]) -> None:
        fresh = []
        for bound, (count, seconds) in buckets.items():
            bucket = (key, endpoint, bound)
            before = self._told.get(bucket, (0, 0.0))
            self._told[bucket] = (count, seconds)
            if count > before[0]:
                # All of a bucket are recorded as their mean, which keeps the sum.
                more = count - before[0]
                fresh.append((bucket, more, max(0.0, seconds - before[1]) / more))
        # Of each endpoint by itself: a busy one takes nothing from the others.
        share = min(1.0, _RECORDS_MAX / max(1, sum(more for _, more, _ in fresh)))
        for bucket, more, mean in fresh:
            attributes = _attributes(((_families._POOL, endpoint),))
            due = more * share + self._rest.get(bucket, 0.0)
            self._rest[bucket] = due % 1.0
            for _ in range(int(due)):
                instrument.record(mean, attributes)


def _reader(family: _families.Family, observation: Any, times: _Times | None) -> Callable[[Any], Iterable[Any]]:
    def read(options: Any) -> Iterable[Any]:
        if not _on:
            return []
        if times is not None:
            times.tell()
        return [
            observation(value, _attributes(labels)) for labels, value in _values().get(family.name, {}).items()
        ]

    return read


_ATTRIBUTES = {
    "cause": "error.type",
    "outcome": "seawall.outcome",
    "policy": "seawall.policy",
    "what": "seawall.what",
    "db_client_connection_pool_name": "db.client.connection.pool.name",
    "db_client_connection_state": "db.client.connection.state",
}


def _attributes(labels: _families.Labels) -> dict[str, Any]:
    attributes: dict[str, Any] = {"db.system.name": "redis"}
    for name, text in labels:
        if name != "endpoint":
            attributes[_ATTRIBUTES[name]] = text
        if name in ("endpoint", "db_client_connection_pool_name"):
            host, colon, port = text.rpartition(":")
            attributes["server.address"] = host.strip("[]") if colon and port.isdigit() else text
            if colon and port.isdigit():
                attributes["server.port"] = int(port)
    return attributes
