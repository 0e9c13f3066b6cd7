"""An output limit that ends ordinary clients, or none for subscribers.

Under a limit for `normal` a large reply closes the connection, and asking again closes it again. Without one for
`pubsub`, a subscriber that reads too slowly fills the server's memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        limits = server.config.get("client-output-buffer-limit", "").split()
        classes = {limits[at]: limits[at + 1 : at + 4] for at in range(0, len(limits) - 3, 4)}
        hard = _bytes(classes.get("normal", ["0"])[0])
        if hard:
            yield Said(
                server.target.server,
                f"a reply of more than {hard} bytes closes the client's connection (client-output-buffer-limit normal)",
                "CONFIG SET client-output-buffer-limit 'normal 0 0 0', or ask for less at a time (HSCAN, LRANGE by pages)",
            )
        if "pubsub" in classes and not any(_bytes(limit) for limit in classes["pubsub"][:2]):
            yield Said(
                server.target.server,
                "a slow subscriber may fill the server's memory (client-output-buffer-limit pubsub is 0 0 0)",
                "CONFIG SET client-output-buffer-limit 'pubsub 32mb 8mb 60'",
            )


def _bytes(text: str) -> int:
    return int(text) if text.isdigit() else 0
