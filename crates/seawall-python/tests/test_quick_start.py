"""What README and docs/python.md promise a newcomer: a wheel in a bare environment, one changed line."""

from __future__ import annotations

import importlib
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def test_a_wheel_in_a_bare_environment_runs_readmes_quick_start(tmp_path: pathlib.Path) -> None:
    # The native module is fresh already: it is only packed.
    maturin = pathlib.Path(sys.executable).with_name("maturin")
    subprocess.run(
        [maturin, "build", "--quiet", "--locked", "--profile", "profiling", "-i", sys.executable, "-o", tmp_path],
        cwd=REPOSITORY,
        check=True,
        timeout=600,
    )
    [wheel] = tmp_path.glob("*.whl")
    # What type checkers look for.
    assert {"seawall/py.typed", "seawall/_ext.pyi"} <= set(zipfile.ZipFile(wheel).namelist())
    done = subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "quick_start.py", wheel], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "quick start: well" in done.stdout


def pairs() -> list[tuple[str, str]]:
    """The rows of docs/python.md's table "From redis-py in one line": each name before, and after."""
    text = (REPOSITORY / "docs" / "python.md").read_text()
    table = text.split("## From redis-py in one line")[1].split("\n\n")[1]
    found = []
    for row in table.splitlines()[2:]:
        before, after = (re.findall(r"`([A-Za-z_.]+)(?:\(..\))?`", cell) for cell in row.strip("| ").split("|"))
        if after != ["seawall"]:
            found += zip(before, after, strict=True)
        else:
            # "the same names in `seawall`"
            found += [
                (f"redis.{name.removeprefix('redis.')}", f"seawall.{name.removeprefix('redis.')}") for name in before
            ]
    return found


def named(path: str) -> object:
    parts = path.split(".")
    thing: object = importlib.import_module(parts[0])
    if parts[:2] == ["redis", "asyncio"]:
        thing, parts = importlib.import_module("redis.asyncio"), parts[1:]
    for part in parts[1:]:
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize(("before", "after"), pairs())
def test_each_name_of_the_one_line_table_stands_for_redis_pys(before: str, after: str) -> None:
    theirs, ours = named(before), named(after)
    if isinstance(theirs, type):
        assert isinstance(ours, type) and issubclass(ours, theirs)
    else:
        assert callable(theirs) and callable(ours)
