"""Redis behind Sentinel, as ``redis.asyncio.sentinel`` has it, on Seawall's connections: see :mod:`seawall.sentinel`."""

from __future__ import annotations

from typing import Any

from redis.asyncio.sentinel import MasterNotFoundError, ReplicaNotFoundError, SlaveNotFoundError
from redis.asyncio.sentinel import Sentinel as _Sentinel
from redis.asyncio.sentinel import SentinelConnectionPool as _SentinelConnectionPool
from redis.asyncio.sentinel import SentinelManagedConnection as _SentinelManagedConnection
from redis.asyncio.sentinel import SentinelManagedSSLConnection as _SentinelManagedSSLConnection

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


class SentinelConnectionPool(_SentinelConnectionPool, ConnectionPool):
    """Takes what ``redis.asyncio.sentinel.SentinelConnectionPool`` takes, and Seawall's settings besides."""

    def __init__(self, service_name: str, sentinel_manager: Any, **kwargs: Any) -> None:
        ssl = kwargs.pop("ssl", False)
        kwargs.setdefault("connection_class", SentinelManagedSSLConnection if ssl else SentinelManagedConnection)
        super().__init__(service_name, sentinel_manager, **kwargs)

    def _link(self) -> None:
        # There is one for each master; commands go over the connections, which know theirs.
        return None


class Sentinel(_Sentinel):
    """Takes what ``redis.asyncio.Sentinel`` takes; its clients, and those that it makes, are Seawall's."""

    def __init__(
        self,
        sentinels: Any,
        min_other_sentinels: int = 0,
        sentinel_kwargs: dict[str, Any] | None = None,
        force_master_ip: str | None = None,
        **connection_kwargs: Any,
    ) -> None:
        super().__init__([], min_other_sentinels, sentinel_kwargs, force_master_ip, **connection_kwargs)
        self.sentinels = [Redis(host=hostname, port=port, **self.sentinel_kwargs) for hostname, port in sentinels]

    def master_for(
        self, service_name: str, redis_class: Any = Redis, connection_pool_class: Any = SentinelConnectionPool, **kwargs: Any
    ) -> Any:
        return super().master_for(service_name, redis_class, connection_pool_class, **kwargs)

    def slave_for(
        self, service_name: str, redis_class: Any = Redis, connection_pool_class: Any = SentinelConnectionPool, **kwargs: Any
    ) -> Any:
        return super().slave_for(service_name, redis_class, connection_pool_class, **kwargs)

    def replica_for(
        self, service_name: str, redis_class: Any = Redis, connection_pool_class: Any = SentinelConnectionPool, **kwargs: Any
    ) -> Any:
        return self.slave_for(service_name, redis_class, connection_pool_class, **kwargs)
