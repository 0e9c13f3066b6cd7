"""Flask-Session's client is redis-py's, or none was given and it makes one for localhost."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.where.startswith("SESSION_REDIS of") and not place.ours:
            yield Said(
                place.where,
                "its connections are plain redis-py's",
                'app.config["SESSION_REDIS"] = seawall.Redis.from_url("redis://..")',
            )
