"""TCP keepalive is switched off: a peer that vanished is noticed only when a call fails."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.target.path is not None:
            continue
        value = (place.target.option("keepalive", "socket_keepalive") or "").lower()
        if value in ("off", "false", "0", "no", "n", "f"):
            yield Said(place.where, "the URL switches TCP keepalive off", "remove the option; Seawall's default is 30s")
