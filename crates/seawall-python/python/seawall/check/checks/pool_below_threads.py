"""A pool has fewer connections than its process has threads: threads wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        for fleet in world.fleets:
            if place.max_connections is not None and place.max_connections < fleet.threads:
                yield Said(
                    place.where,
                    f"max_connections is {place.max_connections}, and {fleet.where} have {fleet.threads} threads",
                    f"max_connections={fleet.threads}",
                )
