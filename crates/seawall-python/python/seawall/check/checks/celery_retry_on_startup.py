"""A worker that starts while its broker is away ends, or will with the next version of Celery."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for app in world.celery:
        retry = app.conf.broker_connection_retry_on_startup
        if retry is None and app.conf.broker_connection_retry:
            yield Said(
                app.where,
                "broker_connection_retry_on_startup is not set: Celery 6 will not wait for its broker at the start",
                "broker_connection_retry_on_startup = True",
            )
        elif not retry:
            yield Said(
                app.where,
                "a worker that starts while its broker is away ends",
                "broker_connection_retry_on_startup = True",
            )
