"""The clients that are measured, each made as its documentation says, with its own defaults."""

from __future__ import annotations

from typing import Any

import coredis
import glide
import glide_sync
import redis
import redis.asyncio

import seawall
from ground import Ground

BARE = "bare Python socket"
REDIS_PY = "redis-py, hiredis"
REDIS_ASYNCIO = "redis.asyncio, hiredis"
GLIDE = "valkey-glide"
COREDIS = "coredis"
OURS = "seawall.Redis"
OURS_ASYNC = "seawall.asyncio.Redis"


def redis_py(ground: Ground) -> Any:
    return redis.Redis(host="127.0.0.1", port=ground.port)


def ours(ground: Ground) -> Any:
    return seawall.Redis(host="127.0.0.1", port=ground.port)


def glide_py(ground: Ground) -> Any:
    address = glide_sync.NodeAddress("127.0.0.1", ground.port)
    return glide_sync.GlideClient.create(glide_sync.GlideClientConfiguration([address], request_timeout=5000))


def redis_asyncio(ground: Ground) -> Any:
    # As many connections as tasks: with the default of 100 none waits.
    return redis.asyncio.Redis(host="127.0.0.1", port=ground.port)


def ours_asyncio(ground: Ground) -> Any:
    return seawall.asyncio.Redis(host="127.0.0.1", port=ground.port)


async def glide_asyncio(ground: Ground, **more: Any) -> Any:
    address = glide.NodeAddress("127.0.0.1", ground.port)
    return await glide.GlideClient.create(glide.GlideClientConfiguration([address], request_timeout=5000, **more))


def coredis_asyncio(ground: Ground) -> Any:
    """To be entered before it is used."""
    return coredis.Redis(host="127.0.0.1", port=ground.port)
