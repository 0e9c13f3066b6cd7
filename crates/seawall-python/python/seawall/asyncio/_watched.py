"""Instrumentation of redis-py: OpenTelemetry, Sentry and ddtrace wrap ``execute_command`` of its client class, and its
own metrics are recorded inside. Both see each command exactly once, and the command takes the fast path all the same.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio.client as _redis
from redis.observability.providers import get_observability_instance

from .._callables import is_of

__all__ = ["StandIn", "is_watched", "PASS"]

_BASE = _redis.Redis
_METRICS = get_observability_instance()


_plain: Any = None


def is_watched() -> bool:
    """Whether somebody wants to see the commands that go through ``redis.asyncio.Redis.execute_command``."""
    global _plain
    now = _BASE.execute_command
    if now is not _plain:
        if not is_of(_redis, now):
            return True
        _plain = now
    return _METRICS._provider_manager is not None


class StandIn:
    """What redis-py's ``execute_command`` gets for a connection, so that its body comes back to the fast path: nothing
    is taken from the pool. One serves one call.
    """

    __slots__ = ("client", "is_due", "host", "port", "db")

    def __init__(self, client: Any) -> None:
        self.client = client
        #: redis-py's body has begun: the next connection that is asked for is this.
        self.is_due = False
        about = client.connection_pool.connection_kwargs
        self.host = about.get("host", "localhost")
        self.port = about.get("port", 6379)
        self.db = about.get("db", 0)

    @property
    def retry(self) -> StandIn:
        return self

    async def call_with_retry(self, do: Callable[[], Awaitable[Any]], *_: Any, **__: Any) -> Any:
        """Once: the engine has done what there was to do."""
        return await do()

    def should_reconnect(self) -> bool:
        return False


#: The call of this task that goes through a wrapper around redis-py's method.
PASS: contextvars.ContextVar[StandIn | None] = contextvars.ContextVar("seawall_pass", default=None)
