"""Every check of `seawall check` speaks where it should, and docs/python/check.md lists them all: `python
test_check_catalogue.py` writes its list anew."""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from seawall.check._run import catalogue, judge
from seawall.check._server import Server, Trouble
from seawall.check._target import parse
from seawall.check._world import Celery, Django, Fleet, Flask, Host, Keepalive, Place, World

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "python" / "check.md"
BEGIN, END = "<!-- the list of checks is generated -->", "<!-- end of the list -->"
CODES = [code for code, _ in catalogue()]

HOST = Host(keepalive_time=120, keepalive_interval=30, keepalive_probes=3, open_files=65536)


def world(url: str = "redis://127.0.0.1:6379/0", **place: Any) -> World:
    """A healthy server, and one place that leads to it."""
    target = parse(url, "the URL")
    info = {
        "redis_version": "7.0.15", "role": "master", "connected_clients": "3", "used_memory": "1000000",
        "rdb_last_bgsave_status": "ok", "aof_last_write_status": "ok", "cluster_enabled": "0",
    }  # fmt: skip
    config = {
        "timeout": "0", "tcp-keepalive": "300", "maxclients": "10000", "maxmemory": "0", "maxmemory-policy": "noeviction",
        "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        "databases": "16", "stop-writes-on-bgsave-error": "yes",
    }  # fmt: skip
    server = Server(target, info=info, config=config)
    uses = frozenset(place.pop("uses", ()))
    made = Place(where=place.pop("where", "the URL"), target=target, uses=uses, server=server, **place)
    return World(places=[made], servers=[server], fleets=[Fleet("web", 4, threads=2)], host=HOST)


def with_info(**changed: str) -> World:
    made = world()
    made.servers[0].info.update(changed)
    return made


def with_config(of: World | None = None, **changed: str) -> World:
    made = of or world()
    made.servers[0].config.update({name.replace("_", "-"): value for name, value in changed.items()})
    return made


def in_trouble(cause: str) -> World:
    made = world()
    made.servers[0] = made.places[0].server = Server(made.places[0].target, Trouble(cause, "words", "a hint"))
    return made


def refusing(name: str) -> World:
    made = world()
    made.servers[0].refused.append(name)
    return made


def with_django(made: World | None = None, **changed: Any) -> World:
    made = made or world(where="CACHES['default'] of settings", uses={"cache", "sessions"})
    cache = {"default": {"BACKEND": "django_redis.cache.RedisCache"}}
    unavailable = ["seawall.contrib.django.Unavailable"]
    django = Django("settings", cache, "seawall.contrib.django.sessions", "default", unavailable, False)
    made.django = dataclasses.replace(django, **changed)
    return made


def with_celery(installed: bool = True, tasks: dict[str, Any] | None = None, **changed: Any) -> World:
    conf = {
        "broker_transport_options": {}, "task_time_limit": None, "broker_connection_retry_on_startup": True,
        "broker_connection_retry": True, "broker_connection_max_retries": None,
    }  # fmt: skip
    made = world(where="broker_url of tasks", uses={"broker"})
    made.celery.append(Celery("tasks", SimpleNamespace(**{**conf, **changed}), True, True, installed, tasks or {}))
    return made


def sharing_a_database() -> World:
    made = world(uses={"cache"}, flushed_by="cache.clear()")
    made.places.append(dataclasses.replace(made.places[0], uses=frozenset({"queue"}), flushed_by=None))
    return made


def without_password_on_the_network() -> World:
    # The address of a documentation network: nobody is asked, and no name looked up.
    return world("redis://192.0.2.1:6379/0")


def with_host(**changed: Any) -> World:
    made = world(ours=False, uses={"cache"}, keepalive=Keepalive.KERNEL)
    made.host = dataclasses.replace(HOST, **changed)
    return made


LATE = SimpleNamespace(acks_late=True, time_limit=None)

