"""OpenTelemetry: metrics of Seawall's own, and an event on the current span for each attempt of a call that had trouble.

Nothing of it is done before :func:`install` is called. Spans for commands, and how long they take, are OpenTelemetry's own
instrumentation of redis-py, and redis-py's own metrics: both see each command of Seawall's clients once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from . import _families, _trace
from ._ext import __version__

__all__ = ["install", "uninstall"]

_lock = threading.Lock()
#: Providers that have our instruments; they cannot be taken back.
_metered: list[Any] = []
_on = False


def install(meter_provider: Any = None, *, metrics: bool = True, spans: bool = True) -> None:
    """Begins to tell OpenTelemetry: metrics through ``meter_provider`` (by default the global one), and span events.

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


def uninstall() -> None:
    """Tells nothing any more. Instruments stay with their provider, without values."""
    global _on
    _on = False
    _trace.install(None)


# -- spans --


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
    if answered and not refused:
        span.add_event("seawall.attempt", {"seawall.attempt": number + 1})


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
    for family in _families.FAMILIES:
        if family.counts:
            make = meter.create_observable_counter
        elif family.sums:
            make = meter.create_observable_up_down_counter
        else:
            make = meter.create_observable_gauge
        make(family.otel, [_reader(family, observation)], unit=family.unit, description=family.help)


def _reader(family: _families.Family, observation: Any) -> Callable[[Any], Iterable[Any]]:
    def read(options: Any) -> Iterable[Any]:
        if not _on:
            return []
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
