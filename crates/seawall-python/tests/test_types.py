"""What type checkers are told is right, complete, and what users of redis-py expect."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from real_servers import REPOSITORY

HERE = pathlib.Path(__file__).parent / "types"
PACKAGE = REPOSITORY / "crates" / "seawall-python" / "python"
CONFIG = REPOSITORY / "pyproject.toml"


def run(*words: str | pathlib.Path) -> str:
    """What mypy says; nothing, if it has nothing to say."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=REPOSITORY,
        env={**os.environ, "MYPYPATH": str(PACKAGE), "MYPY_CACHE_DIR": str(REPOSITORY / ".venv" / "mypy_cache")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_package_and_a_users_code_pass_mypy_strict() -> None:
    assert run("mypy", "--config-file", CONFIG, PACKAGE / "seawall", HERE / "user.py") == ""


def test_what_type_checkers_are_told_is_what_is_there() -> None:
    said = run(
        "mypy.stubtest", "seawall", "--mypy-config-file", CONFIG, "--allowlist", HERE / "stubtest-allowed.txt", "--concise",
        "--ignore-unused-allowlist",
    )
    assert said == ""


def test_a_wrong_use_is_found(tmp_path: pathlib.Path) -> None:
    wrong = tmp_path / f"wrong_{tmp_path.name}.py"
    wrong.write_text("import seawall\n\nseawall.Redis().get('key', 2)\nseawall.guard(fail_max='3')\nseawall.Reddis\n")
    said = run("mypy", "--config-file", CONFIG, wrong)
    wanted = {"call-arg]", "call-overload]", "attr-defined]"}
    assert {line.rpartition("[")[2] for line in said.splitlines() if "error:" in line} == wanted
