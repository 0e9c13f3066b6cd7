"""A deadline for everything inside a block."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator

#: When the innermost block ends, on the monotonic clock.
UNTIL: contextvars.ContextVar[float | None] = contextvars.ContextVar("seawall_deadline", default=None)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Every call to Redis inside the block ends by then, whatever its own timeout says.

    ``seconds`` count from the start of the block; blocks nest, and the earliest end counts. Works in threads and in
    tasks of asyncio alike.
    """
    until = time.monotonic() + seconds
    outer = UNTIL.get()
    token = UNTIL.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        UNTIL.reset(token)


def left() -> float | None:
    """Seconds left to the innermost deadline, never below zero; ``None`` without one."""
    until = UNTIL.get()
    return None if until is None else max(0.0, until - time.monotonic())
