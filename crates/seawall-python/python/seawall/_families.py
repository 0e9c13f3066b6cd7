"""What is counted, as metrics: one table for Prometheus and OpenTelemetry.

Labels are endpoints, causes, outcomes and policies: all of short lists, none of them from keys or values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from . import _ext, _guard, _state

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


@dataclasses.dataclass(frozen=True)
class Family:
    """One metric: its names, and how its samples come from the statistics of an endpoint or a guard."""

    name: str
    otel: str
    unit: str
    help: str
    #: Sums over processes; otherwise the largest of them.
    sums: bool
    read: Callable[[str, dict[str, Any]], Iterator[Sample]]
    #: Whose statistics they are: ``endpoints`` or ``guards``.
    of: str = "endpoints"

    #: Which of :data:`_state.TIMES` it is: then its samples are those of Prometheus' histograms, with the bounds in a
    #: label ``le``, and the sum at :data:`SUM`.
    times: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it only grows."""
        return self.times is not None or self.name.endswith("_total")


def _each(key: str) -> Callable[[str, dict[str, Any]], Iterator[Sample]]:
    def read(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
        yield (("endpoint", endpoint),), one[key]

    return read


def _by_cause(key: str) -> Callable[[str, dict[str, Any]], Iterator[Sample]]:
    def read(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
        for cause, count in sorted(one[key].items()):
            yield (("endpoint", endpoint), ("cause", cause)), count

    return read


def _calls(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    yield (("endpoint", endpoint), ("outcome", "answered")), one["answered"]
    yield (("endpoint", endpoint), ("outcome", "failed")), sum(one["failed"].values())


def _retries(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    yield (("endpoint", endpoint), ("outcome", "sent")), one["retried"]
    yield (("endpoint", endpoint), ("outcome", "refused")), one["retries_refused"]


def _answers(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    yield (("endpoint", endpoint), ("policy", "fail")), one["refused"]


def _state_of(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    if one["state"] is not None:
        yield (("endpoint", endpoint),), {"up": 0, "suspect": 1, "down": 2}[one["state"]]


def _refuses(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    if one["state"] is not None:
        yield (("endpoint", endpoint),), int(one["writes_refused"] is not None)


def _observed(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    seen = one.get("observed")
    if seen is not None:
        for what in ("would_refuse", "would_retry", "would_not_retry", "retried"):
            yield (("endpoint", endpoint), ("what", what)), seen[what]
        yield (("endpoint", endpoint), ("what", "doubled")), sum(seen["doubled"].values())


_POOL, _STATE = "db_client_connection_pool_name", "db_client_connection_state"


def _connections(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    if one["state"] is not None:
        yield ((_POOL, endpoint), (_STATE, "idle")), one["idle"]
        yield ((_POOL, endpoint), (_STATE, "used")), one["in_use"]


def _of_pool(key: str) -> Callable[[str, dict[str, Any]], Iterator[Sample]]:
    def read(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
        if one["state"] is not None:
            yield ((_POOL, endpoint),), one[key]

    return read


#: The buckets' upper bounds, in seconds, as Prometheus writes them; the last bucket has none.
BOUNDS = tuple(_ext.histogram_bounds())
_LE = (*(f"{bound:g}" for bound in BOUNDS), "+Inf")
#: Where the sum of a histogram stands among its samples.
SUM = ("le", "sum")


def _times(key: str) -> Callable[[str, dict[str, Any]], Iterator[Sample]]:
    def read(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
        times = one[key]
        if not times["count"]:
            return
        pool = (_POOL, endpoint)
        so_far = 0
        for bound in _LE:
            so_far += times["buckets"].get(bound, (0, 0.0))[0]
            yield (pool, ("le", bound)), so_far
        yield (pool, SUM), times["sum"]

    return read


def _measured(key: str, help: str) -> Family:
    name = f"db.client.connection.{key}"
    return Family(name.replace(".", "_") + "_seconds", name, "s", help, True, _times(key), times=key)


def _none_idle(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    if one["state"] is not None:
        yield ((_POOL, endpoint),), 0


def _timeouts(endpoint: str, one: dict[str, Any]) -> Iterator[Sample]:
    yield ((_POOL, endpoint),), one["failed"].get("pool-exhausted", 0)


_OUTCOMES = ("succeeded", "failed", "abandoned", "refused")


def _guard_state(name: str, one: dict[str, Any]) -> Iterator[Sample]:
    if one["state"] is not None:
        yield (("guard", name),), _guard.RANK[one["state"]]


def _guard_calls(name: str, one: dict[str, Any]) -> Iterator[Sample]:
    for outcome in _OUTCOMES:
        yield (("guard", name), ("outcome", outcome)), one[outcome]


def _guard_retries(name: str, one: dict[str, Any]) -> Iterator[Sample]:
    yield (("guard", name), ("outcome", "made")), one["retries"]
    yield (("guard", name), ("outcome", "unpaid")), one["retries_unpaid"]


FAMILIES = (
    Family(
        "seawall_calls_total", "seawall.calls", "{call}",
        "Calls that ended, by whether they were answered.",
        True, _calls,
    ),
    Family(
        "seawall_call_failures_total", "seawall.call.failures", "{call}",
        "Calls that failed, by cause.",
        True, _by_cause("failed"),
    ),
    Family(
        "seawall_outcome_unknown_total", "seawall.outcome.unknown", "{call}",
        "Calls that failed and may have run.",
        True, _each("may_have_run"),
    ),
    Family(
        "seawall_retries_total", "seawall.retries", "{call}",
        "Failed calls that were sent again, or were not.",
        True, _retries,
    ),
    Family(
        "seawall_outage_answers_total", "seawall.outage.answers", "{call}",
        "Calls answered without the server, by policy.",
        True, _answers,
    ),
    Family(
        "seawall_outages_total", "seawall.outages", "{outage}",
        "Outages.",
        True, _each("outages"),
    ),
    Family(
        "seawall_breaker_state", "seawall.breaker.state", "1",
        "How the endpoint is: 0 up, 1 suspect, 2 down.",
        False, _state_of,
    ),
    Family(
        "seawall_writes_refused", "seawall.writes.refused", "1",
        "Whether the server refuses writes and answers reads.",
        False, _refuses,
    ),
    Family(
        "seawall_disconnects_total", "seawall.disconnects", "{connection}",
        "Connections that ended under us, by cause.",
        True, _by_cause("lost"),
    ),
    Family(
        "seawall_dials_total", "seawall.dials", "{connection}",
        "Connections that were made, probes included.",
        True, _each("dialled"),
    ),
    Family(
        "seawall_dial_failures_total", "seawall.dial.failures", "{connection}",
        "Attempts to connect that failed, by cause.",
        True, _by_cause("dials_failed"),
    ),
    Family(
        "db_client_connection_count", "db.client.connection.count", "{connection}",
        "Connections of the pool, by state.",
        True, _connections,
    ),
    Family(
        "db_client_connection_max", "db.client.connection.max", "{connection}",
        "Connections that plain commands may have.",
        True, _of_pool("size"),
    ),
    Family(
        "db_client_connection_idle_max", "db.client.connection.idle.max", "{connection}",
        "Connections that may be kept at rest.",
        True, _of_pool("size"),
    ),
    Family(
        "db_client_connection_idle_min", "db.client.connection.idle.min", "{connection}",
        "Connections that are kept at rest in any case: none.",
        True, _none_idle,
    ),
    Family(
        "db_client_connection_pending_requests", "db.client.connection.pending_requests", "{request}",
        "Calls that wait for a connection.",
        True, _of_pool("waiting"),
    ),
    Family(
        "db_client_connection_timeouts_total", "db.client.connection.timeouts", "{timeout}",
        "Calls for which no connection became free by their deadline.",
        True, _timeouts,
    ),
    _measured("create_time", "How long it took to make a connection: name, dial, TLS and login."),
    _measured("wait_time", "How long a call waited until it was given a connection."),
    _measured("use_time", "How long a call had its connection."),
    Family(
        "seawall_observed_total", "seawall.observed", "{call}",
        "What SEAWALL=observe saw redis-py do, and what Seawall would have done.",
        True, _observed,
    ),
    Family(
        "seawall_journal_bytes", "seawall.journal.bytes", "By",
        "Bytes of records that journals hold in memory.",
        True, _each("journal_bytes"),
    ),
    Family(
        "seawall_guard_state", "seawall.guard.state", "1",
        "How the guard stands: 0 closed, 1 half-open, 2 open, 3 isolated, 4 disabled.",
        False, _guard_state, "guards",
    ),
    Family(
        "seawall_guard_calls_total", "seawall.guard.calls", "{call}",
        "Guarded calls, by what became of them.",
        True, _guard_calls, "guards",
    ),
    Family(
        "seawall_guard_retries_total", "seawall.guard.retries", "{call}",
        "Guarded calls that were made again, or were not for want of a budget.",
        True, _guard_retries, "guards",
    ),
)

BY_NAME = {family.name: family for family in FAMILIES}

Values = dict[str, dict[Labels, float]]


def values() -> Values:
    """What this process counted until now, by family and labels."""
    sources = {"endpoints": _state._endpoints(), "guards": _guard.by_name()}
    found: Values = {}
    for family in FAMILIES:
        samples = found[family.name] = {}
        for name, one in sources[family.of].items():
            samples.update(family.read(name, one))
    return found


def merge(sum: Values, one: Values, counters_only: bool = False) -> None:
    """Adds the values of another process."""
    for name, samples in one.items():
        family = BY_NAME.get(name)
        if family is None or (counters_only and not family.counts):
            continue
        into = sum.setdefault(name, {})
        for labels, value in samples.items():
            before = into.get(labels, 0)
            into[labels] = before + value if family.sums else max(before, value)
