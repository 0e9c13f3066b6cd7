"""Settings from the environment: below what the program and the URL say, above the defaults."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys


def run(url: str, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys, seawall\n{code}", url],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_state_directory_of_the_environment_gets_a_journal(shared_server, tmp_path: pathlib.Path) -> None:
    done = run(shared_server.url, "seawall.Redis.from_url(sys.argv[1]).ping()", SEAWALL_STATE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_state_directory_that_cannot_be_used_is_said_once_in_the_log(shared_server) -> None:
    code = """
import logging, time
logging.basicConfig(level=logging.WARNING)
heard = []
seawall.on_event(heard.append, names="journal")
client = seawall.Redis.from_url(sys.argv[1])
for _ in range(3):
    client.connection_pool.get_connection()
until = time.monotonic() + 60
while not heard and time.monotonic() < until:
    time.sleep(0.01)
"""
    done = run(shared_server.url, code, SEAWALL_STATE_DIR="/dev/null")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "journal.memory_only" in line]
    assert len(lines) == 1, done.stderr
    assert "dir=/dev/null" in lines[0] and "hint=" in lines[0]


def test_a_wrong_value_is_named_with_its_variable(shared_server) -> None:
    done = run(shared_server.url, "seawall.Redis.from_url(sys.argv[1]).ping()", SEAWALL_RIDE_OUT="soon")
    assert done.returncode == 1
    assert "SEAWALL_RIDE_OUT" in done.stderr
