"""INFO or CONFIG is refused, by an ACL or by a managed service.

Without INFO neither version, role, memory nor clients are known, and without CONFIG neither `timeout`, `maxclients` nor
limits: what they would show is not found. Seawall then learns from deaths of idle connections what `timeout` is.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.NOTICE


COSTS = {
    "INFO": "version, role, memory and number of clients are not known",
    "CONFIG": "`timeout`, `tcp-keepalive` and limits are not known",
}
FIX = {"INFO": "+info", "CONFIG": "+config|get"}


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        if (server.info or {}).get("redis_mode") == "sentinel":
            continue  # It has no CONFIG.
        for name in server.refused:
            user = server.target.username or "default"
            yield Said(
                server.target.server,
                f"{name} is refused: {COSTS[name]}",
                f"ACL SETUSER {user} {FIX[name]}   (or run the check as a user who may)",
            )
