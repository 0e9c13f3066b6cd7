"""Nothing answers at the URL.

The cause is one of docs/causes.md, with its hint.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


#: Told by checks of their own.
ELSEWHERE = frozenset(
    {"auth-failed", "auth-required", "not-redis", "tls-handshake", "tls-certificate"}
    | {"loading", "master-down", "cluster-down", "busy", "max-clients"}
)


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        trouble = server.trouble
        if trouble and trouble.cause not in ELSEWHERE:
            yield Said(server.target.server, f"{trouble.text} ({trouble.cause})", trouble.hint or "see docs/causes.md")