#: A world in which the check has something to say.
SPEAKS: dict[str, Callable[[], World]] = {
    "cache-clear-empties-more": sharing_a_database,
    "cache-without-eviction": lambda: with_config(world(uses={"cache"}), maxmemory="100000000"),
    "celery-gives-up": lambda: with_celery(broker_connection_max_retries=100),
    "celery-late-without-limit": lambda: with_celery(tasks={"long": LATE}),
    "celery-on-redis-py": lambda: with_celery(installed=False),
    "celery-retry-on-startup": lambda: with_celery(broker_connection_retry_on_startup=None),
    "celery-visibility-timeout": lambda: with_celery(task_time_limit=7200),
    "channels-on-redis-py": lambda: world(where="CHANNEL_LAYERS['default']", ours=False, uses={"messages"}),
    "client-on-redis-py": lambda: world(ours=False),
    "db-out-of-range": lambda: with_server("db_trouble", "ERR DB index is out of range"),
    "django-cache-on-redis-py": lambda: with_django(
        world(where="CACHES['default'] of settings", ours=False, uses={"cache"})
    ),
    "django-errors-ignored": lambda: with_django(ignores_exceptions=True),
    "django-middleware-missing": lambda: with_django(middleware=[]),
    "django-sessions-in-cache": lambda: with_django(session_engine="django.contrib.sessions.backends.cache"),
    "evicts-what-must-stay": lambda: with_config(
        world(uses={"broker"}), maxmemory="100000000", maxmemory_policy="allkeys-lru"
    ),
    "flask-caching-on-redis-py": lambda: world(where="CACHE_REDIS_URL of app:app", ours=False, uses={"cache"}),
    "flask-session-on-redis-py": lambda: world(where="SESSION_REDIS of app:app", ours=False, uses={"sessions"}),
    "host-keepalive-slow": lambda: with_host(keepalive_time=7200),
    "idle-closed-by-server": lambda: with_config(world("redis://app:pw@127.0.0.1:6379/0"), timeout="60"),
    "keepalive-off": lambda: world("redis://127.0.0.1:6379/0?socket_keepalive=false"),
    "maxclients-near": lambda: with_info(connected_clients="9000"),
    "maxclients-too-low": lambda: with_config(maxclients="7"),
    "open-files-low": lambda: with_host(open_files=64),
    "password-in-clear": lambda: world("redis://:pw@192.0.2.1:6379/0"),
    "pool-below-threads": lambda: world(max_connections=1),
    "rq-on-redis-py": lambda: world(ours=False, uses={"queue"}),
    "seawall-switched-off": lambda: World(mode="off"),
    "server-is-cluster-node": lambda: with_info(cluster_enabled="1"),
    "server-is-replica": lambda: with_info(role="slave", master_host="10.0.0.1", master_port="6379"),
    "server-is-sentinel": lambda: with_info(redis_mode="sentinel"),
    "server-keeps-silent": lambda: refusing("INFO"),
    "server-memory-low": lambda: with_config(maxmemory="1050000"),
    "server-not-redis": lambda: in_trouble("not-redis"),
    "server-old": lambda: with_info(redis_version="5.0.14"),
    "server-output-limit": lambda: with_config(client_output_buffer_limit="normal 1 0 0 pubsub 33554432 8388608 60"),
    "server-refuses-login": lambda: in_trouble("auth-failed"),
    "server-refuses-writes": lambda: with_info(rdb_last_bgsave_status="err"),
    "server-tls": lambda: in_trouble("tls-certificate"),
    "server-unavailable": lambda: in_trouble("loading"),
    "server-unreachable": lambda: in_trouble("connection-refused"),
    "server-without-hello": lambda: with_server("without_hello", True),
    "server-without-keepalive": lambda: with_config(tcp_keepalive="0"),
    "server-without-password": without_password_on_the_network,
    "timeout-beyond-worker": lambda: killed_early(),
    "timeout-long": lambda: world(timeout=120.0, uses={"results"}),
    "timeout-missing": lambda: world(ours=False, timeout=None, uses={"broker"}),
    "tls-not-verified": lambda: world("rediss://127.0.0.1:6379/0?ssl_cert_reqs=none"),
    "url-option-refused": lambda: world("redis://127.0.0.1:6379/0?max_idle=soon"),
    "url-option-unknown": lambda: world("redis://127.0.0.1:6379/0?sockt_timeout=3"),
}


def with_server(name: str, value: Any) -> World:
    made = world()
    setattr(made.servers[0], name, value)
    return made


def killed_early() -> World:
    made = world()
    made.fleets[0].killed_after = 5.0
    return made


def test_a_healthy_world_has_nothing_to_change() -> None:
    assert judge(world()) == []
    assert judge(with_django()) == []
    assert judge(with_celery()) == []
    healthy_flask = world(where="CACHE_REDIS_URL of app:app", uses={"cache"})
    healthy_flask.flask.append(Flask("app:app", {}))
    assert judge(healthy_flask) == []


@pytest.mark.parametrize("code", CODES)
def test_each_check_speaks_of_what_it_is_for_and_says_what_to_do(code: str) -> None:
    findings = [finding for finding in judge(SPEAKS[code]()) if finding.code == code]
    assert findings, "it says nothing"
    for finding in findings:
        assert finding.where and finding.what and finding.fix
        assert not finding.what.endswith(".")


@pytest.mark.parametrize("code", CODES)
def test_no_check_fails_where_the_server_tells_nothing(code: str) -> None:
    made = SPEAKS[code]()
    for server in made.servers:
        server.info = None
        server.config.clear()
    made.host = Host(None, None, None, 1024)
    judge(made)


def test_every_check_has_a_world_here() -> None:
    assert sorted(SPEAKS) == CODES


def listed() -> str:
    rows = ["| code | severity | what it finds |", "|---|---|---|"]
    details = []
    for code, check in catalogue():
        first, _, rest = inspect.cleandoc(check.__doc__ or "").partition("\n")
        rows.append(f"| {f'[`{code}`](#{code})' if rest.strip() else f'`{code}`'} | {check.SEVERITY.value} | {first} |")
        if rest.strip():
            details += ["", f"### {code}", "", first, "", rest.strip()]
    return "\n".join([BEGIN, "", *rows, *details, "", END])


def test_the_page_lists_every_check() -> None:
    text = PAGE.read_text()
    assert text[text.index(BEGIN) : text.index(END) + len(END)] == listed(), f"run: python {__file__}"


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(text[: text.index(BEGIN)] + listed() + text[text.index(END) + len(END) :])
    sys.stdout.write(f"wrote {PAGE}\n")
