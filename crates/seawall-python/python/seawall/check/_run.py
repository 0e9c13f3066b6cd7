"""Gathers the world, asks every check, and sorts what they say."""

from __future__ import annotations

import dataclasses
import importlib
import os
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from .. import _mode
from . import _server, _world, checks
from ._finding import CheckError, Finding, Severity
from ._target import parse
from ._world import Place, World
from .sources import apps as apps_source
from .sources import celery as celery_source
from .sources import django as django_source
from .sources import workers as workers_source

#: What the option ``uses`` may say of the URL.
USES = ("cache", "sessions", "broker", "results", "queue", "locks")


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found, and what was looked at."""

    findings: list[Finding]
    #: One line for each server: its URL without the password, and what it is.
    servers: list[str]
    #: Where URLs and clients were found.
    places: list[str]
    #: What was not looked at, and what would have it looked at.
    unseen: list[str]

    @property
    def saw_nothing(self) -> bool:
        """Whether no server was found to look at, and nothing to say about what was."""
        return not self.servers and not self.findings

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something fell short, 2 nothing was looked at. Notices alone are well."""
        if self.saw_nothing:
            return 2
        return int(any(finding.severity is not Severity.NOTICE for finding in self.findings))

    def as_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "findings": [finding.as_json() for finding in self.findings],
            "servers": self.servers,
            "places": self.places,
            "unseen": self.unseen,
        }


def run(url: str | None = None, **options: Any) -> list[Finding]:
    """The findings of :func:`examine`, the gravest first."""
    return examine(url, **options).findings


def examine(
    url: str | None = None,
    *,
    django: str | None = None,
    celery: Iterable[str] = (),
    apps: Iterable[str] = (),
    gunicorn: str | None = None,
    uwsgi: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    pool: int | None = None,
    uses: Iterable[str] = (),
    deadline: float = 3.0,
) -> Report:
    """Looks at everything that is named.

    :param url: a server's URL; without it ``REDIS_URL``, unless a framework brings one.
    :param django: a module of Django's settings; without it ``DJANGO_SETTINGS_MODULE``, where that is set.
    :param celery: Celery applications, as ``module:app``.
    :param apps: other objects, as ``module:object``: a Flask application (with the clients that stand in its modules), an RQ
        queue, a Redis client, ..
    :param gunicorn: the path of a ``gunicorn.conf.py``; ``uwsgi`` that of an ``uwsgi.ini``.
    :param workers: processes, in all, that use the server; ``threads`` in each of them.
    :param pool: connections that one process opens at most; by default two for each of its threads.
    :param uses: what the URL's server is for: ``cache``, ``sessions``, ``broker``, ``results``, ``queue``, ``locks``.
    :param deadline: seconds after which a server that keeps silent is given up.
    :raises CheckError: a URL cannot be read, or a module cannot be imported.
    """
    if not 0.001 <= deadline <= 300:
        raise CheckError(f"deadline: {deadline!r} s is out of range", "from 0.001 to 300 seconds")
    world = World(host=_world.host(), mode=os.environ.get("SEAWALL_CHECK_MODE", _mode.MODE))
    _bring_url(world, url, list(uses))
    if django or os.environ.get("DJANGO_SETTINGS_MODULE"):
        django_source.read(world, django)
    for name in [celery] if isinstance(celery, str) else celery:
        celery_source.read(world, name)
    for name in [apps] if isinstance(apps, str) else apps:
        apps_source.read(world, name)
    if gunicorn:
        workers_source.gunicorn(world, gunicorn, pool)
    if uwsgi:
        workers_source.uwsgi(world, uwsgi, pool)
    if workers is not None:
        workers_source.given(world, workers, threads, pool)
    if not world.places and not world.unseen:
        raise _nothing(world)
    _ask_servers(world, deadline)
    return Report(
        findings=judge(world),
        servers=[f"{server.target}: {_said_of(server)}" for server in world.servers],
        places=[place.where for place in world.places],
        unseen=[*world.unseen, *_unseen(world)],
    )


def _nothing(world: World) -> CheckError:
    hint = "give a URL, as redis://localhost:6379/0, or set REDIS_URL"
    if world.django is not None:
        looked = "CACHES, RQ_QUEUES, CHANNEL_LAYERS"
        return CheckError(f"nothing to look at: {world.django.module} names no Redis ({looked})", hint)
    return CheckError("nothing to look at", hint)


def catalogue() -> list[tuple[str, ModuleType]]:
    """Every check by its code, in the order of the codes."""
    names = sorted(module.name for module in pkgutil.iter_modules(checks.__path__))
    return [(name.replace("_", "-"), importlib.import_module(f"{checks.__name__}.{name}")) for name in names]


def judge(world: World) -> list[Finding]:
    """What the checks say of a world; pure."""
    found = [
        Finding(code, check.SEVERITY, said.where, said.what, said.fix)
        for code, check in catalogue()
        for said in check.look(world)
    ]
    order = list(Severity)
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.severity))


def _bring_url(world: World, url: str | None, uses: list[str]) -> None:
    for use in uses:
        if use not in USES:
            raise CheckError(f"uses: {use!r} is not known", f"one of {', '.join(USES)}")
    where = "the URL"
    if url is None and os.environ.get("REDIS_URL"):
        url, where = os.environ["REDIS_URL"], "REDIS_URL"
    if url is None:
        return
    target = parse(url, where)
    bounded = target.option("max_connections")
    timeout = target.option_seconds("deadline", "socket_timeout")
    world.places.append(
        Place(
            where=where,
            target=target,
            uses=frozenset(uses),
            timeout=_world.TIMEOUT_DEFAULT if timeout is None else timeout,
            max_connections=int(bounded) if bounded and bounded.isdigit() else None,
        )
    )


def _ask_servers(world: World, deadline: float) -> None:
    """Each server once for each login, however many places lead to it."""
    asked: dict[Any, _server.Server] = {}
    for place in world.places:
        target = place.target
        key = (target.endpoint, target.tls, target.db, target.username, target.password)
        if key not in asked:
            asked[key] = _server.look(target, deadline)
        place.server = asked[key]
    world.servers = list(asked.values())


def _said_of(server: _server.Server) -> str:
    if server.trouble:
        return server.trouble.cause
    info = server.info
    if info is None:
        return "it answers, and refuses INFO"
    role = {"master": "primary", "slave": "replica"}.get(info.get("role", ""), info.get("role", ""))
    clients = f"{info.get('connected_clients', '?')} of {server.number('maxclients') or '?'} clients"
    return ", ".join(part for part in (server.kind, role, clients) if part)


def _unseen(world: World) -> list[str]:
    unseen = []
    if not world.fleets:
        unseen.append("workers against maxclients: --workers, --gunicorn or --uwsgi")
    if world.django is None:
        unseen.append("Django's settings: --django")
    if not world.celery:
        unseen.append("Celery's settings: --celery")
    return unseen
