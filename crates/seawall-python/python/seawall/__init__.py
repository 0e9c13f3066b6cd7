"""Seawall keeps an application answering when its Redis connections break, and says why they broke.

``seawall.Redis`` is ``redis.Redis`` on Seawall's engine::

    import seawall

    r = seawall.Redis.from_url("redis://localhost:6379/0")
    r.set("greeting", "hello")
"""

from typing import TYPE_CHECKING

from . import _interpreter

_interpreter.refuse_all_but_the_main()
_interpreter.refuse_without_a_global_lock()
_interpreter.refuse_an_older_redis_py()

from ._mode import MODE as _MODE  # first: a wrong SEAWALL is said before anything else
from . import _share, asyncio, errors, otel, prometheus
from ._deadline import deadline
from ._ext import __version__
from ._state import health, stats
from ._guard import Guard, GuardEvent, guard
from .client import Redis, from_url
from ._gaps import Gap
from .connection import Connection, SSLConnection, UnixDomainSocketConnection
from .events import Event, off_event, on_event
from .pool import BlockingConnectionPool, ConnectionPool
from .sentinel import Sentinel

__all__ = [
    "BlockingConnectionPool",
    "Connection",
    "ConnectionPool",
    "Event",
    "Gap",
    "Guard",
    "GuardEvent",
    "Redis",
    "SSLConnection",
    "Sentinel",
    "UnixDomainSocketConnection",
    "__version__",
    "asyncio",
    "deadline",
    "errors",
    "from_url",
    "guard",
    "health",
    "off_event",
    "on_event",
    "otel",
    "prometheus",
    "stats",
]

_share.from_environment()


if TYPE_CHECKING:
    from . import check as check
    from . import doctor as doctor
else:

    def __getattr__(name: str) -> object:
        # For people who look at their set-up, or why it broke: nobody else pays for it.
        if name in ("check", "doctor"):
            import importlib

            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
