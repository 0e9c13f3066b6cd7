"""What answers at the URL does not speak Redis's protocol: another service, or a port for TLS."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        trouble = server.trouble
        if trouble and trouble.cause == "not-redis":
            yield Said(server.target.server, f"{trouble.text} ({trouble.cause})", trouble.hint)
