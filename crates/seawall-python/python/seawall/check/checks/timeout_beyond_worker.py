"""A worker is killed before its call to Redis ends.

gunicorn's `timeout` or uWSGI's `harakiri` comes before the call's own deadline: instead of an error with its cause there
is a killed worker, and the connections of all its other requests with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for fleet in world.fleets:
        if fleet.killed_after is None:
            continue
        for place in world.places:
            if (
                place.timeout is not None
                and place.timeout >= fleet.killed_after
                and not place.named("broker", "results", "queue")
            ):
                yield Said(
                    place.where,
                    f"a call waits up to {place.timeout:g} s, and {fleet.where} are killed after {fleet.killed_after:g} s",
                    f"socket_timeout={max(1, int(fleet.killed_after // 5))}",
                )
