"""Connections as redis-py, kombu, Django and others know them, each a lease from the engine's pool."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

import redis.connection as _redis
from redis._parsers import _RESP3Parser
from redis.client import PubSub
from redis.exceptions import ConnectionError as _RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as _RedisTimeoutError
from redis.utils import SENTINEL

from . import _config, _deadline, _ext, _metrics, errors
from ._leasing import Leasing, packed
from ._mode import ENGINE
from ._pipelines import raise_lost
from ._retry import SafeRetry
from ._signature import takes_what
from ._subscribed import Subscribed

__all__ = ["Connection", "SSLConnection", "UnixDomainSocketConnection"]

#: What a read without a timeout of its own waits: the pool's deadline, and a blocking command's own timeout besides.
_AS_THE_POOL = -1.0


class LeasedSocket:
    """What others find as ``_sock``: a descriptor to poll, and a way to close it."""

    __slots__ = ("_lease",)

    def __init__(self, lease: _ext.Lease) -> None:
        self._lease = lease

    def fileno(self) -> int:
        """The real descriptor; -1 once it is closed. Bytes may wait in the buffer while it is silent: ask the
        connection's ``can_read(0)`` first."""
        return self._lease.fileno()

    def close(self) -> None:
        self._lease.abandon()

    def shutdown(self, how: int = socket.SHUT_RDWR) -> None:
        self._lease.abandon()

    def settimeout(self, timeout: float | None) -> None:
        """Without effect: how long to wait is said at each read."""

    def gettimeout(self) -> float | None:
        return None

    def getpeername(self) -> Any:
        return self._ask(socket.socket.getpeername)

    def getsockname(self) -> Any:
        return self._ask(socket.socket.getsockname)

    def getsockopt(self, *args: Any) -> Any:
        return self._ask(lambda sock: sock.getsockopt(*args))

    @property
    def family(self) -> Any:
        return self._ask(lambda sock: sock.family)

    def _ask(self, question: Any) -> Any:
        number = self._lease.fileno()
        if number < 0:
            raise OSError(9, "Bad file descriptor")
        with socket.socket(fileno=os.dup(number)) as copy:
            return question(copy)


class LeaseParser(_RESP3Parser):
    """Reads replies from a lease, only inside a read call of its user."""

    def __init__(self, socket_read_size: int = 0) -> None:
        super().__init__(socket_read_size)
        self.pubsub_push_handler_func = self.handle_pubsub_push_response
        self.node_moving_push_handler_func = None
        self.maintenance_push_handler_func = None
        self.oss_cluster_maint_push_handler_func = None
        self.invalidation_push_handler_func = None
        self.encoder = None
        self._lease: _ext.Lease | None = None
        self._codec: Any = None
        #: Where it is a subscription.
        self._subscribed: Subscribed | None = None

    def handle_pubsub_push_response(self, response: Any) -> Any:
        return response

    def on_connect(self, connection: Any) -> None:
        self.encoder = connection.encoder
        self._lease = connection._lease
        self._codec = connection._codec

    def on_disconnect(self) -> None:
        self._lease = None

    def can_read(self, timeout: float = 0) -> bool:
        lease = self._lease
        if lease is None:
            raise errors._closed(may_have_run=True)
        within, left = timeout or 0.0, _deadline.left()
        if left is not None:
            within = min(within, left)
        return lease.can_read(within) if self._subscribed is None else self._subscribed.can_read(lease, within)

    def read_response(
        self, disable_decoding: bool = False, push_request: bool = False, timeout: Any = SENTINEL
    ) -> Any:
        while True:
            lease = self._lease
            if lease is None:
                raise errors._closed(may_have_run=True)
            left = _deadline.left()
            if timeout is SENTINEL:
                if left is None:
                    within = _AS_THE_POOL
                else:
                    usual = lease.patience
                    within = left if usual is None else min(usual, left)
            else:
                within = timeout if left is None else left if timeout is None else min(timeout, left)
            if self._subscribed is None:
                came = lease.read(self._codec, not disable_decoding, within)
            else:
                came = self._subscribed.read(lease, self._codec, not disable_decoding, within)
            if came is None:
                if timeout is SENTINEL or timeout is None:
                    raise lease.late()
                if push_request:
                    # A subscriber asks whether something came; the rest of a message is on its way.
                    return None
                raise socket.timeout("timed out")
            response, push = came
            if push:
                response = self.handle_push_response(response)
                if push_request:
                    return response
                continue
            if isinstance(response, _RedisConnectionError):
                raise response
            if isinstance(response, list) and response and isinstance(response[0], _RedisConnectionError):
                raise response[0]
            return response


if TYPE_CHECKING:
    # What it is mixed into.
    _Base = _redis.AbstractConnection
else:
    _Base = object


