"""A password goes over the network in the clear.

With `redis://` everybody on the way can read it, and what follows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._target import is_local
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        target = place.target
        if target.password and not target.tls and is_local(target) is False:
            yield Said(
                place.where,
                f"the password goes to {target.endpoint} in the clear",
                f"rediss://..@{target.endpoint}/{target.db}   (TLS, where the server has tls-port)",
            )
