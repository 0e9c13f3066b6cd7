"""The URL leads to one node of a cluster.

A client for one server is answered with MOVED for keys of other nodes, and a command on several keys with CROSSSLOT. A
cluster has no database but 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        if (server.info or {}).get("cluster_enabled") == "1":
            yield Said(
                server.target.server,
                "the server is a node of a cluster, and the client is one for a single server",
                "use redis.cluster.RedisCluster.from_url(url), or a server without cluster mode (cluster-enabled no)",
            )
