"""A process may not open as many files as it wants connections.

The limit is that of the shell or service in which the check runs: run it as the application does.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


#: Files that a process has open besides: logs, listening sockets, requests.
OTHERS = 100


def look(world: World) -> Iterator[Said]:
    for fleet in world.fleets:
        if world.host and 0 <= world.host.open_files < fleet.connections + OTHERS:
            yield Said(
                fleet.where,
                f"{fleet.connections} connections a process, and {world.host.open_files} open files are allowed",
                f"ulimit -n {(fleet.connections + OTHERS) * 2}   (systemd: LimitNOFILE=)",
            )
