"""Runs an application's own modules, as its server would."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from .._finding import CheckError


@contextlib.contextmanager
def of_the_application(what: str) -> Iterator[None]:
    """Code of the application's runs inside: from this folder, with its words on standard error.

    The text of what it raises is not repeated, unless a module was not found: there may be a password in it.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (CheckError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        raise CheckError(
            f"{what}: no module named {error.name!r}",
            f"run it in the application's folder and environment (now {folder}, {sys.executable})",
        ) from None
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise CheckError(
            f"{what}: {type(error).__name__} at {last.filename}:{last.lineno}",
            "does it start in this environment? its variables may be missing",
        ) from None


def load(name: str, option: str) -> Any:
    """`module:object`, with dots for attributes of the object."""
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise CheckError(f"{option} {name}: not of the form module:object", f"give both, as {option} shop.main:app")
    with of_the_application(f"{option} {name}"):
        found = importlib.import_module(module_name)
        for part in path.split("."):
            if not hasattr(found, part):
                raise CheckError(f"{option} {name}: {module_name} has no {path!r}", "give the name that it has there")
            found = getattr(found, part)
        return found
