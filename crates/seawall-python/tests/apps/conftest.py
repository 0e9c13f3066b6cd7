"""Fixtures for the tests with real frameworks."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable, Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from apps_support import Program  # noqa: E402


@pytest.fixture
def run(tmp_path: pathlib.Path, make_server: object) -> Iterator[Callable[..., Program]]:
    """Starts `python -m ..` in a folder; ended with the test and before its servers, its output shown if it fails."""
    made: list[Program] = []

    def start(*command: str, cwd: pathlib.Path, **env: str) -> Program:
        program = Program(tmp_path / f"program-{len(made)}.log", *command, cwd=cwd, **env)
        made.append(program)
        return program

    yield start
    for program in made:
        program.end()
        print(f"--- {program.process.args}\n{program.said[-6000:]}")
