"""What kind of function it is that somebody gave."""

from __future__ import annotations

import inspect
from typing import Any


def is_async(function: Any) -> bool:
    """Whether a call of it is to be awaited: of an object with such a ``__call__`` as well."""
    return inspect.iscoroutinefunction(function) or (
        not inspect.isroutine(function) and inspect.iscoroutinefunction(getattr(function, "__call__", None))
    )


def is_generator(function: Any) -> bool:
    """Whether its work is done while what it returns is iterated, outside of the call."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
