"""The retry policy of :mod:`seawall._retry`, for tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import WatchError

from .._retry import rest_of


class SafeRetry(Retry):
    """Bound to one connection: how often, when, and whether it is safe to try again is the engine's decision."""

    def __init__(self, policy: Retry, connection: Any) -> None:
        super().__init__(policy._backoff, policy._retries, policy._supported_errors)
        self._connection = connection

    def __deepcopy__(self, memo: Any) -> Retry:
        return Retry(NoBackoff(), self._retries, self._supported_errors)

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[Any]],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Any:
        connection = self._connection
        began = time.monotonic()
        attempt = 1
        while True:
            try:
                connection._begin(attempt)
                return await do()
            except self._supported_errors as error:
                pause = None
                retryable = is_retryable is None or is_retryable(error)
                # A subscription connects anew in `fail`, and is asked after that.
                later = retryable and connection._is_registered()
                if retryable and not later:
                    pause = connection._again(error, attempt, rest_of(connection, began))
                try:
                    await (fail(error, attempt) if with_failure_count else fail(error))
                except WatchError:
                    # It asks for all of it to be done again.
                    if connection._changed_nothing():
                        raise
                    raise error from None
                if later:
                    pause = connection._again(error, attempt, rest_of(connection, began))
                if pause is None:
                    raise
                attempt += 1
                if pause > 0:
                    await asyncio.sleep(pause)
