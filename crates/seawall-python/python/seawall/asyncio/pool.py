"""Pools as redis.asyncio knows them, each a face of the engine's."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections import deque
from typing import Any

import redis.asyncio.connection as _redis
from redis.exceptions import MaxConnectionsError
from redis.maint_notifications import MaintNotificationsConfig
from redis.observability.attributes import get_pool_name

from .. import _config, _deadline, _ext, errors
from .._mode import ENGINE
from . import _loops
from ._watched import PASS, StandIn
from .connection import Connection, SSLConnection, UnixDomainSocketConnection

__all__ = ["BlockingConnectionPool", "ConnectionPool"]

_OURS_FOR: dict[type, type] = {
    _redis.Connection: Connection,
    _redis.SSLConnection: SSLConnection,
    _redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
}


#: The bound of who says none, in redis-py.
_USUAL_SIZE = 100


class ConnectionPool(_redis.ConnectionPool):
    """Takes what ``redis.asyncio.ConnectionPool`` takes, and Seawall's settings besides.

    ``max_connections`` bounds the connections that are handed out by :meth:`get_connection`; a task that comes when all
    are in use waits for one until its deadline. Plain commands of all tasks share one connection of the engine's.
    """

    def __init__(
        self, connection_class: Any = Connection, max_connections: int | None = None, *args: Any, **kwargs: Any
    ) -> None:
        _config.refuse_texts({"connection_class": connection_class, **kwargs})
        connection_class = _OURS_FOR.get(connection_class, connection_class)
        kwargs.setdefault("maint_notifications_config", MaintNotificationsConfig(enabled=False))
        self._waiting: deque[asyncio.Future[None]] = deque()
        #: The loop that was here last, and its link; read and written whole, since threads may have a loop each.
        self._known: tuple[weakref.ref[Any], _ext.AsyncLink | None] | None = None
        self._links: weakref.WeakKeyDictionary[Any, _ext.AsyncLink | None] = weakref.WeakKeyDictionary()
        self._links_lock = threading.Lock()
        #: The link that it told its loop the last time that it uses.
        self._joined: _ext.AsyncLink | None = None
        self._codec_known: _ext.Codec | None = None
        kwargs.update(connection_class=connection_class, max_connections=max_connections)
        super().__init__(*args, **kwargs)

    # -- the engine behind it --

    def _link(self) -> _ext.AsyncLink | None:
        """The link that plain commands of this loop go over; ``None`` where connections are not Seawall's."""
        loop = asyncio.get_running_loop()
        known = self._known
        if known is not None and known[0]() is loop:
            return known[1]
        with self._links_lock:
            found = loop in self._links
            link = self._links.get(loop)
        if not found:
            link = self._new_link(loop)
            with self._links_lock:
                self._links[loop] = link
        self._known = (weakref.ref(loop), link)
        return link

    def _new_link(self, loop: asyncio.AbstractEventLoop) -> _ext.AsyncLink | None:
        if not _is_ours(self.connection_class):
            return None
        sample: Any = self.connection_class(**self.connection_kwargs)
        if sample.redis_connect_func or sample._own_ways or sample.credential_provider is not None:
            # With a provider each new connection asks anew what to log in with.
            return None
        link = _loops.link_for(loop, _config.spec_of(sample, sample._ours, self._size()))
        _loops.join(loop, link, self)
        return link

    def _size(self) -> int | None:
        """How many connections the engine is to have for it, where that is more than usual; the other pools of a loop share theirs."""
        return self.max_connections if self.max_connections > _USUAL_SIZE else None

    def make_connection(self) -> Any:
        connection = super().make_connection()
        if _is_ours(type(connection)):
            connection._pool_size = self._size()
        return connection

    def _leave_links(self) -> None:
        """Lets go of the loop's links: what rests is closed where no other pool uses it, the connection that plain
        commands share as soon as what is in flight on it is answered.
        """
        loop = asyncio.get_running_loop()
        _loops.leave(loop, self)
        self._known = self._joined = None
        with self._links_lock:
            self._links.pop(loop, None)

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
        stand_in = PASS.get()
        if stand_in is not None and stand_in.is_due and stand_in.client.connection_pool is self:
            stand_in.is_due = False
            return stand_in
        began = time.monotonic()
        connection, made = await self._take()
        try:
            await self.ensure_connection(connection)
            await self._count_time(began, made)
        except BaseException:
            self._put_back(connection)
            raise
        link = connection._link
        if link is not None and link is not self._joined:
            _loops.join(asyncio.get_running_loop(), link, self)
            self._joined = link
        return connection

    async def _count_time(self, began: float, made: bool) -> None:
        if made:
            await _redis.record_connection_create_time(
                connection_pool=self, duration_seconds=time.monotonic() - began
            )

    async def _take(self) -> tuple[Any, bool]:
        """A connection object, as soon as one is free, and whether it was made for this."""
        until: float | None = None
        while True:
            if self.can_get_connection():
                made = not self._available_connections
                try:
                    return self.get_available_connection(), made
                except MaxConnectionsError:
                    # A task of another thread's loop was quicker.
                    pass
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
                if not turn.done() or turn.cancelled():
                    raise self._exhausted() from None
                # A connection was given back in the same round of the loop: since Python 3.12 both may be.
            except BaseException:
                if turn.done() and not turn.cancelled():
                    self._next_turn()
                raise
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)

    def _next_turn(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            loop = turn.get_loop()
            if turn.done() or loop.is_closed():
                continue
            if loop is asyncio._get_running_loop():
                turn.set_result(None)
            else:
                loop.call_soon_threadsafe(self._turn_elsewhere, turn)
            return

    def _turn_elsewhere(self, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._next_turn()
        else:
            turn.set_result(None)

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
            await super().ensure_connection(connection)
            return
        if getattr(connection, "_rests", False) is True:
            # The engine has looked at what it lends.
            await connection.connect()
            return
        if _is_ours(type(connection)) and (connection._is_elsewhere() or connection._owes()):
            connection._close()
        await super().ensure_connection(connection)

    def _put_back(self, connection: Any) -> None:
        # Without an await: a task that is cancelled here would lose the slot for good.
        self._in_use_connections.discard(connection)
        if connection._rests:
            connection._rest()
        elif connection.should_reconnect():
            connection._close()
        self._available_connections.append(connection)
        self._next_turn()

    async def release(self, connection: Any) -> None:
        if not _is_ours(self.connection_class):
            await super().release(connection)
            return
        if type(connection) is StandIn:
            return
        self._in_use_connections.remove(connection)
        self._put_back(connection)
        dispatcher: Any = self._event_dispatcher
        await dispatcher.dispatch_async(_redis.AsyncAfterConnectionReleasedEvent(connection))

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Closes the connections that were handed out, and the one that plain commands share. The next command makes
        new ones. With ``inuse_connections=False`` only what this pool keeps for itself is closed: what rests otherwise
        is the engine's.
        """
        if not _is_ours(self.connection_class):
            await super().disconnect(inuse_connections)
            return
        for connection in list(self._available_connections):
            await connection.disconnect()
        if inuse_connections:
            for connection in list(self._in_use_connections):
                await connection.disconnect()
            self._leave_links()


class BlockingConnectionPool(ConnectionPool, _redis.BlockingConnectionPool):
    """Takes what ``redis.asyncio.BlockingConnectionPool`` takes; ``timeout`` is how long to wait for a connection."""

    def __init__(
        self,
        max_connections: int = 50,
        timeout: float | None = 20,
        connection_class: Any = Connection,
        queue_class: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(connection_class, max_connections, timeout=timeout, **kwargs)

    async def _count_time(self, began: float, made: bool) -> None:
        await super()._count_time(began, made)
        await _redis.record_connection_wait_time(
            pool_name=get_pool_name(self), duration_seconds=time.monotonic() - began
        )

    def _patience(self) -> float:
        span = 1e9 if self.timeout is None else float(self.timeout)
        left = _deadline.left()
        return span if left is None else min(span, left)


def _is_ours(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, (Connection, SSLConnection, UnixDomainSocketConnection))


if not ENGINE:
    from ._plain import BlockingConnectionPool, ConnectionPool  # type: ignore[assignment]  # noqa: F811
