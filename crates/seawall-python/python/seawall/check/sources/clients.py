"""Clients and pools of redis-py's and ours that were made already, RQ's queues among their owners."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._target import of_pool
from .._world import TIMEOUT_DEFAULT, Keepalive, Place, World
from .django import is_ours


def pool_of(thing: Any) -> Any:
    """The pool of a client; the thing itself if it is a pool."""
    pool = getattr(thing, "connection_pool", thing)
    return pool if hasattr(pool, "connection_kwargs") and hasattr(pool, "connection_class") else None


def bring(world: World, client: Any, where: str, uses: Iterable[str]) -> None:
    """Brings a client's or a pool's settings in."""
    pool = pool_of(client)
    kwargs = dict(pool.connection_kwargs)
    kind = pool.connection_class
    tls = any("SSL" in base.__name__ for base in kind.__mro__)
    ours = is_ours(type(pool)) or is_ours(kind)
    timeout = kwargs.get("socket_timeout", TIMEOUT_DEFAULT)
    # redis-py hands out 2**31 where nobody bounds it.
    bounded = pool.max_connections if pool.max_connections and pool.max_connections < 1 << 30 else None
    world.places.append(
        Place(
            where=where,
            target=of_pool(kwargs, tls),
            ours=ours,
            uses=frozenset(uses),
            timeout=TIMEOUT_DEFAULT if ours and timeout is None else timeout,
            keepalive=Keepalive.OWN if ours and kwargs.get("socket_keepalive", True) else Keepalive.of(kwargs),
            max_connections=bounded,
        )
    )
