"""A channel layer of Channels is on redis-py's connections.

A consumer that waits for messages fails when Redis goes away, and its WebSocket ends with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.where.startswith("CHANNEL_LAYERS[") and not place.ours:
            yield Said(
                place.where,
                "an outage of Redis ends every WebSocket that waits for messages",
                '"BACKEND": "seawall.contrib.channels.RedisChannelLayer"   (or RedisPubSubChannelLayer)',
            )
