"""All that the checks look at; gathered once, before any of them."""

from __future__ import annotations

import dataclasses
import enum
import pathlib
import resource
from typing import Any

from .. import _mode
from ._server import Server
from ._target import Target

#: Connections for plain commands that a client of ours opens at most, by default: one for each of as many threads.
POOL_SIZE = 100
#: redis-py's own default for ``socket_timeout``, and ours for ``deadline``.
TIMEOUT_DEFAULT = 5.0


class Keepalive(enum.Enum):
    """Whose TCP keepalive a connection has."""

    #: Seawall's or redis-py's own: the first probe after 30 s.
    OWN = "own"
    #: What the host's kernel is set to: two hours, unless somebody changed it.
    KERNEL = "kernel"
    OFF = "off"

    @classmethod
    def of(cls, options: dict[str, Any]) -> Keepalive:
        """By redis-py's arguments: left out, both are its own."""
        if not options.get("socket_keepalive", True):
            return cls.OFF
        return cls.OWN if options.get("socket_keepalive_options", True) else cls.KERNEL


@dataclasses.dataclass
class Place:
    """Where a Redis URL or client stands: on the command line, in a framework's setting."""

    where: str
    target: Target
    #: Whether its connections are Seawall's.
    ours: bool = True
    #: What it is for: ``cache``, ``sessions``, ``broker``, ``results``, ``queue``, ``locks``.
    uses: frozenset[str] = frozenset()
    #: Seconds that a call may wait for a reply; ``None`` for ever.
    timeout: float | None = TIMEOUT_DEFAULT
    keepalive: Keepalive = Keepalive.OWN
    #: Connections that its pool hands out at most, if that is bounded.
    max_connections: int | None = None
    #: What empties its whole database, if anything does: `cache.clear()`.
    flushed_by: str | None = None
    #: Whether nothing is written through it: a replica is what is wanted there.
    reads_only: bool = False
    #: What its server said; filled in when all places are known.
    server: Server | None = None

    def named(self, *names: str) -> bool:
        return bool(self.uses & set(names))


@dataclasses.dataclass
class Fleet:
    """Processes of one kind that use Redis."""

    where: str
    processes: int
    threads: int = 1
    #: Connections that one process opens at most.
    connections: int = 2
    #: Whose places it uses, by the end of their `where`; all of them if it is not known.
    only: str = ""
    #: Seconds after which its master kills a worker that is busy.
    killed_after: float | None = None

    @property
    def total(self) -> int:
        return self.processes * self.connections


@dataclasses.dataclass
class Django:
    """Django's settings, as far as Redis stands in them."""

    module: str
    caches: dict[str, dict[str, Any]]
    session_engine: str
    session_cache: str
    middleware: list[str]
    ignores_exceptions: bool


@dataclasses.dataclass
class Celery:
    """A Celery application's settings."""

    where: str
    conf: Any
    broker_is_redis: bool
    backend_is_redis: bool
    installed: bool
    #: Names and settings of its tasks.
    tasks: dict[str, Any]


@dataclasses.dataclass
class Flask:
    """A Flask application's settings."""

    where: str
    config: dict[str, Any]


@dataclasses.dataclass
class Host:
    """What this host's kernel is set to."""

    #: Seconds of silence before the first keepalive probe, between probes, and how many.
    keepalive_time: int | None
    keepalive_interval: int | None
    keepalive_probes: int | None
    open_files: int

    @property
    def keepalive_seconds(self) -> int | None:
        """How long a peer that vanished goes unnoticed on a silent connection with keepalive."""
        if None in (self.keepalive_time, self.keepalive_interval, self.keepalive_probes):
            return None
        return self.keepalive_time + self.keepalive_interval * self.keepalive_probes  # type: ignore[operator]


@dataclasses.dataclass
class World:
    """Everything."""

    places: list[Place] = dataclasses.field(default_factory=list)
    #: The pools of clients among them.
    pools: list[Any] = dataclasses.field(default_factory=list)
    fleets: list[Fleet] = dataclasses.field(default_factory=list)
    servers: list[Server] = dataclasses.field(default_factory=list)
    django: Django | None = None
    celery: list[Celery] = dataclasses.field(default_factory=list)
    flask: list[Flask] = dataclasses.field(default_factory=list)
    host: Host | None = None
    #: What SEAWALL says in the environment: ``on``, ``observe``, ``off``.
    mode: str = _mode.ON
    #: What was not looked at, and how to have it looked at.
    unseen: list[str] = dataclasses.field(default_factory=list)

    def at(self, server: Server) -> list[Place]:
        """The places that lead to this server, whichever of its databases they use."""
        return [place for place in self.places if place.target.endpoint == server.target.endpoint]

    def fleets_at(self, server: Server) -> list[Fleet]:
        """Those that connect to this server."""
        places = self.at(server)
        return [fleet for fleet in self.fleets if any(place.where.endswith(fleet.only) for place in places)]


def host() -> Host:
    """Reads what this host says; what cannot be read is ``None``."""
    return Host(
        keepalive_time=_kernel("tcp_keepalive_time"),
        keepalive_interval=_kernel("tcp_keepalive_intvl"),
        keepalive_probes=_kernel("tcp_keepalive_probes"),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )


def _kernel(name: str) -> int | None:
    try:
        return int(pathlib.Path("/proc/sys/net/ipv4", name).read_text())
    except (OSError, ValueError):
        return None
