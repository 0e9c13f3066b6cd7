"""The server is there and serves nobody: it loads, is busy, has no primary, or has no room for a client."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


CAUSES = ("loading", "master-down", "cluster-down", "busy", "max-clients")


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        trouble = server.trouble
        if trouble and trouble.cause in CAUSES:
            yield Said(server.target.server, f"{trouble.text} ({trouble.cause})", trouble.hint)
