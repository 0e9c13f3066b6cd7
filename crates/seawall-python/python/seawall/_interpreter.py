"""Only the main interpreter of a process has the engine."""

from __future__ import annotations

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


def _number(known: Any) -> int:
    # Since 3.13 with the owner beside it.
    return int(known[0] if isinstance(known, tuple) else known)
