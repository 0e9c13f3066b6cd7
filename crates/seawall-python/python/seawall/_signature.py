"""What a class of ours takes is what redis-py's takes; tools and people that ask for its signature are told so."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T", bound=type)


def takes_what(theirs: type) -> Callable[[T], T]:
    """Gives a class's ``__init__`` the signature of redis-py's, followed by any setting of Seawall's."""

    def put(ours: T) -> T:
        made: Any = ours.__dict__.get("__init__")
        if made is None:
            inherited: Any = ours.__init__  # type: ignore[misc]

            def made(self: Any, *args: Any, **kwargs: Any) -> None:
                inherited(self, *args, **kwargs)

            made.__name__, made.__qualname__ = "__init__", f"{ours.__qualname__}.__init__"
            ours.__init__ = made  # type: ignore[misc]
        assert isinstance(made, types.FunctionType)
        signature = inspect.signature(theirs.__init__)  # type: ignore[misc]
        parameters = list(signature.parameters.values())
        if parameters[-1].kind is not inspect.Parameter.VAR_KEYWORD:
            parameters.append(inspect.Parameter("settings", inspect.Parameter.VAR_KEYWORD))
        made.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return ours

    return put
