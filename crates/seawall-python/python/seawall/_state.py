"""How things stand in this process: ``seawall.stats()`` and ``seawall.health()``."""

from __future__ import annotations

import os
from typing import Any

from . import _ext, _guard, _registry, events
from ._mode import MODE, OBSERVE

_RANK = {"up": 0, "suspect": 1, "down": 2}
#: What only grows, and is kept when a client is let go of.
COUNTERS = ("outages", "calls", "answered", "refused", "may_have_run", "retried", "retries_refused", "dialled")
BY_CAUSE = ("failed", "lost", "dials_failed")
TIMES = ("create_time", "wait_time", "use_time")
_GAUGES = ("size", "idle", "in_use", "dialling", "waiting", "journal_bytes")

#: Troubles of this process alone: another instance may do better.
_OWN = frozenset({"local-limit", "connect-forbidden"})


def stats() -> dict[str, Any]:
    """All that this process counted, of threads and of asyncio, by endpoint: see docs/python/observability.md.

    Plain numbers and texts: it can be a JSON body. A forked child counts anew.
    """
    try:
        waiting, dropped = _ext.events_count()
    except OSError:
        # No descriptor is left for the queue: what else is known is told all the same.
        waiting, dropped = 0, 0
    return {
        "mode": MODE,
        "pid": os.getpid(),
        "endpoints": _endpoints(),
        "guards": _guard.by_name(),
        "events": {"waiting": waiting, "dropped": dropped + events.dropped, "listeners": len(events._listeners)},
    }


def _endpoints() -> dict[str, dict[str, Any]]:
    endpoints: dict[str, dict[str, Any]] = {}
    # Links first: one that goes away in between is held here, and not yet among the gone.
    links = _registry.links()
    for link in links:
        one = link.stats_here()
        if one is not None:
            _join(endpoints.setdefault(one["endpoint"], _blank()), one)
    for endpoint, counted in _ext.gone().items():
        _add(endpoints.setdefault(endpoint, _blank()), counted)
    if MODE == OBSERVE:
        from . import _observed

        for observer in _observed.observers():
            endpoints.setdefault(observer.endpoint, _blank())["observed"] = observer.as_dict()
    return endpoints


def _blank() -> dict[str, Any]:
    blank: dict[str, Any] = {"links": 0, "state": None, "cause": None, "lasting": None, "writes_refused": None, "rejected": None}
    blank.update((name, 0) for name in (*COUNTERS, *_GAUGES))
    blank.update((name, {}) for name in BY_CAUSE)
    blank.update((name, {"count": 0, "sum": 0.0, "buckets": {}}) for name in TIMES)
    blank["run_id"] = None
    return blank


def _join(sum: dict[str, Any], one: dict[str, Any]) -> None:
    sum["links"] += 1
    before = _RANK.get(sum["state"], -1), sum["lasting"] or 0.0
    if (_RANK.get(one["state"], 0), one["lasting"] or 0.0) > before:
        sum.update((name, one[name]) for name in ("state", "cause", "lasting"))
    for name in ("writes_refused", "rejected", "run_id"):
        sum[name] = one[name] if one[name] is not None else sum[name]
    for name in _GAUGES:
        sum[name] += one[name]
    _add(sum, one)


def _add(sum: dict[str, Any], one: dict[str, Any]) -> None:
    for name in COUNTERS:
        sum[name] += one.get(name, 0)
    for name in BY_CAUSE:
        for cause, count in one.get(name, {}).items():
            sum[name][cause] = sum[name].get(cause, 0) + count
    for name in TIMES:
        if name in one:
            _add_times(sum[name], one[name])


def _add_times(sum: dict[str, Any], one: dict[str, Any]) -> None:
    sum["count"] += one["count"]
    sum["sum"] += one["sum"]
    for bound, (count, seconds) in one["buckets"].items():
        before = sum["buckets"].get(bound, (0, 0.0))
        sum["buckets"][bound] = [before[0] + count, before[1] + seconds]


def health() -> dict[str, Any]:
    """Whether this process lives, is ready, and is degraded, with the reasons; it can be a JSON body.

    ``ready`` does not follow Redis: in an outage every instance has the same trouble, and a load balancer that went by
    that would take all of them away at once, with everything that they can do without Redis. It is false for what this
    process alone may have: a server that never let it in (wrong password, wrong host name, no Redis there: a release that
    must not be rolled out), or no descriptors of its own left. ``degraded`` says that Redis, or writing to it, is away.
    """
    for link in _registry.links():
        here = link.stats_here()
        if here is not None and here["rejected"] is not None:
            # An instance that is not ready gets no calls that would find out that it is let in by now.
            link.look_again()
    reasons: list[dict[str, Any]] = []
    states: dict[str, Any] = {}
    for endpoint, one in _endpoints().items():
        if one["state"] is None:
            continue
        states[endpoint] = one["state"]

        def reason(name: str, cause: str, ready: bool) -> None:
            reasons.append({"endpoint": endpoint, "reason": name, "cause": cause, "ready": ready})

        if one["state"] == "down":
            reason("outage", one["cause"], one["cause"] not in _OWN)
            reasons[-1]["lasting"] = round(one["lasting"], 3)
        if one["writes_refused"] is not None:
            reason("writes-refused", one["writes_refused"], True)
        if one["rejected"] is not None:
            reason("turned-away", one["rejected"], False)
    return {
        "live": True,
        "ready": all(one["ready"] for one in reasons),
        "degraded": bool(reasons),
        "reasons": reasons,
        "endpoints": states,
        "mode": MODE,
    }
