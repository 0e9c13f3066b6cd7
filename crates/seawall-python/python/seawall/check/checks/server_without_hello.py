"""The server has no HELLO, and the client begins with it.

redis-py speaks RESP3 unless `protocol=2` is said, and Seawall as redis-py does: against Redis 5, or where HELLO is renamed
away, no connection is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        for place in world.at(server) if server.without_hello else ():
            if place.target.option("protocol") != "2":
                yield Said(
                    place.where,
                    "the server does not know HELLO, with which every connection begins",
                    "add to the URL: protocol=2",
                )
