"""Pools as redis.asyncio knows them, each a face of the engine's."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from typing import Any

import redis.asyncio.connection as _redis
from redis.maint_notifications import MaintNotificationsConfig

from .. import _config, _deadline, _ext, errors
from . import _loops
from .connection import Connection, SSLConnection, UnixDomainSocketConnection

__all__ = ["BlockingConnectionPool", "ConnectionPool"]

_OURS_FOR: dict[type, type] = {
    _redis.Connection: Connection,
    _redis.SSLConnection: SSLConnection,
    _redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
}


class ConnectionPool(_redis.ConnectionPool):
    """Takes what ``redis.asyncio.ConnectionPool`` takes, and Seawall's settings besides.

    ``max_connections`` bounds the connections that are handed out by :meth:`get_connection`; a task that comes when all
    are in use waits for one until its deadline. Plain commands of all tasks share one connection of the engine's.
    """

    def __init__(
        self, connection_class: Any = Connection, max_connections: int | None = None, *args: Any, **kwargs: Any
    ) -> None:
        connection_class = _OURS_FOR.get(connection_class, connection_class)
        kwargs.setdefault("maint_notifications_config", MaintNotificationsConfig(enabled=False))
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop_known: weakref.ref[Any] | None = None
        self._link_known: _ext.AsyncLink | None = None
        self._codec_known: _ext.Codec | None = None
        super().__init__(connection_class, max_connections, *args, **kwargs)

    # -- the engine behind it --

    def _link(self) -> _ext.AsyncLink | None:
        """The link that plain commands of this loop go over; ``None`` where connections are not Seawall's."""
        loop = asyncio.get_running_loop()
        known = self._loop_known
        if known is not None and known() is loop:
            return self._link_known
        self._link_known = None
        if _is_ours(self.connection_class):
            sample = self.connection_class(**self.connection_kwargs)
            if not sample.redis_connect_func and sample.credential_provider is None:
                self._link_known = _loops.link_for(loop, _config.spec_of(sample, sample._ours))
        self._loop_known = weakref.ref(loop)
        return self._link_known

    def _codec(self) -> _ext.Codec:
        codec = self._codec_known
        if codec is None:
            encoder = self.get_encoder()
            codec = _ext.Codec(encoder.encoding, encoder.encoding_errors, bool(encoder.decode_responses))
            self._codec_known = codec
        return codec

    def stats(self) -> dict[str, Any]:
        """What happened so far on this loop, and how things stand: see docs/python.md."""
        link = self._link()
        return {} if link is None else link.stats()

    # -- what redis-py and others call --

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        if not _is_ours(self.connection_class):
            return await super().get_connection()
        connection = await self._take()
        try:
            await connection.connect()
        except BaseException:
            self._put_back(connection)
            raise
        return connection

    async def _take(self) -> Any:
        until: float | None = None
        while not self.can_get_connection():
            if until is None:
                until = time.monotonic() + self._patience()
            rest = until - time.monotonic()
            if rest <= 0:
                raise self._exhausted()
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await asyncio.wait_for(turn, rest)
            except asyncio.TimeoutError:
                raise self._exhausted() from None
            except BaseException:
                if turn.done() and not turn.cancelled():
                    self._next_turn()
                raise
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        return self.get_available_connection()

    def _next_turn(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done() and not turn.get_loop().is_closed():
                turn.set_result(None)
                return

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

    async def ensure_connection(self, connection: Any) -> None:
        if not _is_ours(self.connection_class):
            return await super().ensure_connection(connection)
        await connection.connect()

    def _put_back(self, connection: Any) -> None:
        # Without an await: a task that is cancelled here would lose the slot for good.
        self._in_use_connections.discard(connection)
        connection._rest()
        self._available_connections.append(connection)
        self._next_turn()

    async def release(self, connection: Any) -> None:
        if not _is_ours(self.connection_class):
            return await super().release(connection)
        self._in_use_connections.remove(connection)
        self._put_back(connection)
        await self._event_dispatcher.dispatch_async(_redis.AsyncAfterConnectionReleasedEvent(connection))

    async def aclose(self) -> None:
        await super().aclose()


class BlockingConnectionPool(ConnectionPool):
    """Takes what ``redis.asyncio.BlockingConnectionPool`` takes; ``timeout`` is how long to wait for a connection."""

    def __init__(
        self,
        max_connections: int = 50,
        timeout: float | None = 20,
        connection_class: Any = Connection,
        queue_class: Any = None,
        **kwargs: Any,
    ) -> None:
        self.timeout = timeout
        super().__init__(connection_class, max_connections, **kwargs)

    def _patience(self) -> float:
        span = 1e9 if self.timeout is None else float(self.timeout)
        left = _deadline.left()
        return span if left is None else min(span, left)


def _is_ours(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, (Connection, SSLConnection, UnixDomainSocketConnection))
