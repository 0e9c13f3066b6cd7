"""Django's settings: caches, sessions, middleware, and django-rq's queues and Channels' layers in them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

from .._finding import CheckError
from .._target import Target, parse
from .._world import TIMEOUT_DEFAULT, Django, Keepalive, Place, World
from .importing import of_the_application

DJANGOS_OWN = "django.core.cache.backends.redis.RedisCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"


def read(world: World, module: str | None) -> None:
    """Reads the settings of a module, or of DJANGO_SETTINGS_MODULE."""
    if module:
        os.environ["DJANGO_SETTINGS_MODULE"] = module
    # Without a module they were made by a call, in a module that `--app` has loaded.
    name = os.environ.get("DJANGO_SETTINGS_MODULE", "settings.configure()")
    with of_the_application(f"Django's settings {name}"):
        from django.conf import settings

        if module and not any(setting.isupper() for setting in dir(importlib.import_module(module))):
            hint = f"give the module that holds them, as --django {module}.settings"
            raise CheckError(f"Django's settings {module}: there are none in it", hint)
        caches = dict(settings.CACHES)
        engine = settings.SESSION_ENGINE
        cache = settings.SESSION_CACHE_ALIAS
        middleware = list(settings.MIDDLEWARE)
        ignores = bool(getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", False))
        queues = dict(getattr(settings, "RQ_QUEUES", {}))
        layers = dict(getattr(settings, "CHANNEL_LAYERS", {}))
    world.django = Django(name, caches, engine, cache, middleware, ignores)
    for alias, cache_settings in caches.items():
        world.places.extend(_cache(alias, cache_settings, world.django))
    for alias, queue in queues.items():
        place = _queue(alias, queue)
        world.places.extend([place] if place else [])
    for alias, layer in layers.items():
        world.places.extend(_layer(alias, layer))


def _cache(alias: str, settings: dict[str, Any], django: Django) -> Iterator[Place]:
    backend = settings.get("BACKEND", "")
    if backend not in (DJANGOS_OWN, DJANGO_REDIS):
        return
    options = {str(name).upper(): value for name, value in dict(settings.get("OPTIONS") or {}).items()}
    pool_kwargs = {
        str(name).upper(): value for name, value in dict(options.get("CONNECTION_POOL_KWARGS") or {}).items()
    }
    pool = options.get("POOL_CLASS") if backend == DJANGOS_OWN else options.get("CONNECTION_POOL_CLASS")
    locations = settings.get("LOCATION") or ()
    if isinstance(locations, str):
        locations = locations.replace(";", ",").split(",") if backend == DJANGOS_OWN else locations.split(",")
    uses = {"cache"} | ({"sessions"} if _holds_sessions(alias, django) else set())
    for at, location in enumerate(locations):
        target = parse(str(location), f"CACHES[{alias!r}]")
        yield Place(
            where=f"CACHES[{alias!r}] of {django.module}",
            target=target,
            ours=is_ours(pool),
            uses=frozenset(uses),
            timeout=_timeout(target, {**options, **pool_kwargs}),
            keepalive=Keepalive.of({name.lower(): value for name, value in {**options, **pool_kwargs}.items()}),
            max_connections=_whole({**options, **pool_kwargs}.get("MAX_CONNECTIONS")),
            flushed_by=f"cache.clear() of CACHES[{alias!r}]",
            # Both backends write to the first, and read from the others.
            reads_only=at > 0,
        )


def _holds_sessions(alias: str, django: Django) -> bool:
    engines = ("django.contrib.sessions.backends.cache", "seawall.contrib.django.sessions")
    return django.session_engine in engines and alias == django.session_cache


def _queue(alias: str, settings: dict[str, Any]) -> Place | None:
    where = f"RQ_QUEUES[{alias!r}]"
    if settings.get("URL"):
        target = parse(settings["URL"], where)
    elif "HOST" in settings:
        target = Target(
            host=str(settings["HOST"]),
            port=int(settings.get("PORT") or 6379),
            db=int(settings.get("DB") or 0),
            username=settings.get("USERNAME"),
            password=settings.get("PASSWORD"),
            tls=bool(settings.get("SSL")),
        )
    else:
        return None
    # django-rq makes a redis.Redis of these, whatever they say.
    return Place(where=where, target=target, ours=False, uses=frozenset({"queue"}))


def _layer(alias: str, settings: dict[str, Any]) -> Iterator[Place]:
    backend = str(settings.get("BACKEND", ""))
    if not backend.startswith(("channels_redis.", "seawall.contrib.channels.")):
        return
    for host in (settings.get("CONFIG") or {}).get("hosts") or ():
        where = f"CHANNEL_LAYERS[{alias!r}]"
        options: dict[str, Any] = {}
        if isinstance(host, dict):
            options = {str(name): value for name, value in host.items()}
            host = options.get("address") or (options.get("host", "localhost"), options.get("port", 6379))
        try:
            target = parse(host, where) if isinstance(host, str) else Target(host=str(host[0]), port=int(host[1]))
        except (TypeError, ValueError, IndexError):
            raise CheckError(f"{where}: `hosts` cannot be read", "give URLs, as redis://localhost:6379/0") from None
        ours = is_ours(backend) or is_ours(options.get("connection_class"))
        yield Place(where=where, target=target, ours=ours, uses=frozenset({"messages"}))


def is_ours(given: Any) -> bool:
    """Whether a class, or the dotted name of one, is Seawall's."""
    if isinstance(given, str):
        return given.startswith("seawall.")
    return isinstance(given, type) and any(base.__module__.split(".")[0] == "seawall" for base in given.__mro__)


def _timeout(target: Target, options: dict[str, Any]) -> float | None:
    """Django's: of the URL, else of OPTIONS, else redis-py's own."""
    in_url = target.option_seconds("socket_timeout", "deadline")
    if in_url is not None:
        return in_url
    if "SOCKET_TIMEOUT" in options:
        value = options["SOCKET_TIMEOUT"]
        return None if value is None else float(value)
    return TIMEOUT_DEFAULT


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None
