"""TCP keepalive is switched off: a peer that vanished is noticed only when a call fails.

kombu switches it off unless it is told otherwise; redis-py and Seawall have it on.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import Keepalive, World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.target.path is not None:
            continue
        value = (place.target.option("keepalive", "socket_keepalive") or "").lower()
        if value in ("off", "false", "0", "no", "n", "f"):
            yield Said(place.where, "the URL switches TCP keepalive off", "remove the option; Seawall's default is 30s")
        elif place.keepalive is Keepalive.OFF and (place.timeout is not None or not place.named("broker")):
            # The line for a broker without a timeout sets this as well.
            line = '{"socket_keepalive": True}'
            fix = f"broker_transport_options = {line}" if place.named("broker") else "socket_keepalive=True"
            yield Said(place.where, "TCP keepalive is off", fix)
