"""The server closes idle connections, and the client does not know it.

A connection that rests longer than the server's `timeout` is dead when it is next used. Seawall asks for `timeout` by
itself where the user is `default`; with another ACL user, and under plain redis-py, nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        server = place.server
        timeout = server.number("timeout") if server else None
        if not timeout:
            continue
        max_idle = place.target.option_seconds("max_idle")
        asks = (
            place.ours
            and place.target.option("server_hints") != "off"
            and (place.target.username in (None, "default") or place.target.option("server_hints") == "on")
        )
        if (max_idle is not None and max_idle < timeout) or (max_idle is None and asks):
            continue
        if not place.ours:
            yield Said(
                place.where,
                f"the server closes connections that rest for {timeout} s, and plain redis-py finds out by failing",
                f"bring Seawall in, or health_check_interval={max(1, timeout // 2)}",
            )
        else:
            resting = f"max_idle is {max_idle:g} s" if max_idle is not None else "nobody tells the client"
            yield Said(
                place.where,
                f"the server closes connections that rest for {timeout} s, and {resting}",
                f"add to the URL: max_idle={max(1, timeout * 4 // 5)}s",
            )
