"""As :mod:`seawall._observed`, for tasks."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio.retry import Retry
from redis.exceptions import RedisError

from .._observed import _LOSSES, Watching

__all__ = ["Watched"]


class Watched(Watching):
    """A connection class of redis.asyncio's that is looked at."""

    is_connected: bool

    # What `_config` asks of a connection, as the sync ones call it.
    @property
    def _socket_timeout(self) -> Any:
        return self.socket_timeout  # type: ignore[attr-defined]

    @property
    def _socket_connect_timeout(self) -> Any:
        return self.socket_connect_timeout  # type: ignore[attr-defined]

    @property
    def retry(self) -> Retry:
        return self._retry

    @retry.setter
    def retry(self, policy: Retry) -> None:
        self._retry = self._bind(policy, WatchedRetry)

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        if self.is_connected:
            return
        self._admit()
        began = time.monotonic()
        self._lost = None
        self._shaking += 1
        try:
            await super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]
        except _LOSSES as error:
            if self._lost is None:
                self._fails(error, began)
            raise
        finally:
            self._shaking -= 1

    async def _connect(self) -> Any:
        began = time.monotonic()
        try:
            return await super()._connect()  # type: ignore[misc]
        except _LOSSES as error:
            self._fails(error, began)
            raise

    async def check_health(self) -> None:
        self._shaking += 1
        try:
            await super().check_health()  # type: ignore[misc]
        finally:
            self._shaking -= 1

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
        self._goes_out(command)
        try:
            await super().send_packed_command(command, check_health=False)  # type: ignore[misc]
        except _LOSSES as error:
            self._fails(error)
            raise

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if self._shaking:
            return await super().read_response(*args, **kwargs)  # type: ignore[misc]
        try:
            response = await super().read_response(*args, **kwargs)  # type: ignore[misc]
        except _LOSSES as error:
            self._fails(error)
            raise
        except RedisError:
            self._came()
            raise
        self._came()
        return response


class WatchedRetry(Retry):
    """The policy it was made from, on one connection."""

    def __init__(self, policy: Retry, connection: Any) -> None:
        super().__init__(policy._backoff, policy._retries, policy._supported_errors)
        self._connection = connection

    def __deepcopy__(self, memo: Any) -> Retry:
        return Retry(self._backoff, self._retries, self._supported_errors)

    async def call_with_retry(self, do: Callable[[], Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        connection = self._connection
        attempt = 0

        def again() -> Awaitable[Any]:
            nonlocal attempt
            attempt += 1
            if attempt > 1:
                connection._sends_again(attempt)
            return do()

        try:
            return await super().call_with_retry(again, *args, **kwargs)
        except _LOSSES:
            connection._gives_up()
            raise
