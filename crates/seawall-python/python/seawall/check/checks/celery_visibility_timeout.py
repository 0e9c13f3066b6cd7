"""A task may run longer than its message stays invisible.

After `visibility_timeout` (an hour by default) the broker hands an unacknowledged message to another worker, while the
first still runs it. With `acks_late` that is every task longer than it; without, those that a worker has fetched ahead.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


DEFAULT = 3600


def look(world: World) -> Iterator[Said]:
    for app in world.celery:
        if not app.broker_is_redis:
            continue
        visible = float(dict(app.conf.broker_transport_options or {}).get("visibility_timeout", DEFAULT))
        longest, name = max(
            ((float(task.time_limit or app.conf.task_time_limit or 0), name) for name, task in app.tasks.items()),
            default=(float(app.conf.task_time_limit or 0), "task_time_limit"),
        )
        if longest >= visible:
            yield Said(
                app.where,
                f"{name} may run for {longest:g} s, and its message is handed on after {visible:g} s",
                f'broker_transport_options = {{"visibility_timeout": {int(longest * 2)}}}',
            )
