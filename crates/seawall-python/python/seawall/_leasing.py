"""What connections of threads and of tasks do alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from redis.maint_notifications import MaintNotificationsConfig

from . import _config, _ext, errors
from ._gaps import Gapped
from ._refusals import tell_of

__all__ = ["Leasing", "packed"]

#: What is said over a subscription besides; AUTH when its credentials are renewed.
_OF_SUBSCRIBERS = ("PING", "QUIT", "RESET", "AUTH")


#: Whoever listens ended it himself: the copy of a subscription in a forked child, for one.
_ENDED_HERE = ("cancelled", "client-closed")


#: What a connection is made and spoken over through; what `disconnect` closes is the engine's anyway, and kombu has one.
_WAYS = (
    "_connect",
    "connect",
    "connect_check_health",
    "on_connect_check_health",
    "pack_command",
    "pack_commands",
    "read_response",
    "send_command",
    "send_packed_command",
)


def has_ways_of_its_own(kind: type) -> bool:
    """Whether somebody's class of connections has another way to connect or to talk than the class of ours under it: the
    engine, which knows nothing of it, must not speak in its stead.
    """
    ours = next(base for base in kind.__mro__ if base.__module__.startswith("seawall."))
    return any(getattr(kind, name) is not getattr(ours, name) for name in _WAYS)


class Leasing:
    """What makes a connection class of redis-py's a lease: how it is made, and what may be said again over it."""

    redis_connect_func: Any
    encoder: Any
    _connect_callbacks: Any
    _socket_timeout: Any
    _retry: Any

    #: Reads replies from the lease.
    _parser_kind: type
    #: A subscription of redis-py's.
    _subscription_kind: type
    #: The retry policy that knows what was sent.
    _retry_kind: type

    _lease: _ext.Lease | None = None
    #: Whether its pool gives the connection back to the engine's while nobody uses it.
    _rests = True
    #: What its pool bounds the engine's by: they share a link with it.
    _pool_size: int | None = None
    #: See `has_ways_of_its_own`.
    _own_ways = False
    #: What whoever speaks over it holds meanwhile, where another thread may.
    _turn: AbstractContextManager[Any] | None = None
    #: Whether a subscription was asked for over it.
    _listens = False
    #: Whether anything else was said since.
    _speaks = False
    #: How often a call is sent at most, where redis-py's arguments say so.
    _attempts: int | None = None
    #: Which time this is that a call is sent.
    _tries = 1
    #: The command that was sent last, if it was sent alone, and when.
    _asked: tuple[Any, float] | None = None
    #: When it was last connected, by the monotonic clock.
    _since = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _config.refuse_texts(kwargs)
        self._ours = _config.take_ours(kwargs)
        self._tls_asked = {name: value for name, value in kwargs.items() if name.startswith("ssl_")}
        self._attempts = self._attempts_of(kwargs.get("retry"))
        self._attempt = 1
        self._connect_unsaid = "socket_connect_timeout" not in kwargs
        self._retry_unsaid = _config.retry_unsaid(kwargs)
        # Seawall looks at each connection itself; the server need not tell of its maintenance.
        if kwargs.get("maint_notifications_config") is None:
            kwargs["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        kwargs["parser_class"] = self._parser_kind
        super().__init__(*args, **kwargs)
        self._own_ways = has_ways_of_its_own(type(self))
        if self.redis_connect_func is not None or self._own_ways:
            # What it does to a connection is kept with it.
            self._rests = False
        encoder = self.encoder
        self._codec = _ext.Codec(encoder.encoding, encoder.encoding_errors, bool(encoder.decode_responses))

    # -- the retry policy, which is told what its connection has sent --

    @property
    def retry(self) -> Any:
        return self._retry

    @retry.setter
    def retry(self, policy: Any) -> None:
        if hasattr(self, "_retry"):
            self._attempts = self._attempts_of(policy)
            self._retry_unsaid = False
        self._retry = self._retry_kind(policy, self)

    @staticmethod
    def _attempts_of(policy: Any) -> int | None:
        return _config.attempts(policy)

    def _patience(self) -> float:
        timeout: float | None = self._socket_timeout
        return _config.DEADLINE if timeout is None else timeout

    def _begin(self, attempt: int) -> None:
        self._attempt = self._tries = attempt
        lease = self._lease
        if lease is None:
            return
        if self._turn is None:
            watching = lease.begin(attempt)
        else:
            with self._turn:
                watching = lease.begin(attempt)
        if watching is not None and not self._is_subscribed():
            # Whoever asked was called away before the reply came, by an exception from outside; it would be taken for
            # another's. Subscriptions are owed what they like.
            self._give_up()
            self._lease = None
            if watching:
                raise errors.ConnectionError("Connection given up: a call on it was interrupted, and what it watched is lost")

    def _give_up(self) -> None:
        raise NotImplementedError

    def _is_subscribed(self) -> bool:
        # Whoever gave a subscription this connection by hand, as kombu does, registered nothing.
        return self._listens or self._is_registered()

    def _is_registered(self) -> bool:
        # Not a client-side cache, which wants to be called as well.
        return any(isinstance(listener, self._subscription_kind) for listener in self._listeners())

    def _listeners(self) -> Iterator[Any]:
        """Who wants to be called when it connects."""
        return (getattr(ref(), "__self__", None) for ref in self._connect_callbacks)

    def _repeats_all(self) -> bool:
        """Whether all that was said over it may be said again: a subscription's."""
        return self._is_registered() or (self._listens and not self._speaks)

    def _again(self, error: Exception, attempt: int, left: float) -> float | None:
        """After how many seconds all of it may be sent again; ``None``: it may not."""
        if left <= 0:
            return None
        lease = self._lease
        is_subscribed = self._repeats_all()
        if is_subscribed and getattr(error, "cause", None) in _ENDED_HERE:
            return None
        if lease is not None and not is_subscribed:
            return lease.again(left)
        if isinstance(error, errors.SeawallError) and not is_subscribed:
            # No connection came: the engine has waited for one as long as it was to.
            return None
        # All that was said over a subscription may be said again: it follows its user's policy alone.
        policy = self._retry
        if self._retry_unsaid and any(isinstance(listener, Gapped) for listener in self._listeners()):
            # redis-py has a default in `Redis()` alone: a client made of a URL or on a pool would lose its subscriptions.
            policy = _config.NO_WISH
        retries = policy.get_retries()
        return None if 0 <= retries < attempt else policy._backoff.compute(attempt)

    def _changed_nothing(self) -> bool:
        """Whether what was sent in this attempt, if it ran, has only looked."""
        return self._lease is None or self._lease.changed_nothing

    def _refuse_a_stranger(self) -> None:
        """Where a class of somebody's has dialled by itself: what is said here goes over leases."""
        if self._own_ways and self._lease is None:
            raise TypeError(
                f"{type(self).__name__} makes connections of its own: derive it from redis-py's class, which Seawall's pools take too"
            )

    # -- talking --

    def _tell(self, error: Exception) -> None:
        """The server answered with an error. What a pipeline was answered it tells itself."""
        if self._asked is not None:
            args, began = self._asked
            tell_of(error, args, self, began, self._tries)

    def pack_command(self, *args: Any) -> list[bytes]:
        return [_ext.pack((args,), self._codec)]

    def pack_commands(self, commands: Any) -> list[bytes]:
        self._speaks = True
        return [_ext.pack(commands, self._codec)]

    def _pack_one(self, args: tuple[Any, ...]) -> bytes:
        """What ``send_command`` sends."""
        name = args[0].upper() if isinstance(args[0], str) else ""
        if name.endswith("SUBSCRIBE"):
            self._listens, self._speaks = True, False
        elif name not in _OF_SUBSCRIBERS:
            self._speaks = True
        return _ext.pack((args,), self._codec)


def packed(command: Any) -> bytes:
    """What goes out, of what redis-py's ``send_packed_command`` takes."""
    if isinstance(command, str):
        return command.encode()
    return command if isinstance(command, bytes) else b"".join(command)
