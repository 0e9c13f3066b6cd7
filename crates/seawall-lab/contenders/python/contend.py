"""A Python client, standing as a contender in the lab: `python contend.py redis-py`. See docs/contenders.md."""

import asyncio
import importlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from json import loads

# What stands for each name: its module, its class, and the package that must be installed.
CLIENTS = {
    "redis-py": ("with_redis", "Client", "redis"),
    "redis-py-rec": ("with_redis", "Recommended", "redis"),
    "redis-py-async": ("with_redis", "Asyncio", "redis"),
    "pybreaker": ("with_pybreaker", "Client", "pybreaker"),
    "glide": ("with_glide", "Client", "valkey-glide-sync"),
    "glide-async": ("with_glide", "Asyncio", "valkey-glide"),
    "coredis": ("with_coredis", "Client", "coredis"),
    "python": ("with_seawall", "Client", "seawall"),
    "asyncio": ("with_seawall", "Asyncio", "seawall"),
}


def client_of(name, requirements):
    """The class that stands for a name; says what to install if it cannot be had."""
    module, kind, package = CLIENTS[name]
    try:
        version(package)
        return getattr(importlib.import_module(module), kind), package
    except (ImportError, PackageNotFoundError) as error:
        wanted = [line for line in requirements.splitlines() if line.split("==")[0] in (package, "redis")]
        if package == "seawall":
            wanted = ["seawall"]
        why = f"{package} is not installed" if isinstance(error, PackageNotFoundError) else str(error)
        sys.exit(f"{why}; install it: {sys.executable} -m pip install {' '.join(sorted(wanted))}")


def main(words, requirements):
    kind, package = client_of(words[0], requirements)
    if "--check" in words:
        return
    # Read by its descriptor: a buffer of Python's would keep what the event loop is to read.
    hello = b""
    while not hello.endswith(b"\n"):
        hello += os.read(0, 1) or sys.exit(0)
    _, spoken, settings = hello.decode().split(" ", 2)
    if spoken != "1":
        sys.exit(f"only version 1 of the protocol is spoken here, not {spoken}")
    settings = loads(settings)
    ready = f"ready {package} {version(package)} {kind.ABILITIES}".rstrip() + "\n"
    if hasattr(kind, "__aenter__"):
        import tasks

        asyncio.run(tasks.contend(kind, settings, ready))
    else:
        import threads

        threads.contend(kind, settings, ready)


if __name__ == "__main__":
    with open(f"{os.path.dirname(os.path.abspath(__file__))}/requirements.txt") as pinned:
        main(sys.argv[1:], pinned.read())
