"""`seawall` and `python -m seawall`: the program's own command line, inside the wheel."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

import seawall

PYTHON = [sys.executable, "-m", "seawall"]
SCRIPT = [str(pathlib.Path(sys.executable).with_name("seawall"))]


def said(*words: str, command: list[str] = PYTHON, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize("command", [PYTHON, SCRIPT], ids=["python -m seawall", "seawall"])
def test_both_ways_of_calling_it_show_the_same_commands_and_the_packages_version(command: list[str]) -> None:
    help = said("--help", command=command)
    assert help.returncode == 0
    assert "Usage: seawall <COMMAND>" in help.stdout
    for name in ("check", "journal", "lab"):
        assert f"\n  {name} " in help.stdout
    assert said("--version", command=command).stdout == f"seawall {seawall.__version__}\n"


def test_exit_codes_are_the_programs(tmp_path: pathlib.Path) -> None:
    assert said("lab", "list").returncode == 0
    unknown = said("lob")
    assert unknown.returncode == 2
    assert "unrecognized subcommand 'lob'" in unknown.stderr
    assert said("journal", str(tmp_path)).returncode == 2
    damaged = tmp_path / "damaged.journal"
    damaged.write_bytes(b"no journal")
    assert said("journal", str(damaged)).returncode in (1, 2)


def test_a_reader_that_has_gone_is_no_failure() -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen([*PYTHON, "lab", "list"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(reader)
    os.close(writer)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr and "Broken" not in stderr


def test_the_lab_of_the_wheel_runs_the_packages_own_faces() -> None:
    run = said("lab", "run", "client-kill", "--json")
    # Whether they hold is the lab's own tests' to say, on a machine that does nothing else.
    assert run.returncode in (0, 1), run.stderr
    for face in ("blocking", "python", "asyncio"):
        assert f'"{face}"' in run.stdout


def test_the_face_that_needs_a_runtime_is_not_in_the_wheel() -> None:
    refused = said("lab", "run", "client-kill", "--face", "tokio")
    assert refused.returncode == 2
    assert "blocking" in refused.stderr


def test_ctrl_c_ends_the_lab_in_order_and_takes_its_servers_along() -> None:
    run = subprocess.Popen(
        [*PYTHON, "lab", "run", "outage", "--face", "blocking"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stderr is not None
    # Its first progress line: the handlers are there by then.
    while ".." not in (line := run.stderr.readline()):
        assert line
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "interrupted" in stderr and "Traceback" not in stderr
    assert not of_session(run.pid)


def of_session(session: int) -> list[str]:
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append((stat.parent / "cmdline").read_bytes().decode(errors="replace"))
    return found


def test_ctrl_c_ends_a_command_whose_output_nobody_reads() -> None:
    # A pipe that is full: with Python's own handler the write would go on for ever.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = 0
    while True:
        try:
            filled += os.write(writer, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    process = subprocess.Popen([*PYTHON, "lab", "list"], stdout=writer)
    os.close(writer)
    try:
        stuck_in_a_write(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == -signal.SIGINT
    finally:
        process.kill()
        os.close(reader)


def stuck_in_a_write(pid: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        # write(2) on x86-64, on arm64.
        if pathlib.Path(f"/proc/{pid}/syscall").read_text().startswith(("1 0x1 ", "64 0x1 ")):
            return
        time.sleep(0.02)
    raise AssertionError("it writes nothing")


def test_importing_seawall_starts_nothing_and_brings_no_command_line() -> None:
    code = (
        "import os, sys, seawall; "
        "assert len(os.listdir('/proc/self/task')) == 1; "
        "assert not {name for name in sys.modules if name.startswith(('seawall.check', 'seawall.__main__'))}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
