"""An option of the URL has a value that does not fit. The value is not shown: it may be a secret."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import redis
from redis.connection import URL_QUERY_ARGUMENT_PARSERS

import seawall

from ..._config import INSTEAD, OBJECTS, OURS
from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        for name, value in place.target.options:
            if name in OBJECTS:
                if place.ours:
                    instead = INSTEAD.get(name, f"give it as a keyword: it takes {OBJECTS[name]}")
                    yield Said(place.where, f"`{name}` cannot stand in the URL: the client cannot be made", instead)
                continue
            if name not in OURS and name not in URL_QUERY_ARGUMENT_PARSERS:
                continue
            if not place.ours and name in OURS:
                continue
            try:
                client = seawall.Redis.from_url("redis://localhost?" + urlencode({name: value}))
                client.connection_pool._link()  # type: ignore[attr-defined]
            except (ValueError, TypeError, redis.DataError, redis.RedisError):
                yield Said(
                    place.where, f"the value of `{name}` in the URL does not fit", f"see docs/settings.md for `{name}`"
                )
