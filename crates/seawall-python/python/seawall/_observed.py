"""``SEAWALL=observe``: redis-py decides and sends; here is counted what Seawall would have done.

A connection tells what it sends, what is answered, and what was owed when it was lost; a retry policy that is bound to it,
when it sends again. Whether the endpoint is up the engine finds out by its own probes, which begin with the first failure.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from redis import exceptions as _redis
from redis.exceptions import RedisError
from redis.retry import Retry

from . import _config, _ext, events

_T = TypeVar("_T")

#: Replay classes whose commands Seawall sends again by itself.
_REPEATABLE = frozenset({"read", "overwrite"})
#: Until so many seconds after the first failure a call is held back, and not refused: `ride_out`.
_RIDE_OUT = 0.5

_LOSSES = (_redis.ConnectionError, _redis.TimeoutError, OSError)


class Observer:
    """What was seen of one endpoint."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.lock = threading.RLock()
        self.begin()
        #: Something failed, and no probe has found the endpoint well since.
        self.suspicious = False

    def begin(self) -> None:
        #: Requests that were sent (a pipeline is one), and of them those that were lost, by cause.
        self.requests = 0
        self.lost: dict[str, int] = {}
        #: Calls that ended by an error after all of redis-py's attempts, by cause.
        self.failed: dict[str, int] = {}
        self.may_have_run = 0
        #: Those that redis-py sent again, and those among them that Seawall would not have: by command.
        self.retried = 0
        self.doubled: dict[str, int] = {}
        #: Attempts to connect that redis-py made again by itself.
        self.redialled = 0
        #: Those that Seawall would have refused at once, and of them those that were answered after all.
        self.would_refuse = 0
        self.would_refuse_answered = 0
        #: Lost ones that Seawall would have sent again, and would not have.
        self.would_retry = 0
        self.would_not_retry = 0
        #: Why Seawall would not take these settings.
        self.unfit: str | None = None

    def as_dict(self) -> dict[str, Any]:
        with self.lock:
            return {
                "requests": self.requests,
                "lost": dict(self.lost),
                "failed": dict(self.failed),
                "may_have_run": self.may_have_run,
                "retried": self.retried,
                "doubled": dict(self.doubled),
                "redialled": self.redialled,
                "would_refuse": self.would_refuse,
                "would_refuse_answered": self.would_refuse_answered,
                "would_retry": self.would_retry,
                "would_not_retry": self.would_not_retry,
                "unfit": self.unfit,
            }

    def tell(self, name: str, cause: str | None, level: int = logging.INFO, **facts: Any) -> None:
        events.tell(events.Event(name, self.endpoint, cause, facts), level)


_observers: dict[str, Observer] = {}
_lock = threading.RLock()


def observers() -> list[Observer]:
    with _lock:
        return list(_observers.values())


def _observer(endpoint: str) -> Observer:
    with _lock:
        found = _observers.get(endpoint)
        if found is None:
            found = _observers[endpoint] = Observer(endpoint)
        return found


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    for observer in _observers.values():
        observer.lock = threading.RLock()
        observer.begin()


os.register_at_fork(after_in_child=_after_fork)


class Loss:
    """A request, or an attempt to connect, that failed."""

    __slots__ = ("cause", "owed", "sent")

    def __init__(self, cause: str, owed: list[tuple[str, str]], sent: bool) -> None:
        self.cause = cause
        self.owed = owed
        self.sent = sent

    @property
    def repeatable(self) -> bool:
        return not self.sent or all(replay in _REPEATABLE for _, replay in self.owed)

    @property
    def command(self) -> str:
        """The first one that must not run twice."""
        unsafe = [name for name, replay in self.owed if replay not in _REPEATABLE]
        names = unsafe or [name for name, _ in self.owed]
        return next((name for name in names if name != "MULTI"), "?")


