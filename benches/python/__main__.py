"""Measures the Python package beside its peers, in turns in one run: `make bench-python`, or
`.venv/bin/python benches/python [SUITE ..] [--rounds N] [--json]`.

A suite is a file in `suites/` with `run(ground, scale)`, which gives tables; its first line says what it measures.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import json
import pathlib
import sys

from ground import Cores, Ground
from report import Machine, Table


def suites() -> dict[str, str]:
    """Every suite by its name, and what it measures; not imported, since each needs its peers."""
    folder = pathlib.Path(__file__).parent / "suites"
    found = {path.stem: ast.get_docstring(ast.parse(path.read_text())) for path in sorted(folder.glob("[a-z]*.py"))}
    return {name: (text or "").partition("\n")[0] for name, text in found.items()}


def scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 100:
        raise argparse.ArgumentTypeError("a number from 0.01 to 100")
    return value


def arguments(known: dict[str, str]) -> argparse.Namespace:
    lines = [f"  {name:10} {text}" for name, text in known.items()]
    parser = argparse.ArgumentParser(
        prog="bench-python",
        description="Measures the Python package beside its peers.",
        epilog="suites:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", nargs="*", metavar="SUITE", help="what to measure; nothing named: all of them")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--rounds",
        type=scale,
        default=1.0,
        help="how many times the usual number of rounds; 0.1 for a glance, 5 on a noisy machine",
    )
    chosen = parser.parse_args()
    unknown = [name for name in chosen.suite if name not in known]
    if unknown:
        parser.error(f"no suite is called {', '.join(unknown)}: there are {', '.join(known)}")
    return chosen


def main() -> None:
    known = suites()
    chosen = arguments(known)
    cores, machine = Cores.find(), Machine.look()
    warning = machine.warning()
    if warning:
        print(f"bench-python: {warning}", file=sys.stderr)
    tables: list[Table] = []
    with Ground(cores) as ground:
        if not chosen.json:
            print(f"{machine}\nserver: {ground.version}\n", flush=True)
        for name in chosen.suite or known:
            for table in importlib.import_module(f"suites.{name}").run(ground, chosen.rounds):
                tables.append(table)
                if not chosen.json:
                    print(table, flush=True)
        if chosen.json:
            whole = {
                "machine": dataclasses.asdict(machine),
                "server": ground.version,
                "tables": [table.as_json() for table in tables],
            }
            print(json.dumps(whole, indent=2))


if __name__ == "__main__":
    main()
