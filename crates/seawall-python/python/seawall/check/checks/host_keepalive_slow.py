"""This host's kernel probes a silent connection for the first time after more than ten minutes.

It counts for connections that have keepalive without a time of their own, such as kombu's with `socket_keepalive`; redis-py's
and Seawall's bring 30 s. Firewalls and balancers forget a silent connection after 4 to 60 minutes.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import Keepalive, World

SEVERITY = Severity.NOTICE
SLOW = 600


def look(world: World) -> Iterator[Said]:
    host = world.host
    theirs = [
        place.where for place in world.places if place.keepalive is Keepalive.KERNEL and place.target.path is None
    ]
    if host and host.keepalive_time and host.keepalive_time > SLOW and theirs:
        yield Said(
            "/proc/sys/net/ipv4/tcp_keepalive_time",
            f"it is {host.keepalive_time} s, and {theirs[0]} sets none of its own",
            "bring Seawall in, or sysctl -w net.ipv4.tcp_keepalive_time=120",
        )
