"""All processes together may open more connections than the server lets in.

Counted are processes times the connections that each opens at most: one for each thread's plain calls (100 at most), and
one more for each thread inside `WATCH`, a lock or a subscription. `--pool` says another number for each process.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        fleets = world.fleets_at(server)
        needed = sum(fleet.total for fleet in fleets)
        most = server.number("maxclients")
        if needed and most is not None and needed > most:
            parts = ", ".join(f"{fleet.where}: {fleet.processes} x {fleet.connections}" for fleet in fleets)
            yield Said(
                server.target.server,
                f"up to {needed} connections ({parts}) against maxclients {most}",
                f"CONFIG SET maxclients {_rounded(needed)}, or smaller pools: max_connections in the URL",
            )


def _rounded(needed: int) -> int:
    # Room for redis-cli, replicas and a rolling restart, in which old and new processes are there at once.
    return (needed * 2 + 999) // 1000 * 1000
