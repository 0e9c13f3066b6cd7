"""As :mod:`seawall._plain`, for ``redis.asyncio``."""

from __future__ import annotations

from typing import Any

import redis.asyncio.connection as _redis

from .._mode import MODE, OBSERVE
from .._plain import Adopting, Bare, Stats, ours_for

__all__ = [
    "BlockingConnectionPool",
    "Connection",
    "ConnectionPool",
    "SSLConnection",
    "UnixDomainSocketConnection",
]


_Way: type = Bare
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


class ConnectionPool(Adopting, _redis.ConnectionPool):
    """``redis.asyncio.ConnectionPool``."""

    _ours_for = _OURS_FOR

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*ours_for(_OURS_FOR, Connection, args, kwargs), **kwargs)


class BlockingConnectionPool(Stats, _redis.BlockingConnectionPool):
    """``redis.asyncio.BlockingConnectionPool``."""

    def __init__(self, max_connections: int = 50, timeout: float | None = 20, *args: Any, **kwargs: Any) -> None:
        super().__init__(max_connections, timeout, *ours_for(_OURS_FOR, Connection, args, kwargs), **kwargs)
