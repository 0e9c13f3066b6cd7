"""The server refuses writes: a save failed, its memory is full, or it has too few replicas."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        info = server.info or {}
        stops = server.config.get("stop-writes-on-bgsave-error", "yes") == "yes"
        if info.get("rdb_last_bgsave_status") == "err" and stops:
            yield Said(
                server.target.server,
                "the last save failed (MISCONF)",
                "free its disk, then run BGSAVE; its log says why",
            )
        if info.get("aof_last_write_status") == "err":
            yield Said(
                server.target.server,
                "the last write of the append-only file failed (MISCONF)",
                "free its disk; its log says why",
            )
        used, most = server.number("used_memory"), server.number("maxmemory")
        if used and most and used >= most and server.text("maxmemory-policy") == "noeviction":
            yield Said(
                server.target.server,
                f"{used} bytes are used of maxmemory {most} under noeviction (OOM)",
                "raise maxmemory, or for a pure cache: CONFIG SET maxmemory-policy allkeys-lru",
            )
