"""The database of the URL cannot be selected."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        if server.db_trouble:
            databases = server.number("databases")
            known = f": the server has 0 to {databases - 1}" if databases else ""
            yield Said(str(server.target), f"database {server.target.db} is refused{known}", "end the URL with /0")
