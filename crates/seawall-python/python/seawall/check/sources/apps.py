"""`--app module:object`: whatever the object is."""

from __future__ import annotations

from typing import Any

from .._finding import CheckError
from .._world import World
from . import celery, clients, django, flask
from .importing import load, of_the_application


def read(world: World, name: str) -> None:
    """Loads an object and brings in what it is, and with an application the clients that stand in its modules."""
    found = load(name, "--app")
    kinds = {f"{base.__module__.split('.')[0]}.{base.__name__}" for base in type(found).__mro__}
    if "celery.Celery" in kinds:
        celery.bring(world, found, f"Celery {name}")
        _bring_clients(world, name)
    elif "flask.Flask" in kinds:
        with of_the_application(f"--app {name}"):
            flask.bring(world, found, name)
        _bring_clients(world, name)
    elif kinds & {"django.WSGIHandler", "django.ASGIHandler"}:
        if world.django is None:
            django.read(world, None)
        _bring_clients(world, name)
    elif "rq.Queue" in kinds:
        clients.bring(world, found.connection, f"the connection of {name}", {"queue"})
    elif clients.pool_of(found) is not None:
        clients.bring(world, found, name, ())
    else:
        _state(world, found, name)


def _bring_clients(world: World, name: str) -> None:
    if not clients.bring_globals(world, name.partition(":")[0]):
        world.unseen.append(
            f"clients of {name} that stand in objects, dictionaries and functions: none stands by itself in its modules; "
            "name one, or its URL (module:object)"
        )


def _state(world: World, found: Any, name: str) -> None:
    """Starlette's and FastAPI's applications have no settings; clients may stand in their state."""
    kind = type(found)
    if kind.__module__.split(".")[0] not in ("fastapi", "starlette"):
        raise CheckError(
            f"--app {name}: a {kind.__module__}.{kind.__qualname__} has no settings of Redis's that are known here",
            "name a Celery, Flask or Django application, an RQ queue, or a Redis client",
        )
    clients_found = {key: value for key, value in vars(found.state).get("_state", {}).items() if clients.pool_of(value)}
    for key, client in clients_found.items():
        clients.bring(world, client, f"{name}.state.{key}", ())
    if not clients.bring_globals(world, name.partition(":")[0]) and not clients_found:
        world.unseen.append(f"{name} makes its clients when it starts: name the client or its URL (module:object)")
