"""Channel layers of Django Channels on Seawall's engine::

    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "seawall.contrib.channels.RedisChannelLayer",   # instead of "channels_redis.core.RedisChannelLayer"
            "CONFIG": {"hosts": ["redis://localhost:6379/0"]},
        }
    }

They are channels_redis's own layers, and store and send what those do. A consumer that waits for messages waits through
an outage, instead of failing and taking its WebSocket along.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from channels_redis import core as _core
from channels_redis import pubsub as _pubsub
from channels_redis.utils import _wrap_close
from redis.asyncio.sentinel import SentinelConnectionPool

from .._ration import Ration
from ..asyncio import ConnectionPool, Redis
from ..errors import SeawallError
from . import _unavailable

__all__ = ["RedisChannelLayer", "RedisPubSubChannelLayer"]

#: Seconds between two tries to receive, where the error says no others: the engine's own slowest probe.
PAUSE = 1.0


def _pool(host: dict[str, Any]) -> Any:
    """Of an entry of `hosts`, as channels_redis reads it. Sentinels stay redis-py's."""
    host = dict(host)
    if "address" in host:
        return ConnectionPool.from_url(host.pop("address"), **host)
    if "master_name" in host:
        return _core.create_pool(host)
    return ConnectionPool(**host)


class RedisChannelLayer(_core.RedisChannelLayer):
    """``channels_redis.core.RedisChannelLayer``: messages wait in Redis until they are fetched."""

    _ration = Ration()

    def create_pool(self, index: int) -> Any:
        return _pool(self.hosts[index])

    async def _brpop_with_clean(self, index: int, channel: str, timeout: float) -> Any:
        try:
            return await super()._brpop_with_clean(index, channel, timeout)
        except SeawallError as error:
            # As if nothing had come: the layer asks again. What was fetched in this moment is lost.
            await self._wait(error)
            return None

    async def _clean_receive_backup(self, index: int, channel: str) -> None:
        while True:
            try:
                return await super()._clean_receive_backup(index, channel)
            except SeawallError as error:
                await self._wait(error)
                if error.may_have_run:
                    # Again it would take the next message from the backup: rather this one comes twice.
                    return None

    async def _wait(self, error: SeawallError) -> None:
        cause = _unavailable.cause_of(error)
        if (suppressed := self._ration.ask(cause, time.monotonic())) is not None:
            _unavailable.log.error("channels.waits cause=%s suppressed=%d", cause, suppressed)
        await asyncio.sleep(min(error.retry_after or PAUSE, PAUSE))


class RedisPubSubChannelLayer(_pubsub.RedisPubSubChannelLayer):
    """``channels_redis.pubsub.RedisPubSubChannelLayer``: messages go to who listens at that moment."""

    def _get_layer(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            layer = _pubsub.RedisPubSubLoopLayer(*self._args, **self._kwargs, channel_layer=self)
            layer._shards = [_Shard(shard.host, layer) for shard in layer._shards]
            self._layers[loop] = layer
            _wrap_close(self, loop)
        return self._layers[loop]


class _Shard(_pubsub.RedisSingleShardConnection):
    _redis: Any
    _pubsub: Any

    def _ensure_redis(self) -> None:
        if self._redis is None:
            pool = _pool(self.host)
            kind = _pubsub.aioredis.Redis if isinstance(pool, SentinelConnectionPool) else Redis
            self._redis = kind(connection_pool=pool)
            self._pubsub = self._redis.pubsub()
