"""The commands of which pipelines are full, in their plain forms. redis-py looks at fourteen arguments before it comes to
the same words, which is half of what a pipeline costs.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from redis.commands.core import BasicKeyCommands, HashCommands

from ._mode import ENGINE

__all__ = ["Common"]


class Common:
    """Stands before redis-py's class, and leaves to it whatever is not plain."""

    if ENGINE and not TYPE_CHECKING:

        @wraps(BasicKeyCommands.set)
        def set(self, name: Any, value: Any, ex: Any = None, *args: Any, **kwargs: Any) -> Any:
            if not args and not kwargs:
                if ex is None:
                    return self.execute_command("SET", name, value)
                if type(ex) is int:
                    return self.execute_command("SET", name, value, "EX", ex)
            return super().set(name, value, ex, *args, **kwargs)

        @wraps(HashCommands.hset)
        def hset(self, name: Any, key: Any = None, value: Any = None, *args: Any, **kwargs: Any) -> Any:
            if key is not None and not args and not kwargs:
                return self.execute_command("HSET", name, key, value)
            return super().hset(name, key, value, *args, **kwargs)
