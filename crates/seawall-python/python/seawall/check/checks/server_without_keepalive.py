"""`tcp-keepalive` is 0: connections of clients that vanished stay open for ever, and count against `maxclients`."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        if server.number("tcp-keepalive") == 0 and server.target.path is None:
            yield Said(
                server.target.server,
                "tcp-keepalive is 0: the server never notices that a client's host is gone",
                "CONFIG SET tcp-keepalive 300",
            )
