"""Connections as redis.asyncio knows them, each a lease from the engine's pool on the loop's own readiness."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import socket
import time
import warnings
from typing import TYPE_CHECKING, Any

import redis.asyncio
import redis.asyncio.connection as _redis
from redis._parsers import _AsyncRESP3Parser
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as _RedisConnectionError
from redis.exceptions import ResponseError as _RedisResponseError
from redis.exceptions import TimeoutError as _RedisTimeoutError
from redis.observability.metrics import CloseReason

from .. import _config, _deadline, _ext, errors
from .._leasing import Leasing, packed
from .._mode import ENGINE
from . import _loops
from ._retry import SafeRetry
from ._watch import Watch

__all__ = ["Connection", "SSLConnection", "UnixDomainSocketConnection"]

#: What redis.asyncio gives a client whose user chose no policy.
_NO_WISH = inspect.signature(redis.asyncio.Redis.__init__).parameters["retry"].default

#: A reply that is not held back is overdue after this many seconds: then the endpoint is looked at.
_OVERDUE = 0.25
#: How often a read without an end looks whether the endpoint has gone down, in seconds.
_GLANCE = 0.5


class LeaseParser(_AsyncRESP3Parser):
    """Reads replies from a lease, only inside a read call of its user."""

    def __init__(self, socket_read_size: int = 0) -> None:
        super().__init__(socket_read_size)
        self.pubsub_push_handler_func = self._as_it_is
        self.node_moving_push_handler_func = None
        self.maintenance_push_handler_func = None
        self.oss_cluster_maint_push_handler_func = None
        self._connection: Any = None

    async def _as_it_is(self, response: Any) -> Any:
        return response

    def on_connect(self, connection: Any) -> None:
        self._connection = connection
        self.encoder = connection.encoder
        self._connected = True

    def on_disconnect(self) -> None:
        self._connection = None
        self._connected = False

    async def can_read(self) -> bool:
        lease = self._lease()
        return lease.can_read(0.0)

    def _lease(self) -> _ext.Lease:
        connection = self._connection
        lease: _ext.Lease | None = None if connection is None else connection._lease
        if lease is None:
            raise errors._closed(may_have_run=True)
        return lease

    async def read_response(
        self, disable_decoding: bool = False, push_request: bool = False, within: float | None = None
    ) -> Any:
        """``within`` seconds; ``None`` is the pool's deadline, and a blocking command's own timeout besides."""
        while True:
            lease = self._lease()
            came = lease.read(self._connection._codec, not disable_decoding, 0.0)
            if came is None:
                came = await self._wait(lease, disable_decoding, within)
            response, push = came
            if push:
                response = await self.handle_push_response(response)
                if push_request:
                    return response
                continue
            if isinstance(response, _RedisConnectionError):
                raise response
            if isinstance(response, list) and response and isinstance(response[0], _RedisConnectionError):
                raise response[0]
            return response

    async def _wait(self, lease: _ext.Lease, disable_decoding: bool, within: float | None) -> Any:
        codec = self._connection._codec
        began = time.monotonic()
        forever = within == math.inf
        span = lease.patience if within is None else (None if forever else within)
        left = _deadline.left()
        if left is not None:
            span = left if span is None else min(span, left)
        asked = within is not None or lease.held_back
        while True:
            waited = time.monotonic() - began
            rest = None if span is None else span - waited
            if rest is not None and rest <= 0:
                if within is None or forever:
                    raise lease.late()
                raise asyncio.TimeoutError
            pause = _GLANCE if rest is None else rest
            if not asked:
                pause = min(pause, max(0.0, _OVERDUE - waited))
            await self._connection._watch.readable(pause)
            if self._lease() is not lease:
                raise errors._closed(may_have_run=True)
            came = lease.read(codec, not disable_decoding, 0.0)
            if came is not None:
                return came
            if not asked and time.monotonic() - began >= _OVERDUE:
                asked = True
                lease.overdue(time.monotonic() - began)
            if rest is None and lease.down:
                raise lease.late()


if TYPE_CHECKING:
    # What it is mixed into.
    _Base = _redis.AbstractConnection
else:
    _Base = object


class _Leased(Leasing, _Base):
    """What makes a connection class of redis.asyncio's a lease."""

    _parser_kind = LeaseParser
    _subscription_kind = PubSub
    _retry_kind = SafeRetry

    _watch: Watch | None = None
    _link: _ext.AsyncLink | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _config.refuse_foreign_tls(kwargs)
        super().__init__(*args, **kwargs)

    def __del__(self, _warn: Any = warnings.warn, *_: Any) -> None:
        # Nobody waits on it: who did would have kept it.
        self._look_away()
        lease, self._lease = self._lease, None
        if lease is not None:
            if lease.fileno() >= 0:
                _warn(f"unclosed Connection {self!r}", ResourceWarning, source=self)
            lease.abandon()

    @staticmethod
    def _attempts_of(policy: Any) -> int | None:
        return None if policy == _NO_WISH else _config.attempts(policy)

    def _give_up(self) -> None:
        self._close()

    def _owes(self) -> bool:
        """Whether whoever gave it back was called away before its reply came."""
        return self._lease is not None and self._lease.begin(1) is not None

    # -- dialling is the engine's --

    @property
    def is_connected(self) -> bool:
        return self._lease is not None and self._lease.fileno() >= 0

    def _is_elsewhere(self) -> bool:
        """Whether it belongs to another loop than the one that runs."""
        return self._watch is not None and not self._watch.is_of(asyncio.get_running_loop())

    # What `_config` asks of a connection, as the sync ones call it.
    @property
    def _socket_timeout(self) -> Any:
        return self.socket_timeout

    @property
    def _socket_connect_timeout(self) -> Any:
        return self.socket_connect_timeout

    async def _connect(self) -> None:
        self._listens = False
        loop = asyncio.get_running_loop()
        self._link = _loops.link_for(loop, await self._spec())
        sockets = _loops.sockets_of(loop)
        call = self._link.lease(_deadline.left())
        try:
            await call
        except asyncio.CancelledError:
            call.give_up()
            if call.is_answered():
                # It was granted a moment ago. Not left to the collector: tracebacks keep what they pass through.
                call.result().release()
            raise
        self._lease = call.result()
        self._watch = Watch(self._lease, loop, sockets)
        self._lease.begin(self._attempt)
        self._attempt = 1
        self._since = time.monotonic()

    async def _spec(self) -> _config.LinkSpec:
        """What the connection asks for; a provider of credentials is asked in the way that tasks can."""
        provider = self.credential_provider
        if provider is None:
            return _config.spec_of(self, self._ours, self._pool_size)
        answer = await provider.get_credentials_async()
        before = self.username, self.password
        self.credential_provider = None
        self.username, self.password = answer if len(answer) > 1 else (None, answer[0])
        try:
            return _config.spec_of(self, self._ours, self._pool_size)
        finally:
            self.credential_provider = provider
            self.username, self.password = before

    async def connect(self) -> None:
        if not self.is_connected:
            await super().connect()

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        # Trying again, within the deadline, is the engine's.
        if self.is_connected:
            return
        try:
            await self._connect()
        except asyncio.TimeoutError:
            raise _RedisTimeoutError("Timeout connecting to server") from None
        except OSError as error:
            raise _RedisConnectionError(self._error_message(error)) from error
        try:
            if not self.redis_connect_func:
                await self.on_connect_check_health(check_health=check_health)
            else:
                self._parser.on_connect(self)
                awaited = self.redis_connect_func(self)
                if awaited is not None and hasattr(awaited, "__await__"):
                    await awaited
        except BaseException:
            await self.disconnect()
            raise
        self._connect_callbacks = [ref for ref in self._connect_callbacks if ref()]
        for ref in self._connect_callbacks:
            callback = ref()
            task = callback(self) if callback is not None else None
            if task is not None and hasattr(task, "__await__"):
                await task

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        # HELLO, AUTH, SETNAME and SELECT are done.
        self._refuse_a_stranger()
        self._reset_himport_state()
        self._parser.on_connect(self)
        await self.activate_maint_notifications_handling_if_enabled(check_health=check_health)

    async def disconnect(
        self,
        nowait: bool = False,
        error: Exception | None = None,
        failure_count: int | None = None,
        health_check_failed: bool = False,
    ) -> None:
        was_connected = self.is_connected
        self._close()
        if not was_connected:
            return
        if error is None:
            await _redis.record_connection_closed(close_reason=CloseReason.APPLICATION_CLOSE)
        else:
            reason = CloseReason.HEALTHCHECK_FAILED if health_check_failed else CloseReason.ERROR
            await _redis.record_connection_closed(close_reason=reason, error_type=error)

    def _close(self) -> None:
        self._reset_himport_state()
        self._parser.on_disconnect()
        self.reset_should_reconnect()
        self._look_away()
        if self._lease is not None:
            # Kept for `_again`, which asks what was lost with it.
            self._lease.abandon()

    def _look_away(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def _rest(self) -> None:
        """Gives the connection back to the engine's pool; the next ``connect`` takes one."""
        self._look_away()
        lease, self._lease = self._lease, None
        if lease is not None:
            self._parser.on_disconnect()
            lease.release()

    def getpeername(self) -> str | None:
        """The address at the other end; ``None`` without a connection, and for a Unix socket."""
        number = -1 if self._lease is None else self._lease.fileno()
        if number < 0:
            return None
        try:
            with socket.socket(fileno=os.dup(number)) as ours:
                name = ours.getpeername()
        except OSError:
            return None
        return str(name[0]) if isinstance(name, tuple) else None

    # -- talking --

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        self._asked = None
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health and self.health_check_interval:
            await self.check_health()
        lease, watch = self._lease, self._watch
        assert lease is not None and watch is not None
        if self._parser._connection is not self:  # type: ignore[attr-defined]
            # A cancellation came between the connection and its parser.
            self._parser.on_connect(self)
        data = packed(command)
        try:
            if lease.send_some(data):
                return
            left = _deadline.left()
            until = time.monotonic() + (self._patience() if left is None else min(self._patience(), left))
            while not lease.flush():
                rest = until - time.monotonic()
                if rest <= 0:
                    raise lease.late()
                await watch.writable(rest)
        except BaseException:
            self._close()
            raise

    async def send_command(self, *args: Any, **kwargs: Any) -> None:
        began = time.monotonic()
        await self.send_packed_command(self._pack_one(args), check_health=kwargs.get("check_health", True))
        self._asked = args[:1], began

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> Any:
        try:
            response = await self._parser.read_response(  # type: ignore[attr-defined]
                disable_decoding=disable_decoding, push_request=bool(push_request), within=timeout
            )
        except asyncio.TimeoutError:
            # The caller's own timeout: the read can be asked for again.
            return None
        except OSError as error:
            if disconnect_on_error:
                self._close()
            raise errors.ConnectionError(f"Error while reading from {self.repr_pieces()}: {error.args}") from error
        except BaseException as error:
            if isinstance(error, _RedisConnectionError):
                self._tell(error)
            if disconnect_on_error:
                self._close()
            raise
        if self.health_check_interval:
            self.next_health_check = asyncio.get_running_loop().time() + self.health_check_interval
        if isinstance(response, _RedisResponseError):
            self._tell(response)
            raise response from None
        return response


class Connection(_Leased, _redis.Connection):
    """A TCP connection: takes what ``redis.asyncio.Connection`` takes, and Seawall's settings besides."""


class SSLConnection(_Leased, _redis.SSLConnection):
    """A TLS connection: takes what ``redis.asyncio.SSLConnection`` takes, and Seawall's settings besides."""


class UnixDomainSocketConnection(_Leased, _redis.UnixDomainSocketConnection):
    """A connection over a Unix socket."""


if not ENGINE:
    from ._plain import Connection, SSLConnection, UnixDomainSocketConnection  # noqa: F811
