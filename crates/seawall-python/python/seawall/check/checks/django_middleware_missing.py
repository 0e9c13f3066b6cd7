"""An error of Redis's in a view is answered with 500: the middleware that makes it 503 is not the first."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.NOTICE


NAME = "seawall.contrib.django.Unavailable"


def look(world: World) -> Iterator[Said]:
    django = world.django
    if django is None or not any(place.where.startswith("CACHES[") for place in world.places):
        return
    if NAME not in django.middleware:
        yield Said(
            f"MIDDLEWARE of {django.module}",
            "an outage of Redis is answered with 500, without Retry-After and cause",
            f'MIDDLEWARE = ["{NAME}", ...]',
        )
    elif django.middleware[0] != NAME:
        yield Said(
            f"MIDDLEWARE of {django.module}",
            f"{NAME} is not the first: what fails in a middleware before it is answered with 500",
            f'MIDDLEWARE = ["{NAME}", ...]',
        )
