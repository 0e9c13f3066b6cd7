"""A worker ends after a number of failed connects to its broker.

It has to be started again by somebody: a supervisor, or a person.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.NOTICE


def look(world: World) -> Iterator[Said]:
    for app in world.celery:
        most = app.conf.broker_connection_max_retries
        if most:
            yield Said(
                app.where,
                f"a worker ends after {most} connects that failed",
                "broker_connection_max_retries = None   (or a supervisor that starts it again)",
            )
