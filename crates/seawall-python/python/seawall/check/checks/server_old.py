"""The server is older than Redis 6.

It has no HELLO: connections do not learn the id by which the server's log knows them, so that a failure cannot be
joined with a line there.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.NOTICE


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        version = (server.info or {}).get("redis_version", "")
        major = version.partition(".")[0]
        if major.isdigit() and int(major) < 6:
            yield Said(
                server.target.server, f"Redis {version} is older than 6.0", "upgrade to a version that is maintained"
            )
