"""A call may wait for ever, or until the kernel gives up.

While the server is frozen, a read without a timeout never ends. If the server's host has vanished it ends by TCP keepalive: after
`tcp_keepalive_time` + `intvl` x `probes` of this host, two hours and more by default, or never where keepalive is off.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import Keepalive, World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.timeout is not None or place.ours:
            continue
        bound = ""
        if place.keepalive is Keepalive.KERNEL and world.host and world.host.keepalive_seconds:
            bound = f", to one that vanished {world.host.keepalive_seconds} s (this host's TCP keepalive)"
        fix = "socket_timeout=5"
        if place.named("broker"):
            fix = 'broker_transport_options = {"socket_timeout": 5, "socket_connect_timeout": 5, "socket_keepalive": True}'
        yield Said(place.where, f"no socket_timeout: a call to a frozen server waits for ever{bound}", fix)
