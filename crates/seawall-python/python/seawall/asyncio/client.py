"""``seawall.asyncio.Redis``: redis-py's asyncio client on Seawall's engine."""

from __future__ import annotations

import asyncio
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.connection import ConnectionPool as _ForeignPool
from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.maint_notifications import MaintNotificationsConfig

from .. import _config, _deadline
from .pool import ConnectionPool

__all__ = ["Redis", "from_url"]


class Redis(redis.asyncio.Redis):
    """Takes what ``redis.asyncio.Redis`` takes, and Seawall's settings (``deadline``, ``ride_out``, ..) besides.

    Plain commands of all tasks of a loop go out in one write, over one connection, without a thread between. A task
    may be cancelled at any await: no other gets its reply.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        ours = {name: kwargs.pop(name) for name in _config.OURS & kwargs.keys()}
        if kwargs.get("maint_notifications_config") is None:
            kwargs["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        super().__init__(*args, **kwargs)
        pool = self.connection_pool
        if type(pool) is _ForeignPool and self.auto_close_connection_pool:
            # Made by redis-py out of the arguments a moment ago; nothing was dialled.
            kwargs = dict(pool.connection_kwargs, **ours)
            kwargs.pop("himport_registry", None)
            self.connection_pool = ConnectionPool(pool.connection_class, pool.max_connections, **kwargs)
        elif ours:
            raise redis.DataError(f"{', '.join(sorted(ours))}: goes to the pool, since the client was given one")

    @classmethod
    def from_url(cls, url: str, single_connection_client: bool = False, **kwargs: Any) -> Redis:
        """A client for a URL: every option of redis-py's, and Seawall's settings, may stand in its query."""
        close = kwargs.pop("auto_close_connection_pool", None)
        client = cls(
            connection_pool=ConnectionPool.from_url(url, **kwargs), single_connection_client=single_connection_client
        )
        client.auto_close_connection_pool = True if close is None else close
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if _base_is_watched():
            # Somebody instruments redis-py: the wrapper around it sees each command once, and comes back below.
            return await super().execute_command(*args, **options)
        return await self._run(args, options)

    async def _run(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        pool = self.connection_pool
        ask = getattr(pool, "_link", None)
        link = None if ask is None or self.single_connection_client else ask()
        if link is None:
            return await super().execute_command(*args, **options)
        future, ticket = link.execute(
            args, pool._codec_known or pool._codec(), NEVER_DECODE not in options, _deadline.left()
        )
        try:
            response = await future
        except asyncio.CancelledError:
            ticket.give_up()
            raise
        except redis.ResponseError:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise
        if response is NotImplemented:
            # It needs a connection of its own: SELECT, WATCH, MONITOR, ..
            return await super().execute_command(*args, **options)
        callback = self.response_callbacks.get(args[0])
        if callback is None:
            return response
        if options:
            options.pop(NEVER_DECODE, None)
            options.pop(EMPTY_RESPONSE, None)
            options.pop("keys", None)
        result = callback(response, **options)
        if asyncio.iscoroutine(result):
            return await result
        return result


_PLAIN = redis.asyncio.Redis.execute_command


def _base_is_watched() -> bool:
    return False


def from_url(url: str, **kwargs: Any) -> Redis:
    """As ``redis.asyncio.from_url``."""
    return Redis.from_url(url, **kwargs)
