"""TLS takes any certificate: whoever stands between can read and answer in the server's place."""

from __future__ import annotations

from collections.abc import Iterator

from .._finding import Said, Severity
from .._world import World

SEVERITY = Severity.WARNING


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        target = place.target
        verify = (target.option("ssl_cert_reqs", "tls_verify") or "").lower().removeprefix("cert_")
        if target.tls and verify == "none":
            yield Said(
                place.where,
                "the server's certificate is not looked at (ssl_cert_reqs=none)",
                "ssl_cert_reqs=required&ssl_ca_certs=/path/of/authority.pem",
            )
