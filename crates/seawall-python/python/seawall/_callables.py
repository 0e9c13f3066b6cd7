"""What kind of function it is that somebody gave."""

from __future__ import annotations

import inspect
import types
from typing import Any


def is_async(function: Any) -> bool:
    """Whether a call of it is to be awaited: of an object with such a ``__call__`` as well."""
    return inspect.iscoroutinefunction(function) or (
        not inspect.isroutine(function) and inspect.iscoroutinefunction(getattr(function, "__call__", None))
    )


def is_generator(function: Any) -> bool:
    """Whether its work is done while what it returns is iterated, outside of the call."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


#: An object may say that it wraps itself.
_WRAPPERS_MAX = 100


def is_of(module: types.ModuleType, function: Any) -> bool:
    """Whether it is the module's own, and not somebody's wrapper around that."""
    return (
        isinstance(function, types.FunctionType)
        and function.__globals__ is vars(module)
        and not hasattr(function, "__wrapped__")
    )


def unwrapped(module: types.ModuleType, function: Any) -> Any:
    """The module's own function within wrappers that tell what they wrap; ``None`` if there is none."""
    for _ in range(_WRAPPERS_MAX):
        if function is None or is_of(module, function):
            return function
        function = getattr(function, "__wrapped__", None)
    return None
