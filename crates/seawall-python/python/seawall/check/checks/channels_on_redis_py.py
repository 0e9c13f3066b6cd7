"""A channel layer of Channels is on redis-py's connections."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.NOTICE


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.where.startswith("CHANNEL_LAYERS[") and not place.ours:
            yield Said(place.where, "its connections are plain redis-py's", "see docs/python/channels.md")
