"""django-redis hides errors, and sessions stand in that cache.

With `IGNORE_EXCEPTIONS` a failed read is a miss: for a session that is a log-out, for `cache.add` a lock that two hold.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    django = world.django
    if django is None:
        return
    for alias, cache in django.caches.items():
        if cache.get("BACKEND") != "django_redis.cache.RedisCache":
            continue
        ignores = dict(cache.get("OPTIONS") or {}).get("IGNORE_EXCEPTIONS", django.ignores_exceptions)
        if (
            ignores
            and django.session_cache == alias
            and django.session_engine.endswith(("backends.cache", "django.sessions"))
        ):
            yield Said(
                f"CACHES[{alias!r}] of {django.module}",
                "errors are ignored (IGNORE_EXCEPTIONS), and sessions stand in it: a failed read logs a visitor out",
                '"IGNORE_EXCEPTIONS": False   (and a cache of their own for pages)',
            )
