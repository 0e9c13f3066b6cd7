"""Celery's broker or result backend is on redis-py's connections.

kombu repeats a publish after a lost reply, so that a task is queued twice, and `delay()` waits for ever on a silent
broker.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for app in world.celery:
        if (app.broker_is_redis or app.backend_is_redis) and not app.installed:
            yield Said(
                app.where,
                "a task may be queued twice after one lost reply, and `delay()` may hang",
                "import seawall.celery; seawall.celery.install()   (before the application is made)",
            )
