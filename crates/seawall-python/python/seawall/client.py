"""``seawall.Redis``: redis-py's client on Seawall's engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import redis
import redis.asyncio
import redis.client
from redis.connection import ConnectionPool as _ForeignPool
from redis.event import AfterPooledConnectionsInstantiationEvent, AfterSingleConnectionInstantiationEvent, ClientType
from redis.maint_notifications import MaintNotificationsConfig

from . import _config, _deadline, _ext, _metrics
from ._callables import unwrapped
from ._common import Common
from ._mode import ENGINE, keep_constructors
from ._signature import takes_what
from .pipeline import Pipeline
from .pool import ConnectionPool
from .pubsub import PubSub

__all__ = ["Redis", "from_url"]


@takes_what(redis.Redis)
class Redis(Common, redis.Redis):
    """Takes what ``redis.Redis`` takes, and Seawall's settings (``deadline``, ``ride_out``, ``replay``, ..) besides.

    Every command, pipeline, lock, script and subscription of redis-py works unchanged. Plain commands are packed, sent,
    waited for and read without the interpreter lock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        single = kwargs.pop("single_connection_client", False)
        ours = {name: kwargs.pop(name) for name in _config.OURS & kwargs.keys()}
        connect_unsaid = _config.connect_unsaid(args, kwargs)
        if ENGINE and kwargs.get("maint_notifications_config") is None:
            kwargs["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        super().__init__(*args, **kwargs)
        pool = self.connection_pool
        if isinstance(pool, redis.asyncio.ConnectionPool):
            raise TypeError("connection_pool: it is a pool of asyncio's: seawall.asyncio.Redis takes it")
        made_here = type(pool) is _ForeignPool and self.auto_close_connection_pool
        if made_here and not ENGINE:
            ConnectionPool.adopt(pool, ours)  # type: ignore[attr-defined]  # of `_plain`
        elif made_here:
            # Made by redis-py out of the arguments a moment ago; nothing was dialled.
            kwargs = dict(pool.connection_kwargs, **ours)
            kwargs.pop("himport_registry", None)
            if connect_unsaid:
                kwargs.pop("socket_connect_timeout", None)
            self.connection_pool = ConnectionPool(
                pool.connection_class, pool.max_connections, cache_factory=pool._cache_factory, **kwargs
            )
            self.connection_pool.cache = pool.cache
            provider = kwargs.get("credential_provider")
            if provider is not None:
                # Tokens that it renews are to reach this pool.
                born = AfterPooledConnectionsInstantiationEvent([self.connection_pool], ClientType.SYNC, provider)
                self._event_dispatcher.dispatch(born)
        elif ours:
            raise redis.DataError(
                f"{', '.join(sorted(ours))}: goes to the pool, since the client was given one"
            )
        self._single_connection_client = single
        if single:
            self.connection = self.connection_pool.get_connection()
            self._event_dispatcher.dispatch(
                AfterSingleConnectionInstantiationEvent(self.connection, ClientType.SYNC, self.single_connection_lock)
            )

    @classmethod
    def from_url(cls, url: str, **kwargs: Any) -> Redis:
        """A client for a URL: every option of redis-py's, and Seawall's settings, may stand in its query."""
        single = kwargs.pop("single_connection_client", False)
        client = cls(connection_pool=ConnectionPool.from_url(url, **kwargs), single_connection_client=single)
        client.auto_close_connection_pool = True
        return client

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """As in redis-py: commands that are sent together; with ``transaction``, all of them run or none."""
        return Pipeline.of(self, transaction, shard_hint)

    def pubsub(self, **kwargs: Any) -> PubSub:
        """As in redis-py: a subscription to channels, on a connection of its own. ``on_gap`` and ``gap_messages`` say what it
        missed when it had to connect anew.
        """
        return PubSub(self.connection_pool, event_dispatcher=self._event_dispatcher, **kwargs)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As in redis-py: runs a command, and returns its reply."""
        response = _run_directly(self, args, options, False)
        if response is _ELSEWHERE:
            return super().execute_command(*args, **options)
        return response

    def _execute_command(self, *args: Any, **options: Any) -> Any:
        # Who wraps redis-py's `execute_command` has seen the command by now.
        if _metrics.on():
            response = _metrics.execute(_run_directly, self, args, options, _ELSEWHERE)
        else:
            response = _run_directly(self, args, options, True)
        if response is _ELSEWHERE:
            return super()._execute_command(*args, **options)
        return response


_run_directly = _ext.run_directly
#: It is redis-py's to do.
_ELSEWHERE = object()


if not ENGINE:
    # Of ours only the constructors remain, which make pools that bear our names.
    keep_constructors(Redis)
else:
    _ext.install_direct(
        SimpleNamespace(
            base=redis.Redis,
            plain=unwrapped(redis.client, redis.Redis.execute_command),
            ours=Redis,
            common=Common,
            execute=Redis._execute_command,
            parse=redis.Redis.parse_response,
            send=redis.Redis._send_command_parse_response,
            pool=ConnectionPool,
            recorder=_metrics.RECORDER,
            providers=_metrics.PROVIDERS,
            until=_deadline.UNTIL.get,
            left=_deadline.left,
            response_error=redis.ResponseError,
            elsewhere=_ELSEWHERE,
        )
    )


def from_url(url: str, **kwargs: Any) -> Redis:
    """As ``redis.from_url``."""
    return Redis.from_url(url, **kwargs)
