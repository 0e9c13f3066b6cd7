"""As :mod:`seawall._observed`, for tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio.retry import Retry

from .._observed import _LOSSES, Bound, Watching

__all__ = ["Watched"]


class WatchedRetry(Bound, Retry):
    """A policy for tasks."""

    _plain_kind = Retry

    async def call_with_retry(self, do: Callable[[], Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().call_with_retry(self._counted(do), *args, **kwargs)
        except _LOSSES:
            self._connection._gives_up()
            raise


class Watched(Watching):
    """A connection class of redis.asyncio's that is looked at."""

    _retry_kind = WatchedRetry
    is_connected: bool

    # What `_config` asks of a connection, as the sync ones call it.
    @property
    def _socket_timeout(self) -> Any:
        return self.socket_timeout  # type: ignore[attr-defined]

    @property
    def _socket_connect_timeout(self) -> Any:
        return self.socket_connect_timeout  # type: ignore[attr-defined]

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        if self.is_connected:
            return
        with self._connecting():
            await super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]

    async def _connect(self) -> Any:
        with self._dialling():
            return await super()._connect()  # type: ignore[misc]

    async def check_health(self) -> None:
        with self._shakes():
            await super().check_health()  # type: ignore[misc]

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._shaking:
            return await super().send_packed_command(command, check_health)  # type: ignore[misc]
        self._admit()
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()
        if not isinstance(command, (bytes, str)):
            command = list(command)
        with self._sending(command):
            await super().send_packed_command(command, check_health=False)  # type: ignore[misc]

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if self._shaking:
            return await super().read_response(*args, **kwargs)  # type: ignore[misc]
        with self._reading():
            return await super().read_response(*args, **kwargs)  # type: ignore[misc]
