"""A plugin for pytest, beside ``swap``: puts Seawall where kombu's and django-redis' users put it.

``SEAWALL_OTHERS`` says how: ``install`` for kombu; ``pool`` and ``client`` for django-redis, whose settings
``SEAWALL_OTHERS_SETTINGS`` names: only the tests with these run.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from typing import Any

import pytest
import swap

WAY = os.environ["SEAWALL_OTHERS"]
SETTINGS = os.environ["SEAWALL_OTHERS_SETTINGS"]

if WAY == "install":
    import seawall.celery

    seawall.celery.install()

if SETTINGS:
    #: What one of the settings calls its server.
    UNIX_SOCKET = "/tmp/redis.sock"
    #: Where ours listens.
    FOLDER = tempfile.TemporaryDirectory(prefix="seawall-others-")
    #: What the settings call the deployment that their sentinels watch.
    swap.SERVICE = "127.0.0.1" if SETTINGS == "sqlite_sentinel" else "default_service"

    class Servers(swap.Servers):
        def _start(self, binary: str, port: int, options: list[str], *config: str) -> None:
            more = [] if config else ["--unixsocket", f"{FOLDER.name}/redis.sock"]
            super()._start(binary, port, options + more, *config)

    swap.Servers = Servers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not SETTINGS:
        return
    # What needs no settings runs with the first.
    items[:] = [item for item in items if _settings_of(item) == SETTINGS]
    for cache in importlib.import_module(f"settings.{SETTINGS}").CACHES.values():
        where = cache["LOCATION"]
        cache["LOCATION"] = [_ours(one) for one in where] if isinstance(where, list) else _ours(where)
        options: dict[str, Any] = cache.setdefault("OPTIONS", {})
        if WAY:
            kind = "seawall.sentinel.SentinelConnectionPool" if "SENTINELS" in options else "seawall.ConnectionPool"
            options["CONNECTION_POOL_CLASS"] = kind
        if WAY == "client":
            options["REDIS_CLIENT_CLASS"] = "seawall.Redis"


def _settings_of(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    return call.params.get("cache_settings", "sqlite") if call else "sqlite"


def _ours(location: str) -> str:
    return location.replace(UNIX_SOCKET, f"{FOLDER.name}/redis.sock")
