"""More than nine tenths of maxmemory are used under noeviction: soon writes are refused."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        used, most = server.number("used_memory"), server.number("maxmemory")
        if not used or not most or server.text("maxmemory-policy") != "noeviction":
            continue
        if most * 0.9 < used < most:
            yield Said(
                server.target.server,
                f"{used * 100 // most} % of maxmemory are used, and nothing is evicted",
                "raise maxmemory, or find what grows: redis-cli --bigkeys",
            )
