"""Flask-Caching's `CACHE_REDIS_URL` always builds a `redis.Redis`."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.where.startswith("CACHE_REDIS_URL of") and not place.ours:
            yield Said(
                place.where,
                "its connections are plain redis-py's, whatever the URL says",
                'app.config["CACHE_TYPE"] = "seawall.contrib.flask.RedisCache"',
            )