class _Leased(Leasing, _Base):
    """What makes a connection class of redis-py's a lease."""

    _parser_kind = LeaseParser
    _subscription_kind = PubSub
    _retry_kind = SafeRetry

    _sock: Any
    _link: _ext.Link | None = None
    #: What `handshake_metadata` was made of.
    _greeting: tuple[Any, ...] | None = None
    #: Where it is a subscription: it may be spoken on while another thread listens.
    _subscribed: Subscribed | None = None

    def register_connect_callback(self, callback: Any) -> None:
        """As redis-py's."""
        if self._subscribed is None and isinstance(callback.__self__, PubSub):
            subscribed = self._subscribed = self._parser._subscribed = Subscribed()
            self._turn = subscribed.turn
        super().register_connect_callback(callback)

    def _give_up(self) -> None:
        self.disconnect()

    # -- dialling is the engine's --

    def _find_link(self, pool_size: int | None = None) -> _ext.Link:
        # Its attributes may have been changed since it was made: others do.
        return _config.link_for(_config.spec_of(self, self._ours, pool_size))

    def _connect(self) -> LeasedSocket:
        self._lease = None
        self._listens = False
        link = self._link = self._find_link(self._pool_size)
        self._lease = link.lease(_deadline.left())
        self._lease.begin(self._attempt)
        self._attempt = 1
        self._since = time.monotonic()
        return LeasedSocket(self._lease)

    def connect(self) -> None:
        if not self._sock:
            super().connect()

    def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        # Trying again, within the deadline, is the engine's.
        if self._sock:
            return
        try:
            self._sock = self._connect()
        except socket.timeout as error:
            raise self._not_connected(_RedisTimeoutError("Timeout connecting to server")) from error
        except OSError as error:
            raise self._not_connected(_RedisConnectionError(self._error_message(error))) from error
        try:
            if self.redis_connect_func is None:
                self.on_connect_check_health(check_health=check_health)
            else:
                self.redis_connect_func(self)
        except RedisError:
            self.disconnect()
            raise
        if self._connect_callbacks:
            self._connect_callbacks = [ref for ref in self._connect_callbacks if ref()]
            for ref in self._connect_callbacks:
                callback = ref()
                if callback is not None:
                    callback(self)

    def _not_connected(self, error: Exception) -> Exception:
        """It, counted as redis-py counts it."""
        _metrics.count_error(error, getattr(self, "host", None), getattr(self, "port", None), 0, is_internal=True)
        return error

    def on_connect_check_health(self, check_health: bool = True) -> None:
        # HELLO, AUTH, SETNAME and SELECT are done.
        self._refuse_a_stranger()
        self._reset_himport_state()
        self._parser.on_connect(self)
        lease = self._lease
        greeting = (self.protocol, *((None, None) if lease is None else lease.server))
        if greeting != self._greeting:
            # Not with each lease: it is seldom another server.
            told: dict[Any, Any] = dict(zip(("proto", "server", "version"), greeting))
            told = {key: value for key, value in told.items() if value is not None}
            self.handshake_metadata = {**told, **{key.encode(): value for key, value in told.items()}}
            self._greeting = greeting
        self.activate_maint_notifications_handling_if_enabled(check_health=check_health)

    # -- talking --

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._asked = None
        if not self._sock:
            self.connect_check_health(check_health=False)
        if check_health and self.health_check_interval:
            self.check_health()
        lease = self._lease
        if lease is None:
            raise errors._closed(may_have_run=False)
        if self._parser._lease is not lease:
            # An exception from outside came between the connection and its parser.
            self._parser.on_connect(self)
        data = packed(command)
        left = _deadline.left()
        within = _AS_THE_POOL if left is None else min(self._patience(), left)
        try:
            if self._turn is None:
                lease.send(data, within)
            else:
                with self._turn:
                    lease.send(data, within)
        except BaseException:
            self.disconnect()
            raise

    def send_command(self, *args: Any, **kwargs: Any) -> None:
        began = time.monotonic()
        self.send_packed_command(self._pack_one(args), check_health=kwargs.get("check_health", True))
        self._asked = args[:1], began

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except (ResponseError, _RedisConnectionError) as error:
            self._tell(error)
            raise

    def exchange_many(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Sends commands in one write and reads their replies together; the server's errors stand among them."""
        self._speaks = True
        self.send_packed_command(_ext.pack(commands, self._codec))
        lease = self._lease
        if lease is None:
            raise errors._closed(may_have_run=True)
        began = time.monotonic()
        span = lease.patience
        left = _deadline.left()
        if left is not None:
            span = left if span is None else min(span, left)
        replies: list[Any] = []
        try:
            while len(replies) < len(commands):
                rest = None if span is None else max(0.0, began + span - time.monotonic())
                more, pushes = lease.read_many(self._codec, True, len(commands) - len(replies), rest)
                for push in pushes:
                    self._parser.handle_push_response(push)
                if not more and not pushes:
                    raise lease.late()
                replies += more
            raise_lost(replies)
        except BaseException:
            self.disconnect()
            raise
        return replies

    def _rest(self) -> None:
        """Gives the connection back to the engine's pool; the next ``connect`` takes one."""
        lease, self._lease = self._lease, None
        self._sock = None
        self._parser.on_disconnect()
        if lease is not None:
            lease.release()


@takes_what(_redis.Connection)
class Connection(_Leased, _redis.Connection):
    """A TCP connection: takes what ``redis.Connection`` takes, and Seawall's settings besides."""


@takes_what(_redis.SSLConnection)
class SSLConnection(_Leased, _redis.SSLConnection):
    """A TLS connection: takes what ``redis.SSLConnection`` takes, and Seawall's settings besides."""

    def _connect(self) -> LeasedSocket:
        return _Leased._connect(self)


@takes_what(_redis.UnixDomainSocketConnection)
class UnixDomainSocketConnection(_Leased, _redis.UnixDomainSocketConnection):
    """A connection over a Unix socket."""


if not ENGINE:
    from ._plain import Connection, SSLConnection, UnixDomainSocketConnection  # noqa: F811
