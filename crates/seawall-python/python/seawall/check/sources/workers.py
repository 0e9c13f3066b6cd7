"""How many processes and threads: gunicorn's settings, uWSGI's, or numbers."""

from __future__ import annotations

import configparser
import os
import pathlib
import runpy
from typing import Any

from .._finding import CheckError
from .._world import POOL_SIZE, Fleet, World
from .importing import of_the_application


def gunicorn(world: World, path: str, pool: int | None) -> None:
    """A gunicorn.conf.py, run as gunicorn runs it."""
    if not pathlib.Path(path).is_file():
        raise CheckError(f"--gunicorn {path}: no such file", "give the path of gunicorn.conf.py")
    with of_the_application(f"--gunicorn {path}"):
        found = runpy.run_path(path, run_name="__config__")
    workers = _number(found.get("workers", os.environ.get("WEB_CONCURRENCY", 1)), path, "workers")
    threads = _number(found.get("threads", 1), path, "threads")
    killed = _number(found.get("timeout", 30), path, "timeout")
    world.fleets.append(_fleet(f"workers of {path}", workers, threads, pool, float(killed) if killed else None))


def uwsgi(world: World, path: str, pool: int | None) -> None:
    """An uwsgi.ini."""
    reader = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        if not reader.read(path, encoding="utf-8"):
            raise CheckError(f"--uwsgi {path}: no such file", "give the path of uwsgi.ini")
    except (configparser.Error, UnicodeDecodeError):
        raise CheckError(f"--uwsgi {path}: no ini file", "give the path of uwsgi.ini") from None
    if not reader.has_section("uwsgi"):
        raise CheckError(f"--uwsgi {path}: it has no section [uwsgi]", "give the path of uwsgi.ini")
    options = dict(reader.items("uwsgi"))
    processes = _number(options.get("processes", options.get("workers", options.get("p", 1))), path, "processes")
    threads = _number(options.get("threads", options.get("gevent", 1)), path, "threads")
    killed = _number(options.get("harakiri", 0), path, "harakiri")
    world.fleets.append(_fleet(f"processes of {path}", processes, threads, pool, float(killed) if killed else None))


def given(world: World, workers: int, threads: int, pool: int | None) -> None:
    """Numbers of the command line."""
    world.fleets.append(_fleet("--workers", workers, threads, pool, None))


def _fleet(where: str, processes: int, threads: int, pool: int | None, killed: float | None) -> Fleet:
    # One for each thread's plain calls, and one more for each inside WATCH, a lock or a subscription.
    connections = pool if pool is not None else min(threads, POOL_SIZE) + threads
    return Fleet(where, processes, threads, connections, killed_after=killed)


def _number(value: Any, path: str, name: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise CheckError(f"{path}: {name} is no number", "give one, or say it with --workers and --threads") from None
    if number < 0:
        raise CheckError(f"{path}: {name} is {number}", "give a number from 0")
    return number
