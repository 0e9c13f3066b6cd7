"""Pools as redis-py knows them, each a face of the engine's."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import redis.connection as _redis
from redis.connection import BlockingConnectionPool as _BlockingConnectionPool
from redis.connection import ConnectionPool as _ConnectionPool
from redis.event import AfterConnectionReleasedEvent, EventDispatcher
from redis.exceptions import ConnectionError as _RedisConnectionError
from redis.exceptions import TimeoutError as _RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig
from redis.observability.attributes import ConnectionState, get_pool_name

from . import _config, _deadline, _ext, _metrics, errors
from ._mode import ENGINE
from ._signature import takes_what
from .connection import Connection, SSLConnection, UnixDomainSocketConnection
from .pipeline import StandIn

__all__ = ["BlockingConnectionPool", "ConnectionPool"]

#: How long a wait for a connection goes on before it looks anew: a connection that was dropped instead of given back, by
#: an exception from outside, wakes nobody.
_LOOK_ANEW = 0.1
#: Who has not looked for so long waits no more: such an exception tore it away, too.
_GONE = 2.0

_OURS_FOR: dict[type, type] = {
    _redis.Connection: Connection,
    _redis.SSLConnection: SSLConnection,
    _redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
}


class _Waiter:
    """Who waits for a connection."""

    __slots__ = ("bell", "looked")

    def __init__(self) -> None:
        self.bell = threading.Lock()
        self.looked = 0.0


class _InUse:
    """The connections in use, as a set that keeps none of them alive: whoever was to give one back may be torn away by an
    exception from outside, between any two steps of redis-py's or of ours. What nobody holds any more is out of use.

    Not a ``WeakSet``, whose bookkeeping can be torn in two as well.
    """

    def __init__(self, connections: Iterable[Any] = ()) -> None:
        self._refs = {id(connection): weakref.ref(connection) for connection in connections}

    def add(self, connection: Any) -> None:
        self._refs[id(connection)] = weakref.ref(connection)

    def remove(self, connection: Any) -> None:
        ref = self._refs.get(id(connection))
        if ref is None or ref() is not connection:
            raise KeyError(connection)
        del self._refs[id(connection)]

    def discard(self, connection: Any) -> None:
        if connection in self:
            self.remove(connection)

    def __contains__(self, connection: object) -> bool:
        ref = self._refs.get(id(connection))
        return ref is not None and ref() is connection

    def __iter__(self) -> Iterator[Any]:
        held = [(number, ref, ref()) for number, ref in list(self._refs.items())]
        for number, ref, connection in held:
            if connection is None and self._refs.get(number) is ref:
                del self._refs[number]
        return iter([connection for _, _, connection in held if connection is not None])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def at_most(self) -> int:
        """No less than how many there are: as fast as it gets."""
        return len(self._refs)


@takes_what(_ConnectionPool)
class ConnectionPool(_ConnectionPool):
    """Takes what ``redis.ConnectionPool`` takes, and Seawall's settings besides.

    ``max_connections`` bounds the connections that carry plain commands, and, apart from these, the ones that are
    handed out by :meth:`get_connection`. Whoever comes when all are in use waits for one until its deadline, and only
    then gets ``MaxConnectionsError``.
    """

    #: What its connections are if nobody says.
    _connection_class: type = Connection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _config.refuse_texts(kwargs)
        if args:
            args = (_OURS_FOR.get(args[0], args[0]), *args[1:])
        else:
            kind = kwargs.get("connection_class", self._connection_class)
            kwargs["connection_class"] = _OURS_FOR.get(kind, kind)
        if kwargs.get("maint_notifications_config") is None:
            kwargs["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        self._waiting: list[_Waiter] = []
        self._link_known: _ext.Link | None = None
        self._codec_known: _ext.Codec | None = None
        self._stand_in_known: StandIn | None = None
        super().__init__(*args, **kwargs)
        _pools.add(self)

    # -- the engine behind it --

    def _link(self) -> _ext.Link | None:
        """The link that plain commands go over; ``None`` where they must go over connections of this pool."""
        link = self._link_known
        if link is None and issubclass_of_ours(self.connection_class) and self.cache is None:
            sample = self.connection_class(**self.connection_kwargs)
            if sample.redis_connect_func is None and not sample._own_ways:
                link = self._link_known = sample._find_link(self.max_connections)
        return link

    def _stand_in(self) -> StandIn | None:
        """What stands for a connection where the engine finds one by itself; ``None`` where that cannot be."""
        link = self._link_known or self._link()
        known = self._stand_in_known
        if known is None or known._link is not link:
            known = self._stand_in_known = None if link is None else StandIn(self, link)
        return known

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

    def make_connection(self) -> Any:
        connection: Any = _ConnectionPool.make_connection(self)
        getattr(connection, "_conn", connection)._pool_size = self.max_connections
        return connection

    @property
    def _in_use_connections(self) -> Any:
        return self._used

    @_in_use_connections.setter
    def _in_use_connections(self, connections: Any) -> None:
        self._used = _InUse(connections)

    def reset(self) -> None:
        self._waiting = []
        _ConnectionPool.reset(self)

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        began = time.monotonic()
        self._checkpid()
        connection, made = self._take()
        counted = _metrics.on()
        if counted:
            self._count(ConnectionState.IDLE, ConnectionState.USED)
        try:
            connection.connect()
            if getattr(connection, "_rests", False) is not True:
                self._look(connection)
        except BaseException:
            self.release(connection)
            raise
        if counted:
            self._count_time(began, made)
        return connection

    def _take(self) -> tuple[Any, bool]:
        """A connection object, as soon as one is free, and whether it was made for this. Who comes first is served
        first.
        """
        # No condition and no queue of the library's: an exception from outside leaves their lock held. For the same reason
        # no loop stands under a lock but in a function of its own (tests/test_locks.py).
        with self._lock:
            if not self._waiting and self._used.at_most() < self.max_connections:
                return self._take_free()
        patience = self._patience()
        until = None if patience is None else time.monotonic() + patience
        waiter = _Waiter()
        try:
            while True:
                now = time.monotonic()
                with self._lock:
                    waiter.looked = now
                    self._forget_the_gone(now)
                    if waiter not in self._waiting:
                        self._waiting.append(waiter)
                    if self._waiting.index(waiter) < self.max_connections - len(self._used):
                        return self._take_free()
                    waiter.bell.acquire(blocking=False)
                rest = _LOOK_ANEW if until is None else until - now
                if rest <= 0:
                    raise self._exhausted("Too many connections")
                waiter.bell.acquire(timeout=min(rest, _LOOK_ANEW))
        finally:
            with self._lock:
                self._forget(waiter)

    def _forget_the_gone(self, now: float) -> None:
        self._waiting = [other for other in self._waiting if now - other.looked < _GONE]

    def _forget(self, waiter: _Waiter) -> None:
        self._waiting = [other for other in self._waiting if other is not waiter]

    def _take_free(self) -> tuple[Any, bool]:
        made = not self._available_connections
        if made:
            self._created_connections = self._used.at_most()
            connection = self.make_connection()
        else:
            connection = self._available_connections.pop()
        self._in_use_connections.add(connection)
        return connection, made

    def _look(self, connection: Any) -> None:
        """Makes it anew if it ended, or something unasked came, while it was not used."""
        lenient = self.cache is not None or self.maint_notifications_enabled()
        try:
            lease = getattr(connection, "_lease", None)
            # Whoever gave it back was called away before its reply came.
            owes = lease is not None and lease.begin(1) is not None
            fit = (not connection.can_read() or lenient) and not owes
        except (_RedisConnectionError, _RedisTimeoutError, OSError):
            fit = False
        if not fit:
            connection.disconnect()
            connection.connect()
            if connection.can_read() and not lenient:
                raise errors.ConnectionError("Connection not ready")

    def _patience(self) -> float | None:
        timeout = self.connection_kwargs.get("socket_timeout", _config.DEADLINE)
        span = _config.DEADLINE if timeout is None else float(timeout)
        left = _deadline.left()
        return span if left is None else min(span, left)

    def _exhausted(self, text: str) -> Exception:
        error = errors.PoolExhaustedError(f"{text}: all {self.max_connections} of the pool stayed in use until the deadline")
        error.cause = "pool-exhausted"
        error.hint = "raise max_connections, or look for what holds connections: pipelines, subscriptions, locks"
        return error

    def release(self, connection: Any) -> None:
        if getattr(connection, "_rests", False) is True and connection.pid == self.pid:
            connection._rest()
        self._checkpid()
        with self._lock:
            self._put_back(connection)
        if self._waiting:
            self._ring()

    def _put_back(self, connection: Any) -> None:
        """What redis-py's `release` does under its lock; it counts only where somebody wants that."""
        try:
            self._used.remove(connection)
        except KeyError:
            # Somebody else's.
            return
        if self.owns_connection(connection):
            if connection.should_reconnect():
                connection.disconnect()
            self._available_connections.append(connection)
            dispatcher: Any = self._event_dispatcher
            dispatcher.dispatch(AfterConnectionReleasedEvent(connection))
            if _metrics.on():
                self._count(ConnectionState.USED, ConnectionState.IDLE)
        else:
            connection.disconnect()
            if connection.pid == self.pid:
                self._created_connections -= 1
            _redis.record_connection_count(pool_name="unknown_pool", connection_state=ConnectionState.USED, counter=-1)

    def _ring(self) -> None:
        with self._lock:
            self._ring_those_in_front()

    def _ring_those_in_front(self) -> None:
        free = self.max_connections - len(self._in_use_connections)
        for waiter in self._waiting[:free]:
            if waiter.bell.locked():
                waiter.bell.release()

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Closes the connections that were handed out, and what rests in the engine's pool unless another client of the
        process has the same settings. With ``inuse_connections=False`` nothing that is used is closed.
        """
        _ConnectionPool.disconnect(self, inuse_connections)
        if inuse_connections:
            for connection in (*self._get_free_connections(), *self._get_in_use_connections()):
                if getattr(connection, "_rests", False):
                    connection._link = None
            self._link_known = self._stand_in_known = None

    def set_retry(self, retry: Any) -> None:
        self.connection_kwargs.update({"retry": retry})
        for connection in (*self._get_free_connections(), *self._get_in_use_connections()):
            connection.retry = retry
        # How often plain commands may be sent is a setting of their link.
        self._link_known = None

    def re_auth_callback(self, token: Any) -> None:
        """A credential provider has another token: connections log in with it from now on."""
        link = self._link()
        if link is not None:
            link.renew()
        with self._lock:
            self._log_in_anew(token)

    def _log_in_anew(self, token: Any) -> None:
        for connection in self._get_free_connections():
            if connection.is_connected:
                connection.disconnect()
        for connection in self._get_in_use_connections():
            connection.set_re_auth_token(token)

    # -- redis-py's metrics --

    def _count(self, before: ConnectionState, after: ConnectionState) -> None:
        name = get_pool_name(self)
        _redis.record_connection_count(pool_name=name, connection_state=before, counter=-1)
        _redis.record_connection_count(pool_name=name, connection_state=after, counter=1)

    def _count_time(self, began: float, made: bool) -> None:
        if made:
            _redis.record_connection_create_time(
                connection_pool=self, duration_seconds=time.monotonic() - began
            )


@takes_what(_BlockingConnectionPool)
class BlockingConnectionPool(ConnectionPool, _BlockingConnectionPool):
    """Takes what ``redis.BlockingConnectionPool`` takes, and Seawall's settings besides; ``timeout`` is how long to
    wait for a connection, the deadline is an end to it as well.
    """

    def __init__(self, max_connections: int = 50, timeout: float | None = 20, *args: Any, **kwargs: Any) -> None:
        for name, value in zip(("connection_class", "queue_class"), args):
            kwargs[name] = value
        queue_class = kwargs.pop("queue_class", None)
        if queue_class is not None:
            kwargs["queue_class"] = queue_class
        super().__init__(max_connections=max_connections, timeout=timeout, **kwargs)

    # How it waits is the same; redis-py's has a queue for it.
    reset = ConnectionPool.reset
    disconnect = ConnectionPool.disconnect
    _get_free_connections = _ConnectionPool._get_free_connections
    _get_in_use_connections = _ConnectionPool._get_in_use_connections
    __del__ = _ConnectionPool.__del__

    def _patience(self) -> float | None:
        left = _deadline.left()
        if left is None or self.timeout is None:
            return self.timeout if left is None else left
        return min(float(self.timeout), left)

    def _count_time(self, began: float, made: bool) -> None:
        super()._count_time(began, made)
        _redis.record_connection_wait_time(
            pool_name=get_pool_name(self), duration_seconds=time.monotonic() - began
        )


def issubclass_of_ours(kind: Any) -> bool:
    """Whether connections of this class are leases from the engine."""
    return isinstance(kind, type) and issubclass(kind, (Connection, SSLConnection, UnixDomainSocketConnection))


_pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()


def _after_fork() -> None:
    # Another thread of the parent's may have held them. What they keep in order is made anew at the first use.
    for pool in list(_pools):
        pool._lock = threading.RLock()
        pool._fork_lock = threading.RLock()
        if type(pool._event_dispatcher) is EventDispatcher:
            pool._event_dispatcher._lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


if not ENGINE:
    from ._plain import BlockingConnectionPool, ConnectionPool  # type: ignore[assignment]  # noqa: F811
