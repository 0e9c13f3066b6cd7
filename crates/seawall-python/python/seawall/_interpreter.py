"""Only the main interpreter of a process has the engine, and only one with a global lock has the wheel's; beside a redis-py
that it is made for.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from typing import Any


def refuse_all_but_the_main() -> None:
    """Raises ``ImportError`` in a subinterpreter.

    The native module cannot be in two interpreters of a process, and refuses whichever comes second: without this the main
    one, where a subinterpreter was faster.
    """
    known: Any = None
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            known = __import__(name)
            break
        except ImportError:
            continue
    if known is None:
        return
    current, main = (_number(known.get_current()), _number(known.get_main()))
    if current != main:
        raise ImportError(
            "seawall cannot be used in a subinterpreter: its engine is one a process, and belongs to the main interpreter. "
            "Use processes or threads; under mod_wsgi set `WSGIApplicationGroup %{GLOBAL}`"
        )


def refuse_without_a_global_lock() -> None:
    """Raises ``ImportError`` where the interpreter is free-threaded and the native module is not made for it.

    pip does not install the wheel there. Found by another way (``PYTHONPATH``, a copied environment) it is loaded, and fails
    without a word of why: objects are laid out otherwise.
    """
    if "t" not in getattr(sys, "abiflags", ""):
        return
    found = find_spec("seawall._ext")
    if found is not None and str(found.origin).endswith(".abi3.so"):
        version = ".".join(map(str, sys.version_info[:3]))
        raise ImportError(
            f"seawall cannot be used with this Python ({version}, free-threaded): its native module is made for "
            "interpreters with a global lock. Use an ordinary build of Python"
        )


def refuse_an_older_redis_py() -> None:
    """Raises ``ImportError`` where another package has put an older redis-py in the place of ours, which pip only warns of."""
    from redis import __version__ as version

    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is not None and tuple(map(int, numbers.groups())) < (8, 1):
        raise ImportError(
            f"seawall needs redis-py 8.1 or later, and {version} is installed: pip install 'redis>=8.1,<9' "
            "(`pip check` says which package wants the older one)"
        )


def _number(known: Any) -> int:
    # Since 3.13 with the owner beside it.
    return int(known[0] if isinstance(known, tuple) else known)
