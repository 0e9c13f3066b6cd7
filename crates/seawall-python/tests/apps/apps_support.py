"""Processes of real frameworks, in front of a real server that is killed and restarted."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

EXAMPLES = pathlib.Path(__file__).resolve().parents[4] / "examples"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(seen: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Waits for an event; how long it takes is not judged."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := seen():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


class Program:
    """A process that the test started, and its output."""

    def __init__(self, log: pathlib.Path, *command: str, cwd: pathlib.Path, **env: str) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(cwd), **env},
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def processor_seconds(self) -> float:
        """Processor time of this process alone."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        # Its own session: the children go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def joins(entries: str | list[str], *guarantees: str) -> Callable[[Any], Any]:
    """Says which guarantees of which entry points a test holds: docs/python/joins.md is generated from these."""
    return lambda test: test
