"""Redis behind Sentinel, as ``redis.asyncio.sentinel`` has it, on Seawall's connections: see :mod:`seawall.sentinel`."""

from __future__ import annotations

from typing import Any

from redis.asyncio.sentinel import MasterNotFoundError, ReplicaNotFoundError, SlaveNotFoundError
from redis.asyncio.sentinel import Sentinel as _Sentinel
from redis.asyncio.sentinel import SentinelConnectionPool as _SentinelConnectionPool
from redis.asyncio.sentinel import SentinelManagedConnection as _SentinelManagedConnection
from redis.asyncio.sentinel import SentinelManagedSSLConnection as _SentinelManagedSSLConnection

from .._sentinels import Asking, PoolOfNamed
from .client import Redis
from .connection import Connection, SSLConnection
from .pool import ConnectionPool

__all__ = [
    "MasterNotFoundError",
    "ReplicaNotFoundError",
    "Sentinel",
    "SentinelConnectionPool",
    "SentinelManagedConnection",
    "SentinelManagedSSLConnection",
    "SlaveNotFoundError",
]


class SentinelManagedConnection(_SentinelManagedConnection, Connection):
    """A connection to whatever the sentinels name."""

    #: Where it leads was asked for when it was made: it is kept, rather than asked for at each command.
    _rests = False

    async def _connect_retry(self) -> None:
        if not self.is_connected:
            await super()._connect_retry()


class SentinelManagedSSLConnection(SentinelManagedConnection, SSLConnection, _SentinelManagedSSLConnection):
    """The same over TLS."""


class SentinelConnectionPool(PoolOfNamed, _SentinelConnectionPool, ConnectionPool):
    """Takes what ``redis.asyncio.sentinel.SentinelConnectionPool`` takes, and Seawall's settings besides."""

    _connection_kind = SentinelManagedConnection
    _tls_kind = SentinelManagedSSLConnection


class Sentinel(Asking, _Sentinel):
    """Takes what ``redis.asyncio.Sentinel`` takes; its clients, and those that it makes, are Seawall's."""

    _client_kind = Redis
    _pool_kind = SentinelConnectionPool

    @staticmethod
    def _client_of(**kwargs: Any) -> Any:
        # Found when it is needed, as redis-py does: tests put clients of their own into the module.
        return Redis(**kwargs)
