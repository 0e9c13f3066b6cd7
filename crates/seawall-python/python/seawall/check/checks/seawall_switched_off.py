"""`SEAWALL=off` or `SEAWALL=observe` stands in the environment: redis-py carries the commands, and nothing is kept.

It is meant for comparing, and for a quick way back; left standing it is easily forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator

from ... import _mode
from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    if world.mode != _mode.ON:
        yield Said(
            "SEAWALL", f"SEAWALL={world.mode} in this environment: Seawall's promises do not hold", "unset SEAWALL"
        )
