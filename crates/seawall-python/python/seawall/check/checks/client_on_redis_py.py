"""A client that was named with `--app`, or stands in the modules of an application, is redis-py's, not Seawall's."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if not place.uses and not place.ours:
            yield Said(
                place.where,
                "its connections are plain redis-py's",
                "import seawall; seawall.Redis instead of redis.Redis, and so with redis.asyncio and pools",
            )
