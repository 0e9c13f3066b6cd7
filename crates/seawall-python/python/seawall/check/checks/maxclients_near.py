"""Four fifths of `maxclients` are connected.

A restart of the application, in which old and new processes are there at once, may meet the limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        most, now = server.number("maxclients"), server.number("connected_clients")
        if most and now is not None and now > most * 0.8:
            yield Said(
                server.target.server,
                f"{now} of {most} clients are connected",
                f"find who holds them: CLIENT LIST; else CONFIG SET maxclients {most * 2}",
            )
