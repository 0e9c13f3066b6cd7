"""A Celery application: its broker, its result backend, its workers."""

from __future__ import annotations

import os
from typing import Any

from .._finding import CheckError
from .._target import parse, seconds
from .._world import Celery, Fleet, Keepalive, Place, World
from .django import is_ours
from .importing import load, of_the_application

REDIS = ("redis://", "rediss://", "redis+socket://", "unix://")


def read(world: World, name: str) -> None:
    """Loads `module:app`."""
    bring(world, load(name if ":" in name else f"{name}:app", "--celery"), f"Celery {name}")


def bring(world: World, app: Any, where: str) -> None:
    """Brings an application's settings in; what is set by a module is read by this."""
    if not hasattr(app, "conf") or not hasattr(app, "loader"):
        raise CheckError(f"{where}: a {type(app).__name__} is no Celery application", "give it as --app")
    with of_the_application(where):
        conf = app.conf
        app.loader.import_default_modules()
        broker = str(conf.broker_read_url or conf.broker_url or "")
        backend = str(conf.result_backend or "")
        tasks = {task: app.tasks[task] for task in app.tasks if not task.startswith("celery.")}
        from kombu.transport import redis as kombu_redis

        installed = is_ours(kombu_redis.Channel.connection_class)
    found = Celery(
        where=where,
        conf=conf,
        broker_is_redis=broker.startswith(REDIS),
        backend_is_redis=backend.startswith(REDIS),
        installed=installed,
        tasks=tasks,
    )
    world.celery.append(found)
    for setting, url, known in (
        ("broker_url", broker, found.broker_is_redis),
        ("result_backend", backend, found.backend_is_redis),
    ):
        if url and not known:
            world.unseen.append(f"{setting} of {where}: it is no redis:// URL")
    for url in broker.split(";") if found.broker_is_redis else ():
        if not url.startswith(REDIS):
            continue
        options = dict(conf.broker_transport_options or {})
        # Installed, kombu's missing timeout is our deadline.
        timeout = options.get("socket_timeout", 5.0 if installed else None)
        target = parse(url, f"broker_url of {where}")
        if "socket_timeout" not in options and target.option("socket_timeout"):
            timeout = seconds(target.option("socket_timeout") or "")
        world.places.append(
            Place(
                where=f"broker_url of {where}",
                target=target,
                ours=installed,
                uses=frozenset({"broker"}),
                timeout=timeout,
                # kombu hands its own None for both of them on.
                keepalive=Keepalive.OWN
                if installed
                else Keepalive.of({"socket_keepalive": None, "socket_keepalive_options": None, **options}),
            )
        )
    if found.backend_is_redis:
        world.places.append(
            Place(
                where=f"result_backend of {where}",
                target=parse(backend, f"result_backend of {where}"),
                ours=installed,
                uses=frozenset({"results"}),
                timeout=conf.redis_socket_timeout,
            )
        )
    if found.broker_is_redis or found.backend_is_redis:
        world.fleets.append(_workers(conf, where))


def _workers(conf: Any, where: str) -> Fleet:
    """One worker: its pool's children publish and store results; the parent consumes."""
    at_once = int(conf.worker_concurrency or os.cpu_count() or 1)
    if str(conf.worker_pool or "prefork") != "prefork":
        # Threads or greenlets of one process, which share the broker's pool.
        return Fleet(
            where=f"a worker of {where}", only=where, processes=1, threads=at_once, connections=4 + 2 * at_once
        )
    # Over each child one connection of the broker's and two of the result backend's (it subscribes); the parent's own:
    # it consumes, reads fanouts, gossips, and tells what it is doing.
    return Fleet(where=f"a worker of {where}", only=where, processes=at_once + 1, connections=4)
