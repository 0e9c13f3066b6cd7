"""A Flask application: Flask-Caching and Flask-Session."""

from __future__ import annotations

from typing import Any

import redis

from .._target import Target, parse
from .._world import Flask, Place, World
from . import clients

OURS = "seawall.contrib.flask.RedisCache"
#: The names that make Flask-Caching build a redis.Redis.
PLAIN = ("RedisCache", "redis", "rediscache", "flask_caching.backends.RedisCache", "flask_caching.backends.redis")


def bring(world: World, app: Any, where: str) -> None:
    """Brings an application's settings in."""
    config = dict(app.config)
    world.flask.append(Flask(where, config))
    kind = config.get("CACHE_TYPE")
    if kind == OURS or kind in PLAIN:
        world.places.append(
            Place(
                where=f"CACHE_REDIS_URL of {where}",
                target=_cache(config, where),
                ours=kind == OURS,
                uses=frozenset({"cache"}),
                # With a prefix it deletes its own keys only.
                flushed_by=None if config.get("CACHE_KEY_PREFIX") else f"cache.clear() of {where}",
            )
        )
    client = config.get("SESSION_REDIS")
    if config.get("SESSION_TYPE") == "redis":
        if isinstance(client, redis.Redis):
            clients.bring(world, client, f"SESSION_REDIS of {where}", {"sessions"})
        else:
            target = Target(host="localhost", port=6379)
            world.places.append(Place(f"SESSION_REDIS of {where}", target, ours=False, uses=frozenset({"sessions"})))


def _cache(config: dict[str, Any], where: str) -> Target:
    if config.get("CACHE_REDIS_URL"):
        return parse(config["CACHE_REDIS_URL"], f"CACHE_REDIS_URL of {where}")
    return Target(
        host=str(config.get("CACHE_REDIS_HOST") or "localhost"),
        port=int(config.get("CACHE_REDIS_PORT") or 6379),
        db=int(config.get("CACHE_REDIS_DB") or 0),
        password=config.get("CACHE_REDIS_PASSWORD"),
    )
