"""`seawall lab run --app`: Redis is broken under an application, and the lab tells what its users saw."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import pytest
from apps_support import EXAMPLES, free_port, wait_until

#: An application out of the standard library, that says what it is told to.
STANDING = """
import http.server, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if sys.argv[2] == "0":
            time.sleep(600)
        self.send_response(int(sys.argv[2]))
        self.end_headers()
        self.wfile.write(b"what it says\\n")

with open(sys.argv[3], "w") as file:
    file.write(str(os.getpid()))
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def lab(folder: pathlib.Path, *words: str) -> subprocess.Popen[str]:
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", "seawall", "lab", "run", *words],
        cwd=folder,
        env=dict(os.environ, PATH=path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(run: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = run.communicate(timeout=120)
    return run.returncode, out, err


def test_users_of_the_examples_are_told_why_and_get_their_answers_back():
    django, fastapi = free_port(), free_port()
    runs = [
        lab(
            EXAMPLES / "django",
            *("blip", "--json", "--url", f"http://127.0.0.1:{django}/price/tea"),
            *("--app", f"gunicorn -w 2 -b 127.0.0.1:{django} shop:application"),
        ),
        lab(
            EXAMPLES / "fastapi",
            *("loading", "--json", "--url", f"http://127.0.0.1:{fastapi}/visits/home", "--method", "POST"),
            *("--app", f"uvicorn visits:app --port {fastapi}"),
        ),
    ]
    reports: list[Any] = []
    for code, out, err in map(said, runs):
        assert code == 0, out + err
        reports.append(json.loads(out)["runs"][0])
    of_django, of_fastapi = reports
    # A blip is seen by nobody.
    assert of_django["statuses"].keys() == {"200"}, of_django
    # An outage that is longer than what calls wait out is told, with its cause.
    assert of_fastapi["statuses"].keys() == {"200", "503"}, of_fastapi
    assert of_fastapi["causes"].keys() == {"loading"}, of_fastapi
    assert of_fastapi["errors_without_cause"] == 0
    for report in reports:
        assert report["phases"]["before"]["good"] == report["phases"]["before"]["requests"] > 100
        assert report["back_ms"] is not None


@pytest.mark.parametrize(
    ("command", "ready", "words"),
    [
        ("echo oh no; exit 3", 30, ["exit status: 3", "oh no"]),
        ("sleep 600", 1, ["is refused", "within 1s"]),
        ("{standing} 0 {pid}", 4, ["accepts, and does not answer"]),
        ("{standing} 500 {pid}", 4, ["answers 500 (what it says)"]),
        ("{standing} 404 {pid}", 30, ["answers 404", "the right address"]),
        ("{standing} 200 {pid}", 30, ["no command came to the lab's Redis", "REDIS_URL"]),
    ],
)
def test_what_is_in_the_way_is_told_before_anything_is_broken(tmp_path, command, ready, words):
    port = free_port()
    (tmp_path / "standing.py").write_text(STANDING)
    app = command.format(standing=f"{sys.executable} standing.py {port}", pid="pid")
    url = f"http://127.0.0.1:{port}/"
    code, out, err = said(lab(tmp_path, "blip", "--ready", str(ready), "--app", app, "--url", url))
    assert (code, out) == (2, ""), err
    assert all(word in err for word in words), err
    assert_gone(tmp_path / "pid")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_the_application_ends_with_the_lab(tmp_path, ending):
    port = free_port()
    (tmp_path / "standing.py").write_text(STANDING)
    app = f"{sys.executable} standing.py {port} 200 pid & wait"
    run = lab(tmp_path, "outage", "--app", app, "--url", f"http://127.0.0.1:{port}/")
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text(), "the application")
    run.send_signal(ending)
    code, _, err = said(run)
    assert code == (2 if ending == signal.SIGINT else -signal.SIGKILL), err
    assert_gone(pid)


def assert_gone(pid: pathlib.Path) -> None:
    if pid.exists():
        wait_until(lambda: not is_there(int(pid.read_text())), "its end")


def is_there(pid: int) -> bool:
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
