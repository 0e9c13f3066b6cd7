"""Clients and pools of redis-py's and ours that were made already, RQ's queues among their owners."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import redis
import redis.asyncio

from .._target import of_pool
from .._world import TIMEOUT_DEFAULT, Keepalive, Place, World
from .django import is_ours
from .importing import is_of_the_application

_KINDS = (redis.Redis, redis.asyncio.Redis, redis.ConnectionPool, redis.asyncio.ConnectionPool)


def pool_of(thing: Any) -> Any:
    """The pool of a client; the thing itself if it is a pool."""
    pool = getattr(thing, "connection_pool", thing)
    return pool if hasattr(pool, "connection_kwargs") and hasattr(pool, "connection_class") else None


def bring(world: World, client: Any, where: str, uses: Iterable[str]) -> None:
    """Brings a client's or a pool's settings in: once for each thing that they are used for."""
    pool = pool_of(client)
    if pool is None:
        world.unseen.append(f"{where}: it has no pool of connections")
        return
    if hasattr(pool, "sentinel_manager"):
        world.unseen.append(f"the server of {where}: Sentinels know its address, and they are not asked; give its URL")
        return
    if not uses and any(pool is known for known in world.pools):
        return
    world.pools.append(pool)
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


def bring_globals(world: World, module: str) -> bool:
    """Brings in what stands in the modules of an application; whether there is something."""
    found = list(_globals(module))
    for where, client in found:
        try:
            bring(world, client, where, ())
        except Exception as error:
            # Somebody's own class, or one that is half made.
            world.unseen.append(f"{where}: it cannot be looked at ({type(error).__name__})")
    return bool(found)


def _globals(module: str) -> Iterator[tuple[str, Any]]:
    """Each with its name where it is made, as far as that can be seen: in the module that was imported first."""
    package = module.partition(".")[0]
    for name, loaded in list(sys.modules.items()):
        # Anything may stand there; what is no module is not asked.
        if not isinstance(name, str) or not issubclass(type(loaded), ModuleType):
            continue
        if name.partition(".")[0] == package or is_of_the_application(loaded):
            for key, value in list(object.__getattribute__(loaded, "__dict__").items()):
                # Not isinstance(): it asks things that stand for others, which may be nowhere now.
                if issubclass(type(value), _KINDS):
                    yield f"{name}:{key}", value
