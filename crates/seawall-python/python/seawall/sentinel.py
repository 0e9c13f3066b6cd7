"""Redis behind Sentinel, as ``redis.sentinel`` has it, on Seawall's connections.

Asks the sentinels where the master is whenever a connection is made; connections to an old master are closed once the
sentinels name a new one.
"""

from __future__ import annotations

from typing import Any

from redis.sentinel import MasterNotFoundError, ReplicaNotFoundError, SlaveNotFoundError
from redis.sentinel import Sentinel as _Sentinel
from redis.sentinel import SentinelConnectionPool as _SentinelConnectionPool
from redis.sentinel import SentinelManagedConnection as _SentinelManagedConnection
from redis.sentinel import SentinelManagedSSLConnection as _SentinelManagedSSLConnection
from redis.utils import SENTINEL

from ._sentinels import Asking, PoolOfNamed
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


class SentinelManagedConnection(Connection, _SentinelManagedConnection):
    """A connection to whatever the sentinels name."""

    #: Where it leads was asked for when it was made: it is kept, rather than asked for at each command.
    _rests = False

    def connect(self) -> None:
        _SentinelManagedConnection.connect(self)

    def read_response(
        self,
        disable_decoding: bool = False,
        *,
        timeout: Any = SENTINEL,
        disconnect_on_error: bool | None = False,
        push_request: bool | None = False,
    ) -> Any:
        return super().read_response(
            disable_decoding=disable_decoding,
            timeout=timeout,
            disconnect_on_error=disconnect_on_error,
            push_request=push_request,
        )


class SentinelManagedSSLConnection(SentinelManagedConnection, SSLConnection, _SentinelManagedSSLConnection):
    """The same over TLS."""


class SentinelConnectionPool(PoolOfNamed, _SentinelConnectionPool, ConnectionPool):
    """Takes what ``redis.sentinel.SentinelConnectionPool`` takes, and Seawall's settings besides."""

    _connection_kind = SentinelManagedConnection
    _tls_kind = SentinelManagedSSLConnection


class Sentinel(Asking, _Sentinel):
    """Takes what ``redis.sentinel.Sentinel`` takes; its clients, and those that it makes, are Seawall's."""

    _client_kind = Redis
    _pool_kind = SentinelConnectionPool

    @staticmethod
    def _client_of(**kwargs: Any) -> Any:
        # Found when it is needed, as redis-py does: tests put clients of their own into the module.
        return Redis(**kwargs)
