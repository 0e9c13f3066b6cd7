"""A deadline for everything inside a block."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import math
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

#: When the innermost block ends, on the monotonic clock.
UNTIL: contextvars.ContextVar[float | None] = contextvars.ContextVar("seawall_deadline", default=None)

#: What is longer bounds nothing: the engine's spans have an end.
_SPAN_MAX = 366 * 86_400.0

_F = TypeVar("_F", bound=Callable[..., Any])


def deadline(seconds: float | timedelta) -> Deadline:
    """Every call to Redis inside the block ends by then, whatever its own timeout says.

    ``seconds`` count from the start of the block; blocks nest, and the earliest end counts. Works in threads and in
    tasks of asyncio alike, and as a decorator of functions and coroutine functions. What is left of a budget may be
    nothing, or less: calls fail at once then.
    """
    span = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if isinstance(span, bool) or not isinstance(span, (int, float)):
        raise TypeError(f"deadline: {seconds!r} is no number of seconds")
    if math.isnan(span):
        raise ValueError(f"deadline: {seconds!r} is no number of seconds")
    return Deadline(max(-_SPAN_MAX, min(_SPAN_MAX, span)))


class Deadline(contextlib.ContextDecorator):
    """What :func:`deadline` returns."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._tokens: list[contextvars.Token[float | None]] = []

    def __enter__(self) -> None:
        until = time.monotonic() + self._seconds
        outer = UNTIL.get()
        self._tokens.append(UNTIL.set(until if outer is None else min(until, outer)))

    def __exit__(self, *_: object) -> None:
        UNTIL.reset(self._tokens.pop())

    def _recreate_cm(self) -> Deadline:
        # Each call of a decorated function has a block of its own.
        return Deadline(self._seconds)

    def __call__(self, func: _F) -> _F:
        if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
            # Its work is done while it is iterated, outside.
            raise TypeError(f"deadline: {func!r} is a generator: put `with seawall.deadline(..)` around the loop")
        if not inspect.iscoroutinefunction(func):
            return super().__call__(func)

        @functools.wraps(func)
        async def bounded(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await func(*args, **kwargs)

        return bounded  # type: ignore[return-value]  # it is called and answers as the function does


def left() -> float | None:
    """Seconds left to the innermost deadline, never below zero; ``None`` without one."""
    until = UNTIL.get()
    return None if until is None else max(0.0, until - time.monotonic())
