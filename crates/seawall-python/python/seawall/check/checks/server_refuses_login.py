"""The server is there and refuses the user name or password."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR

#: The server's own words for the first one go on for three lines, about its protocol.
_SAYS = {"auth-required": "the server wants a password and got none", "auth-failed": "the server refused the user or password"}


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        trouble = server.trouble
        if trouble and trouble.cause in _SAYS:
            yield Said(server.target.server, f"{_SAYS[trouble.cause]} ({trouble.cause})", trouble.hint)
