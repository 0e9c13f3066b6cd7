"""Runs an application's own modules, as its server would."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
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
        if error.name and error.name.endswith(".py"):
            raise CheckError(f"{what}: {error.name} is a file", f"name its module: {error.name[:-3]}") from None
        raise CheckError(
            f"{what}: no module named {error.name!r}",
            f"run it in the application's folder and environment (now {folder}, {sys.executable})",
        ) from None
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if _is_the_applications(frame.filename)] or frames
        name, hint = type(error).__name__, "does it start in this environment? its variables may be missing"
        place = f"{theirs[-1].filename}:{theirs[-1].lineno}"
        if isinstance(error, SyntaxError):
            place, hint = f"{error.filename}:{error.lineno}", "it cannot be imported until that is mended"
        if isinstance(error, KeyError) and frames[-1].name == "__getitem__" and _is_name(error.args):
            # Of `os.environ`.
            hint = f"set the variable {error.args[0]}, as where the application runs"
        raise CheckError(f"{what}: {name} at {place}", hint) from None


#: Where nobody's application is: Python's library, what was installed, and Seawall.
_OTHERS = (os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(os.path.dirname(__file__))))


def _is_the_applications(file: str) -> bool:
    return not file.startswith(("<", *_OTHERS)) and "site-packages" not in file


def is_of_the_application(module: Any) -> bool:
    """Whether a module lies in this folder, in which the application is run, or below it."""
    # As it is: a module that loads itself when it is asked for something is left alone.
    file = object.__getattribute__(module, "__dict__").get("__file__")
    return isinstance(file, str) and _is_the_applications(file) and os.path.abspath(file).startswith(os.path.join(os.getcwd(), ""))


def _is_name(words: Any) -> bool:
    return len(words) == 1 and isinstance(words[0], str) and re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", words[0]) is not None


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
