"""Subscriptions of tasks that say what they missed."""

from __future__ import annotations

import inspect
from typing import Any

from redis.asyncio.client import PubSub as _PubSub

from .._gaps import Gapped, takes_gaps

__all__ = ["PubSub"]


class PubSub(Gapped, _PubSub):
    """A subscription of redis.asyncio's: see ``redis.asyncio.client.PubSub``. Takes ``on_gap``, which may be a coroutine
    function, and ``gap_messages`` besides.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        found = takes_gaps(kwargs)
        super().__init__(*args, **kwargs)
        self.__dict__.update(found)

    async def _reconnect(self, conn: Any, error: Any = None, *args: Any, **kwargs: Any) -> None:
        self._noticed(error)
        await super()._reconnect(conn, error, *args, **kwargs)

    async def on_connect(self, connection: Any) -> None:
        """As in redis-py: subscribes to everything again."""
        again = self._subscribed_again()
        await super().on_connect(connection)
        if again and self.push_handler_func is not None:
            # Whoever takes pushes in a way of their own sees no confirmation come by here.
            await self._tell(self._closed())

    async def handle_message(self, response: Any, ignore_subscribe_messages: bool = False) -> Any:
        """As in redis-py: a message out of a reply."""
        message = await super().handle_message(response, ignore_subscribe_messages)
        if self._due:
            gap = self._confirmed(response)
            if gap is not None:
                await self._tell(gap)
                return self._message(gap, message)
        return message

    async def _tell(self, gap: Any) -> None:
        told = self._told(gap)
        if inspect.isawaitable(told):
            await told