class Watching:
    """What connections of threads and of tasks do alike."""

    host: Any
    port: Any
    #: A :class:`Bound` policy.
    _retry_kind: Any
    _watch: Observer
    _watch_link: _ext.Link | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._given = _config.drop_ours(kwargs)
        self._tls_asked = {name: value for name, value in kwargs.items() if name.startswith("ssl_")}
        self._attempts = None
        self._connect_unsaid = "socket_connect_timeout" not in kwargs
        #: Inside a handshake or a health check: what is sent there is no request of the application's.
        self._shaking = 0
        #: Commands that were sent and owe a reply: name and replay class.
        self._owed: list[tuple[str, str]] = []
        self._sent_at = 0.0
        self._lost: Loss | None = None
        self._would_refuse = False
        self._admitted = False
        self._watch_link = None
        super().__init__(*args, **kwargs)
        self._observe()

    def _observe(self) -> None:
        try:
            link = _config.link_for(_config.spec_of(self, _config.take_ours(dict(self._given))))
            self._watch_link = link
            self._watch = _observer(link.stats()["endpoint"])
        except Exception as error:
            # Seawall would have raised this. It must not harm the application that only wants to look.
            path = getattr(self, "path", None)
            endpoint = f"{getattr(self, 'host', '')}:{getattr(self, 'port', '')}" if path is None else str(path)
            self._watch = _observer(endpoint)
            if self._watch.unfit is None:
                self._watch.unfit = "; ".join(line.strip() for line in str(error).splitlines())
                self._watch.tell("observe.unfit", None, logging.WARNING, detail=self._watch.unfit)

    @property
    def retry(self) -> Any:
        return self._retry

    @retry.setter
    def retry(self, policy: Any) -> None:
        bound = isinstance(policy, self._retry_kind) and policy._connection is self
        self._retry = policy if bound else self._retry_kind(policy, self)

    # -- what a connection tells --

    def _goes_out(self, command: Any) -> None:
        watch = self._watch
        self._admitted = False
        packed = command.encode() if isinstance(command, str) else command
        if not isinstance(packed, bytes):
            packed = b"".join(packed)
        self._owed = _ext.requests(packed, 0)
        self._sent_at = time.monotonic()
        self._lost = None
        with watch.lock:
            watch.requests += 1

    def _admit(self) -> None:
        """Before it dials or sends: whether Seawall would have refused it."""
        watch, link = self._watch, self._watch_link
        if self._admitted:
            return
        self._admitted = True
        self._would_refuse = False
        if not watch.suspicious or link is None:
            return
        now = link.stats()
        if now["state"] == "up":
            watch.suspicious = False
        elif now["state"] == "down" and now["lasting"] > _RIDE_OUT:
            self._would_refuse = True
            with watch.lock:
                watch.would_refuse += 1
            watch.tell("observe.refused", now["cause"])

    def _came(self) -> None:
        if self._owed:
            del self._owed[0]
            if self._would_refuse and not self._owed:
                self._would_refuse = False
                with self._watch.lock:
                    self._watch.would_refuse_answered += 1

    def _fails(self, error: BaseException, dialling_since: float | None = None) -> None:
        owed, self._owed = self._owed, []
        dialling = dialling_since is not None
        if not dialling and not owed:
            # A subscription's wait, or a connection at rest.
            return
        cause = cause_of(error, dialling)
        loss = self._lost = Loss(cause, owed, sent=not dialling)
        watch = self._watch
        with watch.lock:
            if loss.sent:
                watch.lost[cause] = watch.lost.get(cause, 0) + 1
                watch.may_have_run += 1
                if loss.repeatable:
                    watch.would_retry += 1
                else:
                    watch.would_not_retry += 1
            watch.suspicious = True
        if self._watch_link is not None:
            since = dialling_since if dialling_since is not None else self._sent_at
            self._watch_link.report(cause, max(0.0, time.monotonic() - since))

    def _sends_again(self, attempt: int) -> None:
        loss, self._lost = self._lost, None
        watch = self._watch
        if loss is None:
            return
        with watch.lock:
            if not loss.sent:
                watch.redialled += 1
                return
            watch.retried += 1
            if loss.repeatable:
                return
            command = loss.command
            watch.doubled[command] = watch.doubled.get(command, 0) + 1
        watch.tell("observe.doubled", loss.cause, logging.WARNING, cmd=command, attempt=attempt)

    def _gives_up(self) -> None:
        loss, self._lost = self._lost, None
        self._admitted = False
        if loss is None:
            return
        watch = self._watch
        with watch.lock:
            watch.failed[loss.cause] = watch.failed.get(loss.cause, 0) + 1
        if loss.sent and loss.repeatable:
            watch.tell("observe.retry", loss.cause, cmd=loss.command)

    # -- around redis-py's own methods --

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        self._admit()
        began = time.monotonic()
        self._lost = None
        with self._shakes():
            try:
                yield
            except _LOSSES as error:
                if self._lost is None:
                    self._fails(error, began)
                raise

    @contextmanager
    def _dialling(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except _LOSSES as error:
            self._fails(error, began)
            raise

    @contextmanager
    def _shakes(self) -> Iterator[None]:
        self._shaking += 1
        try:
            yield
        finally:
            self._shaking -= 1

    @contextmanager
    def _sending(self, command: Any) -> Iterator[None]:
        self._goes_out(command)
        try:
            yield
        except _LOSSES as error:
            self._fails(error)
            raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except _LOSSES as error:
            self._fails(error)
            raise
        except RedisError:
            self._came()
            raise
        self._came()


class Bound:
    """The retry policy it was made from, on one connection, which it tells when all of it is sent again."""

    #: redis-py's own.
    _plain_kind: Any
    _backoff: Any
    _retries: Any
    _supported_errors: Any

    def __init__(self, policy: Any, connection: Any) -> None:
        super().__init__(policy._backoff, policy._retries, policy._supported_errors)  # type: ignore[call-arg]
        self._connection = connection

    def __deepcopy__(self, memo: Any) -> Any:
        return self._plain_kind(self._backoff, self._retries, self._supported_errors)

    def _counted(self, do: Callable[[], _T]) -> Callable[[], _T]:
        attempt = 0

        def again() -> _T:
            nonlocal attempt
            attempt += 1
            if attempt > 1:
                self._connection._sends_again(attempt)
            return do()

        return again


class WatchedRetry(Bound, Retry):
    """A policy for threads."""

    _plain_kind = Retry

    def call_with_retry(self, do: Callable[[], Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super().call_with_retry(self._counted(do), *args, **kwargs)
        except _LOSSES:
            self._connection._gives_up()
            raise


class Watched(Watching):
    """A connection class of redis-py's for threads that is looked at."""

    _retry_kind = WatchedRetry
    _sock: Any

    def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        if self._sock:
            return
        with self._connecting():
            super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]

    def _connect(self) -> Any:
        with self._dialling():
            return super()._connect()  # type: ignore[misc]

    def check_health(self) -> None:
        with self._shakes():
            super().check_health()  # type: ignore[misc]

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._shaking:
            return super().send_packed_command(command, check_health)  # type: ignore[misc]
        self._admit()
        if not self._sock:
            self.connect_check_health(check_health=False)
        if check_health:
            self.check_health()
        with self._sending(command):
            super().send_packed_command(command, check_health=False)  # type: ignore[misc]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if self._shaking:
            return super().read_response(*args, **kwargs)  # type: ignore[misc]
        with self._reading():
            return super().read_response(*args, **kwargs)  # type: ignore[misc]


# -- what redis-py's errors say, in our words --

_BY_KIND: tuple[tuple[Any, str], ...] = (
    (_redis.AuthenticationError, "auth-failed"),
    (_redis.BusyLoadingError, "loading"),
    (_redis.MaxConnectionsError, "pool-exhausted"),
)
_BY_ERRNO = {
    errno.ECONNREFUSED: "connection-refused",
    errno.ECONNRESET: "connection-reset",
    errno.EPIPE: "connection-reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EMFILE: "local-limit",
    errno.ENFILE: "local-limit",
    errno.EADDRNOTAVAIL: "local-limit",
    errno.EACCES: "connect-forbidden",
    errno.ENOENT: "connection-refused",
}


def cause_of(error: BaseException, dialling: bool) -> str:
    """The cause as far as redis-py tells it."""
    for kind, cause in _BY_KIND:
        if isinstance(error, kind):
            return cause
    if "max number of clients" in str(error):
        return "max-clients"
    seen: BaseException | None = error
    for _ in range(5):
        if isinstance(seen, socket.gaierror):
            return "name-service" if seen.errno == socket.EAI_AGAIN else "name-unknown"
        if isinstance(seen, OSError) and seen.errno in _BY_ERRNO:
            return _BY_ERRNO[seen.errno]
        if seen is None:
            break
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, (_redis.TimeoutError, TimeoutError)):
        return "connect-timeout" if dialling else "reply-timeout"
    return "closed-by-server"
