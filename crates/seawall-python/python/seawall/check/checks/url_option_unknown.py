"""An option of the URL is known to nobody: redis-py raises when it first connects."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator

from redis.connection import (
    URL_QUERY_ARGUMENT_PARSERS,
    AbstractConnection,
    BlockingConnectionPool,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)

from ..._config import OURS
from .._finding import Said, Severity
from .._world import Place, World

SEVERITY = Severity.ERROR


def look(world: World) -> Iterator[Said]:
    for place in world.places:
        known = _known(place)
        for name in dict.fromkeys(name for name, _ in place.target.options):
            if name in known:
                continue
            if name in OURS:
                yield Said(
                    place.where,
                    f"the option `{name}` is Seawall's, and these connections are redis-py's",
                    f"remove `{name}`, or bring Seawall in",
                )
                continue
            near = difflib.get_close_matches(name, known, 1)
            yield Said(
                place.where,
                f"the URL has an option `{name}` that nobody knows",
                f"`{near[0]}`?"
                if near
                else "remove it: docs/settings.md and redis-py's documentation list what there is",
            )


def _known(place: Place) -> set[str]:
    known = set(URL_QUERY_ARGUMENT_PARSERS) | {"host", "port", "username", "password", "path", "virtual_host"}
    kinds = [AbstractConnection, Connection, UnixDomainSocketConnection, ConnectionPool, BlockingConnectionPool]
    for kind in [*kinds, SSLConnection] if place.target.tls else kinds:
        takes = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
        known |= {name for name, it in takes.items() if it.kind is not it.VAR_KEYWORD}
    if place.ours:
        known |= OURS
    if place.named("broker", "results"):
        known |= {"visibility_timeout", "global_keyprefix", "fanout_prefix", "ssl_cert_reqs"}
    return known - {"self"}
