"""redis-py's own metrics (``redis.observability``), of which a call costs nothing while they are off."""

from __future__ import annotations

import time
from typing import Any

from redis.observability import recorder
from redis.observability.providers import get_observability_instance

from . import _deadline, _ext

_instance = get_observability_instance()


def on() -> bool:
    """Whether anybody counts."""
    return recorder._metrics_collector is not None or _instance._provider_manager is not None


def execute(link: _ext.Link, args: tuple[Any, ...], codec: _ext.Codec, decode: bool, kwargs: dict[str, Any]) -> Any:
    """Runs a plain command, and records as redis-py does how long it took, or how it failed."""
    host, port = kwargs.get("host", kwargs.get("path")), kwargs.get("port")
    began = time.monotonic()
    try:
        response = link.execute(args, codec, decode, _deadline.left())
    except Exception as error:
        recorder.record_error_count(
            server_address=host,
            server_port=port,
            network_peer_address=host,
            network_peer_port=port,
            error_type=error,
            retry_attempts=max(0, getattr(error, "attempts", 1) - 1),
            is_internal=False,
        )
        raise
    if response is not NotImplemented:
        recorder.record_operation_duration(
            command_name=args[0],
            duration_seconds=time.monotonic() - began,
            server_address=host,
            server_port=port,
            db_namespace=str(kwargs.get("db") or 0),
        )
    return response
