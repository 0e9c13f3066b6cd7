"""A call may wait for ever, or until the kernel gives up.

If the server's host vanishes or the server freezes, a read without a timeout ends after the kernel's own limits: with
TCP keepalive `tcp_keepalive_time` + `intvl` x `probes`, two hours and more by default; without it never.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        if place.timeout is not None or place.ours:
            continue
        host = world.host
        bound = ""
        if host and host.keepalive_seconds:
            bound = f"; with TCP keepalive this host's kernel gives up after {host.keepalive_seconds} s"
        fix = "socket_timeout=5"
        if place.named("broker"):
            fix = 'broker_transport_options = {"socket_timeout": 5, "socket_connect_timeout": 5, "socket_keepalive": True}'
        yield Said(place.where, f"no socket_timeout: a call to a frozen server waits for ever{bound}", fix)
