"""Clearing a cache deletes what stands in the same database.

`cache.clear()` of Django, django-redis and, without a key prefix, Flask-Caching is FLUSHDB: queued tasks, sessions and
locks in that database are gone.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for cache in world.places:
        if not cache.flushed_by:
            continue
        spot = (cache.target.endpoint, cache.target.db)
        for other in world.places:
            precious = sorted(other.uses - {"cache"})
            if other is not cache and precious and (other.target.endpoint, other.target.db) == spot:
                yield Said(
                    other.where,
                    f"{cache.flushed_by} empties database {cache.target.db}, in which {' and '.join(precious)} stand too",
                    f"give them another database: {other.target.endpoint}/{cache.target.db + 1}",
                )
