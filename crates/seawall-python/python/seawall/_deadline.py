"""A deadline for everything inside a block."""

from __future__ import annotations

import contextvars
import functools
import math
import time
import weakref
from collections.abc import Callable
from datetime import timedelta
from types import CoroutineType
from typing import Any, TypeVar, cast

from ._callables import is_async, is_generator

#: When the block ends that ends first, on the monotonic clock.
UNTIL: contextvars.ContextVar[float | None] = contextvars.ContextVar("seawall_deadline", default=None)

#: What is longer bounds nothing: the engine's spans have an end.
_SPAN_MAX = 366 * 86_400.0

_F = TypeVar("_F", bound=Callable[..., Any])


def deadline(seconds: float | timedelta) -> Deadline:
    """Every call to Redis inside the block ends by then, whatever its own timeout says.

    ``seconds`` count from the start of the block; blocks nest, and the earliest end counts. Works in threads and in
    tasks of asyncio alike (``async with`` is the same), and as a decorator of functions and coroutine functions. What is
    left of a budget may be nothing, or less: calls fail at once then, unsent. Over a connection that was taken before
    (``WATCH``, ``client()``, a subscription) they are sent, and nobody waits for their replies.
    """
    span: Any = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if isinstance(span, bool) or not isinstance(span, (int, float)):
        hint = "write @seawall.deadline(1.0)" if callable(span) else "give 1.0 or a timedelta"
        raise TypeError(f"deadline: {seconds!r} is no number of seconds; {hint}")
    if math.isnan(span):
        raise ValueError(f"deadline: {seconds!r} is no number of seconds; give 1.0 or a timedelta")
    return Deadline(max(-_SPAN_MAX, min(_SPAN_MAX, span)))


class _Block:
    """A ``with`` that was entered. Whoever finds it in its context may have been given that by who left it meanwhile."""

    __slots__ = ("_deadline", "left", "until")

    def __init__(self, deadline: Deadline, until: float) -> None:
        # The ``with`` holds it. An exception out of a signal's handler may come before that is entered, and nobody leaves it then.
        self._deadline = weakref.ref(deadline)
        self.until = until
        self.left = False

    @property
    def deadline(self) -> Deadline | None:
        return self._deadline()

    @property
    def over(self) -> bool:
        return self.left or self._deadline() is None


#: The blocks that this thread or task is in.
_blocks: contextvars.ContextVar[tuple[_Block, ...]] = contextvars.ContextVar("seawall_deadlines", default=())


class Deadline:
    """What :func:`deadline` returns; threads and tasks may be in it at the same time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entered: set[_Block] = set()

    def __enter__(self) -> None:
        block = _Block(self, time.monotonic() + self._seconds)
        self._entered.add(block)
        _stand_in((*_blocks.get(), block))

    def __exit__(self, *_: object) -> None:
        # Not always the innermost: a generator's block ends when that goes on. Nor one of this task's or thread's: asyncio closes
        # a generator that nobody reads any more in a task of its own.
        blocks = _blocks.get()
        block = next((block for block in reversed(blocks) if block.deadline is self), None)
        if block is None:
            # Of several it cannot be known which.
            entered = tuple(self._entered)
            block = entered[0] if len(entered) == 1 else None
        if block is not None:
            block.left = True
            self._entered.discard(block)
            _stand_in(blocks)

    # Nothing is waited for.
    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def __call__(self, func: _F) -> _F:
        if isinstance(func, (staticmethod, classmethod)):
            return type(func)(self(func.__func__))
        if is_generator(func):
            # Its work is done while it is iterated, outside.
            raise TypeError(f"deadline: {func!r} is a generator: put `with seawall.deadline(..)` around the loop")
        bounded: Any
        if is_async(func):

            @functools.wraps(func)
            async def bounded(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await func(*args, **kwargs)
        else:

            @functools.wraps(func)
            def bounded(*args: Any, **kwargs: Any) -> Any:
                with self:
                    answer = func(*args, **kwargs)
                # Another decorator may have made a plain function of a coroutine function.
                return self._awaited(answer) if answer.__class__ is CoroutineType else answer

        return cast(_F, bounded)

    async def _awaited(self, coroutine: Any) -> Any:
        with self:
            return await coroutine


def _stand_in(blocks: tuple[_Block, ...]) -> None:
    blocks = tuple(block for block in blocks if not block.over)
    _blocks.set(blocks)
    UNTIL.set(min((block.until for block in blocks), default=None))


def left() -> float | None:
    """Seconds left to the deadline that comes first, never below zero; ``None`` without one."""
    if UNTIL.get() is None:
        return None
    blocks = _blocks.get()
    if any(block.over for block in blocks):
        # It was left in another task or thread.
        _stand_in(blocks)
    until = UNTIL.get()
    return None if until is None else max(0.0, until - time.monotonic())
