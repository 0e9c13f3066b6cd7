"""A call may wait longer than anybody who waits for it: more than ten seconds."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


LONG = 10.0


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.timeout is None or place.timeout <= LONG or place.named("queue"):
            continue
        fix = "redis_socket_timeout = 5" if place.named("results") else "socket_timeout=5"
        yield Said(place.where, f"a call waits up to {place.timeout:g} s for a frozen server", fix)
