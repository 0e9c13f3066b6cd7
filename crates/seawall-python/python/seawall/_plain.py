"""``SEAWALL=off`` and ``SEAWALL=observe``: Seawall's names for redis-py's own classes.

They take Seawall's settings, so that nothing need be changed, and do without them. Under ``observe`` their connections tell
:mod:`._observed` what redis-py sends, loses and sends again.
"""

from __future__ import annotations

from typing import Any

import redis.connection as _redis

from . import _config
from ._mode import MODE, OBSERVE
from ._signature import takes_what

__all__ = [
    "BlockingConnectionPool",
    "Connection",
    "ConnectionPool",
    "SSLConnection",
    "UnixDomainSocketConnection",
]


class Bare:
    """A connection class of redis-py's that takes Seawall's settings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _config.drop_ours(kwargs)
        super().__init__(*args, **kwargs)


_Way: type = Bare
if MODE == OBSERVE:
    from ._observed import Watched

    _Way = Watched


@takes_what(_redis.Connection)
class Connection(_Way, _redis.Connection):
    """``redis.Connection``."""


@takes_what(_redis.SSLConnection)
class SSLConnection(_Way, _redis.SSLConnection):
    """``redis.SSLConnection``."""


@takes_what(_redis.UnixDomainSocketConnection)
class UnixDomainSocketConnection(_Way, _redis.UnixDomainSocketConnection):
    """``redis.UnixDomainSocketConnection``."""


_OURS_FOR: dict[Any, type] = {
    _redis.Connection: Connection,
    _redis.SSLConnection: SSLConnection,
    _redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
}


def ours_for(kinds: dict[Any, type], default: type, args: Any, kwargs: dict[str, Any]) -> Any:
    """A pool's arguments with our name for redis-py's connection class; settings that a foreign class would refuse go."""
    if args:
        kind = kinds.get(args[0], args[0])
        args = (kind, *args[1:])
    else:
        kind = kwargs.get("connection_class", default)
        kind = kwargs["connection_class"] = kinds.get(kind, kind)
    if not issubclass(kind, tuple(kinds.values())):
        _config.drop_ours(kwargs)
    return args


class Stats:
    connection_kwargs: dict[str, Any]

    def _link(self) -> None:
        """No command goes over the engine."""

    def stats(self) -> dict[str, Any]:
        """Nothing is counted of one pool: ``seawall.stats()`` has what ``SEAWALL=observe`` counts of all."""
        from . import _state

        return _state._blank()


class Adopting(Stats):
    """A pool class that redis-py's pools can be made to."""

    _ours_for: dict[Any, type]

    @classmethod
    def adopt(cls, pool: Any, ours: dict[str, Any]) -> None:
        """Gives a pool that redis-py has just made our name; what else it made of it stays."""
        pool.__class__ = cls
        pool.connection_class = cls._ours_for.get(pool.connection_class, pool.connection_class)
        pool.connection_kwargs.update(ours)


@takes_what(_redis.ConnectionPool)
class ConnectionPool(Adopting, _redis.ConnectionPool):
    """``redis.ConnectionPool``."""

    _ours_for = _OURS_FOR

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*ours_for(_OURS_FOR, Connection, args, kwargs), **kwargs)


@takes_what(_redis.BlockingConnectionPool)
class BlockingConnectionPool(Stats, _redis.BlockingConnectionPool):
    """``redis.BlockingConnectionPool``."""

    def __init__(self, max_connections: int = 50, timeout: float | None = 20, *args: Any, **kwargs: Any) -> None:
        super().__init__(max_connections, timeout, *ours_for(_OURS_FOR, Connection, args, kwargs), **kwargs)
