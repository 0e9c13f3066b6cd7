"""``seawall.Redis``: redis-py's client on Seawall's engine."""

from __future__ import annotations

from typing import Any

import redis
from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.connection import ConnectionPool as _ForeignPool
from redis.maint_notifications import MaintNotificationsConfig

from . import _config, _deadline
from .pipeline import Pipeline
from .pool import ConnectionPool

__all__ = ["Redis", "from_url"]


class Redis(redis.Redis):
    """Takes what ``redis.Redis`` takes, and Seawall's settings (``deadline``, ``ride_out``, ``replay``, ..) besides.

    Every command, pipeline, lock, script and subscription of redis-py works unchanged. Plain commands are packed, sent,
    waited for and read without the interpreter lock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        single = kwargs.pop("single_connection_client", False)
        ours = {name: kwargs.pop(name) for name in _config.OURS & kwargs.keys()}
        if kwargs.get("maint_notifications_config") is None:
            kwargs["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        super().__init__(*args, **kwargs)
        pool = self.connection_pool
        if type(pool) is _ForeignPool and self.auto_close_connection_pool:
            # Made by redis-py out of the arguments a moment ago; nothing was dialled.
            kwargs = dict(pool.connection_kwargs, **ours)
            kwargs.pop("himport_registry", None)
            self.connection_pool = ConnectionPool(
                pool.connection_class, pool.max_connections, cache_factory=pool._cache_factory, **kwargs
            )
            self.connection_pool.cache = pool.cache
        elif ours:
            raise redis.DataError(
                f"{', '.join(sorted(ours))}: goes to the pool, since the client was given one"
            )
        self._single_connection_client = single
        if single:
            self.connection = self.connection_pool.get_connection()

    @classmethod
    def from_url(cls, url: str, **kwargs: Any) -> Redis:
        """A client for a URL: every option of redis-py's, and Seawall's settings, may stand in its query."""
        single = kwargs.pop("single_connection_client", False)
        client = cls(connection_pool=ConnectionPool.from_url(url, **kwargs), single_connection_client=single)
        client.auto_close_connection_pool = True
        return client

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """As in redis-py: commands that are sent together; with ``transaction``, all of them run or none."""
        return Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def _execute_command(self, *args: Any, **options: Any) -> Any:
        pool = self.connection_pool
        link = getattr(pool, "_link_known", None) or _link_of(pool)
        if link is None or self.connection is not None:
            return super()._execute_command(*args, **options)
        try:
            response = link.execute(
                args, pool._codec_known or pool._codec(), NEVER_DECODE not in options, _deadline.left()
            )
        except redis.ResponseError:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise
        if response is NotImplemented:
            # It needs a connection of its own: SELECT, WATCH, MONITOR, ..
            return super()._execute_command(*args, **options)
        callback = self.response_callbacks.get(args[0])
        if callback is None:
            return response
        if options:
            options.pop(NEVER_DECODE, None)
            options.pop(EMPTY_RESPONSE, None)
            options.pop("keys", None)
        return callback(response, **options)


def _link_of(pool: Any) -> Any:
    ask = getattr(pool, "_link", None)
    return None if ask is None else ask()


def from_url(url: str, **kwargs: Any) -> Redis:
    """As ``redis.from_url``."""
    return Redis.from_url(url, **kwargs)
