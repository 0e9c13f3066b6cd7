"""A server that evicts holds what must not vanish: sessions, queues, a broker's messages, locks.

With maxmemory reached, `allkeys-*` deletes any key, and `volatile-*` those with a time to live, which sessions, locks
and results have.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        server = place.server
        policy = server.text("maxmemory-policy") if server else None
        # Without maxmemory nothing is ever evicted.
        if not policy or policy == "noeviction" or not (server and server.number("maxmemory")):
            continue
        stay = (
            {"sessions", "locks"}
            if policy.startswith("volatile-")
            else {"sessions", "locks", "broker", "queue", "results"}
        )
        lost = sorted(place.uses & stay)
        if lost:
            yield Said(
                place.where,
                f"{' and '.join(lost)} stand on a server with maxmemory-policy {policy}: what is oldest is deleted",
                "give them a server of their own with: CONFIG SET maxmemory-policy noeviction",
            )
