"""The URL leads to a Sentinel, which knows where the primary is and keeps no data."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        if (server.info or {}).get("redis_mode") == "sentinel":
            yield Said(
                server.target.server,
                "this is a Sentinel: it refuses every command about data",
                "ask it for the primary: redis.sentinel.Sentinel([(host, port)]).master_for(name)",
            )
