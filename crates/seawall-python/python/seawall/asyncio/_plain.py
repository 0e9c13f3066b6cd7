"""As :mod:`seawall._plain`, for ``redis.asyncio``."""

from __future__ import annotations

from typing import Any

import redis.asyncio.connection as _redis

from .. import _config
from .._mode import MODE, OBSERVE
from .._plain import _Stats, ours_for

__all__ = [
    "BlockingConnectionPool",
    "Connection",
    "ConnectionPool",
    "SSLConnection",
    "UnixDomainSocketConnection",
]


class _Bare:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _config.drop_ours(kwargs)
        super().__init__(*args, **kwargs)


_Way: type = _Bare
if MODE == OBSERVE:
    from ._observed import Watched

    _Way = Watched


class Connection(_Way, _redis.Connection):
    """``redis.asyncio.Connection``."""


class SSLConnection(_Way, _redis.SSLConnection):
    """``redis.asyncio.SSLConnection``."""


class UnixDomainSocketConnection(_Way, _redis.UnixDomainSocketConnection):
    """``redis.asyncio.UnixDomainSocketConnection``."""


_OURS_FOR: dict[Any, type] = {
    _redis.Connection: Connection,
    _redis.SSLConnection: SSLConnection,
    _redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
}


class ConnectionPool(_Stats, _redis.ConnectionPool):
    """``redis.asyncio.ConnectionPool``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*ours_for(_OURS_FOR, Connection, args, kwargs), **kwargs)

    @classmethod
    def adopt(cls, pool: Any, ours: dict[str, Any]) -> None:
        """Gives a pool that redis-py has just made our name; what else it made of it stays."""
        pool.__class__ = cls
        pool.connection_class = _OURS_FOR.get(pool.connection_class, pool.connection_class)
        pool.connection_kwargs.update(ours)


class BlockingConnectionPool(_Stats, _redis.BlockingConnectionPool):
    """``redis.asyncio.BlockingConnectionPool``."""

    def __init__(self, max_connections: int = 50, timeout: float | None = 20, *args: Any, **kwargs: Any) -> None:
        super().__init__(max_connections, timeout, *ours_for(_OURS_FOR, Connection, args, kwargs), **kwargs)
