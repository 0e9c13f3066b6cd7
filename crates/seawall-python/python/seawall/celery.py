"""Celery and kombu on Seawall's connections, while their URLs stay ``redis://``.

Call :func:`install` where the Celery application is made, before its first connection::

    import seawall.celery
    from celery import Celery

    seawall.celery.install()
    app = Celery("shop", broker="redis://localhost:6379/0", backend="redis://localhost:6379/1")

The broker's and the result backend's connections are Seawall's from then on, in this process and in the workers that
import the same module. What watches the queues from outside (Flower, KEDA) sees no difference. ``sentinel://`` stays as
it was.
"""

from __future__ import annotations

import contextvars
import functools
from typing import Any

import redis.connection as _redis
from kombu.exceptions import KombuError, OperationalError
from kombu.transport import redis as _kombu
from redis.sentinel import SentinelManagedConnection

from . import _unsaid
from ._config import DEADLINE
from ._deadline import deadline
from ._mode import MODE, OBSERVE, OFF
from .connection import Connection, SSLConnection, UnixDomainSocketConnection
from .errors import SeawallError, _closed
from .pool import ConnectionPool, issubclass_of_ours

__all__ = ["OutcomeUnknown", "PublishUnknown", "install"]


class OutcomeUnknown(SeawallError, KombuError):
    """The connection was lost after a message was sent to its queue: it may be there.

    kombu does not send it again, and whoever does must be ready for it to be there twice. Look at ``cause``.
    """


class PublishUnknown(OutcomeUnknown, OperationalError):
    """What ``delay()`` and ``apply_async()`` raise of :class:`OutcomeUnknown`: an ``OperationalError`` as any other
    failure of theirs."""


#: In `delay()` until the result backend has subscribed to the result.
_calling: contextvars.ContextVar[bool] = contextvars.ContextVar("seawall_celery_calling", default=False)

#: A call waits for no more than this many reconnects of the result backend, each with the engine's own patience. As
#: delivered it is 20 with a second between, in which a web worker is lost to its site.
CALL_RETRIES_MAX = 1


def install() -> None:
    """Makes kombu's redis transport, and Celery's result backend if Celery is there, use Seawall's connections.

    May be called more than once. Connections that exist already stay what they are.
    """
    channel = _kombu.Channel
    if MODE == OFF or issubclass_of_ours(channel.connection_class):
        return
    channel.connection_class = Connection
    channel.connection_class_ssl = SSLConnection
    channel._connparams = _with_our_class(channel._connparams)
    if MODE == OBSERVE:
        # Looked at, and left as it is.
        return
    channel._put = _told_if_in_doubt(channel._put)
    channel._get_pool = _pool_of_channel
    _unsaid.install()
    try:
        from celery.backends.redis import RedisBackend
    except ImportError:
        return
    RedisBackend._get_pool = _pool_of_backend
    RedisBackend.ensure = _prompt_while_calling(RedisBackend.ensure)
    RedisBackend.on_task_call = _calls(RedisBackend.on_task_call)


def _pool_of_channel(self: Any, asynchronous: bool = False) -> ConnectionPool:
    if self.connection is None or self.connection.client is None:
        # Its connection was closed while the channel could not be, for want of the broker. kombu stumbles over the None,
        # and Celery's worker, which is closing what it lost, ends by that.
        raise _closed(may_have_run=False)
    params = self._connparams(asynchronous=asynchronous)
    self.keyprefix_fanout = self.keyprefix_fanout.format(db=params["db"])
    return ConnectionPool(**params)


def _pool_of_backend(self: Any, **params: Any) -> Any:
    return (self._ConnectionPool or ConnectionPool)(**params)


_OURS: dict[type, type] = {
    _redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
    _redis.SSLConnection: SSLConnection,
    _redis.Connection: Connection,
}


def _with_our_class(connparams: Any) -> Any:
    """kombu names redis-py's class itself for a Unix socket, and makes a subclass of it."""

    @functools.wraps(connparams)
    def wrapped(self: Any, asynchronous: bool = False) -> dict[str, Any]:
        params: dict[str, Any] = connparams(self, asynchronous=asynchronous)
        kind = params["connection_class"]
        if not issubclass_of_ours(kind) and not issubclass(kind, SentinelManagedConnection):
            for theirs, ours in _OURS.items():
                if kind is theirs:
                    params["connection_class"] = ours
                    break
                if theirs in kind.__bases__:
                    params["connection_class"] = type(kind.__name__, (kind, ours), {"__module__": kind.__module__})
                    break
        # kombu's None is nobody's wish; without keepalive a worker holds on to a broker's host that is gone.
        if issubclass_of_ours(params["connection_class"]) and params.get("socket_keepalive", True) is None:
            params["socket_keepalive"] = True
        return params

    return wrapped


def _told_if_in_doubt(put: Any) -> Any:
    """kombu repeats a publish after every lost connection; one that may have queued its message must not be."""

    @functools.wraps(put)
    def wrapped(self: Any, queue: str, message: Any, **kwargs: Any) -> Any:
        try:
            return put(self, queue, message, **kwargs)
        except SeawallError as error:
            if not error.may_have_run:
                raise
            kind = OutcomeUnknown if _published_by_a_worker() else PublishUnknown
            doubt = kind(f"the message may be in queue {queue!r} or not: {error}")
            doubt.__dict__.update(error.__dict__)
            raise doubt from error

    return wrapped


def _published_by_a_worker() -> bool:
    """Whether a worker publishes the callback of a task, which it repeats after every ``OperationalError``."""
    try:
        from celery.app import amqp
    except ImportError:
        return False
    publishes = getattr(amqp, "_callback_publish_retry", None)
    return publishes is not None and bool(publishes.get())


def _prompt_while_calling(ensure: Any) -> Any:
    @functools.wraps(ensure)
    def wrapped(self: Any, fun: Any, args: Any, **policy: Any) -> Any:
        if _calling.get() and type(self)._get_pool is _pool_of_backend:
            policy["max_retries"] = CALL_RETRIES_MAX
        return ensure(self, fun, args, **policy)

    return wrapped


def _calls(on_task_call: Any) -> Any:
    """Subscribing to the result comes before the task is queued: its failure is the call's, with its cause."""

    @functools.wraps(on_task_call)
    def wrapped(self: Any, producer: Any, task_id: str) -> Any:
        token = _calling.set(True)
        try:
            # Celery's own timeout for its backend is two minutes.
            with deadline(DEADLINE):
                return on_task_call(self, producer, task_id)
        except RuntimeError as error:
            # What Celery makes of the last failure to reconnect.
            if not isinstance(error.__cause__, SeawallError):
                raise
            self.result_consumer.subscribed_to.discard(self.get_key_for_task(task_id))
            raise error.__cause__ from None
        finally:
            _calling.reset(token)

    return wrapped
