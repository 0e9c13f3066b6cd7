"""What stands under a lock: CPython 3.13 leaves a lock held if an exception from outside (a signal's handler, one raised
into a thread) comes as a loop under ``with lock:`` jumps back past a condition, since its compiler leaves that jump out of the
block's exception table. A loop in a function of its own, called from there, is a call like any other.
"""

from __future__ import annotations

import ast
import pathlib

import seawall

PACKAGE = pathlib.Path(seawall.__file__).parent
LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp)


def loops_under_locks(source: str) -> list[int]:
    found = []
    for block in ast.walk(ast.parse(source)):
        if isinstance(block, ast.With) and any(
            "lock" in ast.unparse(item.context_expr).lower() or "turn" in ast.unparse(item.context_expr) for item in block.items
        ):
            inside = [node for line in block.body for node in ast.walk(line)]
            found += [node.lineno for node in inside if isinstance(node, LOOPS)]
    return found


def test_no_loop_stands_under_a_lock() -> None:
    found = {str(path.relative_to(PACKAGE)): loops_under_locks(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert len(found) > 30
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_one_would_be_found() -> None:
    assert loops_under_locks("with self._lock:\n    kept = [x for x in y if x]\n") == [2]
    assert loops_under_locks("with self._lock:\n    kept = those(y)\n") == []
