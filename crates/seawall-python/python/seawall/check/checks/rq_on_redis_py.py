"""RQ's queue is on redis-py's connections.

A lost reply to `enqueue` is repeated by redis-py's own retries, and then the job runs twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.named("queue") and not place.ours:
            yield Said(
                place.where,
                "a job may be queued twice after one lost reply",
                "Queue(connection=seawall.Redis.from_url(..)), and: rq worker --connection-class seawall.Redis",
            )
