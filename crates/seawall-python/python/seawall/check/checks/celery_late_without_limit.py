"""Tasks are acknowledged when they end, and nothing bounds how long they run.

One that takes longer than `visibility_timeout` (an hour by default) is run again by another worker meanwhile, and again.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for app in world.celery:
        if not app.broker_is_redis or app.conf.task_time_limit:
            continue
        late = sorted(name for name, task in app.tasks.items() if task.acks_late and not task.time_limit)
        if late:
            more = f" and {len(late) - 1} more" if len(late) > 1 else ""
            yield Said(
                app.where,
                f"{late[0]}{more}: acks_late without a time limit: what takes longer than the visibility timeout runs twice",
                "task_time_limit = 1800",
            )
