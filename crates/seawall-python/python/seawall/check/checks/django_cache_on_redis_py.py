"""A cache of Django's is on redis-py's connections, not on Seawall's."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    django = world.django
    if django is None:
        return
    for alias, cache in django.caches.items():
        where = f"CACHES[{alias!r}] of {django.module}"
        if any(place.where == where and not place.ours for place in world.places):
            theirs = cache.get("BACKEND", "").startswith("django_redis")
            line = (
                '"CONNECTION_POOL_CLASS": "seawall.ConnectionPool"'
                if theirs
                else '"pool_class": "seawall.ConnectionPool"'
            )
            yield Said(where, "its connections are plain redis-py's", f'"OPTIONS": {{{line}}}')
