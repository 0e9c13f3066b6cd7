"""Django's cache-backed sessions log visitors out when a read fails.

`django.contrib.sessions.backends.cache` takes a failed read for an empty session, answers 200, and deletes the cookie:
one reset connection, one visitor logged out for good. Seawall's engine stores the same, and lets the request fail.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


THEIRS = "django.contrib.sessions.backends.cache"


def look(world: World) -> Iterator[Said]:
    django = world.django
    if django and django.session_engine == THEIRS and any(place.named("sessions") for place in world.places):
        yield Said(
            f"SESSION_ENGINE of {django.module}",
            "one failed read logs a visitor out for good, with the answer 200",
            'SESSION_ENGINE = "seawall.contrib.django.sessions"',
        )
