"""A retry policy that knows what was sent: nothing that may have run is sent twice."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any

from redis.backoff import NoBackoff
from redis.exceptions import WatchError
from redis.retry import Retry

from . import _deadline


class SafeRetry(Retry):
    """Bound to one connection. Of the policy it was made from it keeps which errors count, and how often at most; when,
    and whether it is safe, is the engine's decision, paid for from its retry budget.
    """

    def __init__(self, policy: Retry, connection: Any) -> None:
        super().__init__(policy._backoff, policy._retries, policy._supported_errors)
        # Not kept alive by its own policy: a connection that nobody holds any more is to go at once.
        self._connection = weakref.ref(connection)

    def __deepcopy__(self, memo: Any) -> Retry:
        return Retry(NoBackoff(), self._retries, self._supported_errors)

    def call_with_retry(
        self,
        do: Callable[[], Any],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Any:
        connection = self._connection()
        if connection is None:
            return do()
        began = time.monotonic()
        attempt = 1
        while True:
            try:
                connection._begin(attempt)
                return do()
            except self._supported_errors as error:
                if is_retryable is not None and not is_retryable(error):
                    raise
                # It disconnects: what was sent is final only then.
                try:
                    fail(error, attempt) if with_failure_count else fail(error)
                except WatchError:
                    # It asks for all of it to be done again.
                    if connection._changed_nothing():
                        raise
                    raise error from None
                pause = connection._again(error, attempt, rest_of(connection, began))
                if pause is None:
                    raise
                attempt += 1
                if pause > 0:
                    time.sleep(pause)


def rest_of(connection: Any, began: float) -> float:
    """How many seconds are left to what began then; asked only after something failed, which it seldom does."""
    if connection._repeats_all():
        # It may have waited for messages for hours: what counts is how long it has had no connection.
        began = max(began, connection._since)
    rest: float = began + connection._patience() - time.monotonic()
    left = _deadline.left()
    return rest if left is None else min(rest, left)
