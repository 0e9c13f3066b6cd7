"""A server for a cache alone evicts nothing.

With maxmemory reached under noeviction every write is refused (OOM): the cache holds what was written first, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        places = world.at(server)
        if not places or any(place.uses != {"cache"} for place in places):
            continue
        if server.number("maxmemory") and server.text("maxmemory-policy") == "noeviction":
            yield Said(
                server.target.server,
                "only a cache stands on it, and when maxmemory is reached its writes are refused (noeviction)",
                "CONFIG SET maxmemory-policy allkeys-lru",
            )
