"""Pools as redis-py knows them, each a face of the engine's."""

from __future__ import annotations

import threading
import time
from typing import Any

import redis.connection as _redis
from redis.maint_notifications import MaintNotificationsConfig

from . import _config, _deadline, _ext, errors
from .connection import Connection, SSLConnection, UnixDomainSocketConnection

__all__ = ["BlockingConnectionPool", "ConnectionPool"]

_OURS_FOR: dict[type, type] = {
    _redis.Connection: Connection,
    _redis.SSLConnection: SSLConnection,
    _redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
}


class ConnectionPool(_redis.ConnectionPool):
    """Takes what ``redis.ConnectionPool`` takes, and Seawall's settings besides.

    ``max_connections`` bounds the connections that are handed out by :meth:`get_connection`; a thread that comes when
    all are in use waits for one until its deadline instead of being refused. Plain commands need none of these: they
    go over the engine's own connections (``pool_size``).
    """

    def __init__(
        self, connection_class: Any = Connection, max_connections: int | None = None, *args: Any, **kwargs: Any
    ) -> None:
        connection_class = _OURS_FOR.get(connection_class, connection_class)
        kwargs.setdefault("maint_notifications_config", MaintNotificationsConfig(enabled=False))
        self._freed: threading.Condition | None = None
        self._link_known: _ext.Link | None = None
        self._codec_known: _ext.Codec | None = None
        super().__init__(connection_class, max_connections, *args, **kwargs)

    # -- the engine behind it --

    def _link(self) -> _ext.Link | None:
        """The link that plain commands go over; ``None`` where connections are of a class that is not Seawall's."""
        link = self._link_known
        if link is None and issubclass_of_ours(self.connection_class) and self.cache is None:
            sample = self.connection_class(**self.connection_kwargs)
            if sample.redis_connect_func is None and sample.credential_provider is None:
                link = self._link_known = _config.link_for(_config.spec_of(sample, sample._ours))
        return link

    def _codec(self) -> _ext.Codec:
        codec = self._codec_known
        if codec is None:
            encoder = self.get_encoder()
            codec = _ext.Codec(encoder.encoding, encoder.encoding_errors, bool(encoder.decode_responses))
            self._codec_known = codec
        return codec

    def stats(self) -> dict[str, Any]:
        """What happened so far, and how things stand: see docs/python.md."""
        link = self._link()
        return {} if link is None else link.stats()

    # -- what redis-py and others call --

    def reset(self) -> None:
        super().reset()
        self._freed = threading.Condition(self._lock)

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        if not issubclass_of_ours(self.connection_class):
            return super().get_connection()
        self._checkpid()
        connection = self._take()
        try:
            connection.connect()
        except BaseException:
            self.release(connection)
            raise
        return connection

    def _take(self) -> Any:
        """A connection object, as soon as one is free."""
        until: float | None = None
        assert self._freed is not None
        with self._freed:
            while True:
                if self._available_connections:
                    connection = self._available_connections.pop()
                    break
                if self._created_connections < self.max_connections:
                    connection = self.make_connection()
                    break
                if until is None:
                    until = time.monotonic() + self._patience()
                rest = until - time.monotonic()
                if rest <= 0 or not self._freed.wait(rest):
                    raise self._exhausted()
            self._in_use_connections.add(connection)
            return connection

    def _patience(self) -> float:
        timeout = self.connection_kwargs.get("socket_timeout", _config.DEADLINE)
        span = _config.DEADLINE if timeout is None else float(timeout)
        left = _deadline.left()
        return span if left is None else min(span, left)

    def _exhausted(self) -> Exception:
        error = errors.PoolExhaustedError(
            f"Too many connections: all {self.max_connections} of the pool stayed in use until the deadline"
        )
        error.cause = "pool-exhausted"
        error.hint = "raise max_connections, or look for what holds connections: pipelines, subscriptions, locks"
        return error

    def release(self, connection: Any) -> None:
        rest = getattr(connection, "_rest", None)
        if rest is not None and connection.pid == self.pid:
            rest()
        super().release(connection)
        if self._freed is not None:
            with self._freed:
                self._freed.notify()


class BlockingConnectionPool(ConnectionPool):
    """Takes what ``redis.BlockingConnectionPool`` takes; ``timeout`` is how long to wait for a connection."""

    def __init__(
        self,
        max_connections: int = 50,
        timeout: float | None = 20,
        connection_class: Any = Connection,
        queue_class: Any = None,
        **kwargs: Any,
    ) -> None:
        self.timeout = timeout
        self.queue_class = queue_class
        super().__init__(connection_class, max_connections, **kwargs)

    def _patience(self) -> float:
        span = threading.TIMEOUT_MAX if self.timeout is None else float(self.timeout)
        left = _deadline.left()
        return span if left is None else min(span, left)


def issubclass_of_ours(kind: Any) -> bool:
    """Whether connections of this class are leases from the engine."""
    return isinstance(kind, type) and issubclass(kind, (Connection, SSLConnection, UnixDomainSocketConnection))
