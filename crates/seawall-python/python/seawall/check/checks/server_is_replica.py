"""The URL leads to a replica.

Writes are answered with READONLY. It happens when a name still leads to the old primary after a failover.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        info = server.info or {}
        if info.get("role") == "slave" and not all(place.reads_only for place in world.at(server)):
            primary = f"{info.get('master_host')}:{info.get('master_port')}"
            yield Said(
                server.target.server,
                f"the server is a replica of {primary}: writes are refused",
                f"let the URL lead to the primary, now {primary}",
            )
