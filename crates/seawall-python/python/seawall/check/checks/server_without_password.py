"""A server on the network lets everybody in.

It asks for no password, and is reached by an address that is not this host's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._target import is_local
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for server in world.servers:
        target = server.target
        if (
            server.answered
            and not target.password
            and is_local(target) is False
            and not target.option("ssl_certfile", "tls_cert_file")
        ):
            yield Said(
                target.server,
                "it let us in without a password, over the network",
                "ACL SETUSER default on >NEW-PASSWORD ~* &* +@all   (then the password into the URL)",
            )
