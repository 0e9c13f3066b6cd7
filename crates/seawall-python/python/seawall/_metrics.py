"""redis-py's own metrics (``redis.observability``), of which a call costs nothing while they are off."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from redis.observability import recorder
from redis.observability.providers import get_observability_instance

#: Where it shows that somebody counts: `src/direct.rs` looks there too.
RECORDER = vars(recorder)
PROVIDERS = get_observability_instance()


def on() -> bool:
    """Whether anybody counts."""
    return recorder._metrics_collector is not None or PROVIDERS._provider_manager is not None


def count_error(error: Exception, host: Any, port: Any, retried: int, is_internal: bool) -> None:
    """Records an error of a call or, `is_internal`, of the network below it."""
    recorder.record_error_count(
        server_address=host,
        server_port=port,
        network_peer_address=host,
        network_peer_port=port,
        error_type=error,
        retry_attempts=retried,
        is_internal=is_internal,
    )


def execute(run: Callable[..., Any], client: Any, args: tuple[Any, ...], options: dict[str, Any], elsewhere: object) -> Any:
    """Runs a plain command, and records as redis-py does how long it took, or how it failed."""
    kwargs: dict[str, Any] = client.connection_pool.connection_kwargs
    host, port = kwargs.get("host", kwargs.get("path")), kwargs.get("port")
    began = time.monotonic()
    try:
        response = run(client, args, options, True)
    except Exception as error:
        count_error(error, host, port, max(0, getattr(error, "attempts", 1) - 1), is_internal=False)
        raise
    if response is not elsewhere:
        recorder.record_operation_duration(
            command_name=args[0],
            duration_seconds=time.monotonic() - began,
            server_address=host,
            server_port=port,
            db_namespace=str(kwargs.get("db") or 0),
        )
    return response
