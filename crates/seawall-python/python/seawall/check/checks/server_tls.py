"""TLS cannot be agreed on: one side speaks it and the other does not, or a certificate is refused."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        trouble = server.trouble
        if trouble and trouble.cause in ("tls-handshake", "tls-certificate"):
            yield Said(server.target.server, f"{trouble.text} ({trouble.cause})", trouble.hint)
