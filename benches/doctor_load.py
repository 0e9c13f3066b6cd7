"""What a look of the doctor's costs a server with many clients, beside what the server's own counters and its thread say.

    python3 benches/doctor_load.py target/profiling/seawall [--clients 9990] [--looks 5] [--told=--audit]

Starts a redis-server of its own, holds the clients, and looks. The first look is a cold one: the server has told of none of these
clients before. `thread` is the processor time of the server's main thread above what it takes when nobody asks it anything.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def request(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n"] + [f"${len(word)}\r\n{word}\r\n" for word in words]
    return "".join(parts).encode()


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port
        self.asking = self.connect()
        self.answers = self.asking.makefile("rb")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port))

    def counted(self) -> dict[str, tuple[int, int]]:
        self.asking.sendall(request("INFO", "commandstats"))
        length = int(self.answers.readline()[1:])
        text = self.answers.read(length + 2).decode()
        rows = re.finditer(r"cmdstat_(\S+?):calls=(\d+),usec=(\d+)", text)
        return {row[1]: (int(row[2]), int(row[3])) for row in rows}

    def thread(self) -> int:
        """Nanoseconds."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0])


@contextlib.contextmanager
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        options = ["--port", str(port), "--maxclients", "19000", "--save", "", "--dir", folder, "--logfile", f"{folder}/log"]
        process = subprocess.Popen(["redis-server", *options])
        try:
            time.sleep(0.7)
            yield Server(process, port)
        finally:
            process.kill()
            process.wait()


def look(one: Server, words: list[str], idle: float) -> None:
    before, thread, began = one.counted(), one.thread(), time.monotonic()
    told = subprocess.run([*words, f"redis://127.0.0.1:{one.port}"], capture_output=True, text=True, check=False)
    lasted, thread = time.monotonic() - began, one.thread() - thread
    rows = {name: (calls, micros) for name, (calls, micros) in one.counted().items()}
    new = {name: tuple(now - then for now, then in zip(row, before.get(name, (0, 0)), strict=True)) for name, row in rows.items()}
    # The INFO that frame the look: one of them is counted in between.
    micros = sum(row[1] for row in new.values())
    dear = ", ".join(f"{name} {row[1]}" for name, row in sorted(new.items(), key=lambda one: -one[1][1])[:3])
    above = thread / 1e3 - idle * lasted * 1e6
    print(f"{lasted * 1e3:4.0f} ms, exit {told.returncode}; counted {micros} us = {micros / lasted / 1e4:.2f} % ({dear}); thread {above:.0f} us = {above / lasted / 1e4:.2f} %")
    for line in told.stdout.splitlines():
        if "of the server's time" in line or line.startswith("RISK"):
            print("    ", line.strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seawall")
    parser.add_argument("--clients", type=int, default=9990)
    parser.add_argument("--looks", type=int, default=5)
    parser.add_argument("--told", default="", help="what the doctor is told besides --load")
    told = parser.parse_args()
    with server() as one:
        held = []
        for number in range(told.clients):
            client = one.connect()
            client.sendall(request("CLIENT", "SETNAME", f"worker-{number % 1000:03}"))
            held.append(client)
        time.sleep(2)
        thread, began = one.thread(), time.monotonic()
        time.sleep(2)
        idle = (one.thread() - thread) / 1e9 / (time.monotonic() - began)
        print(f"{told.clients} clients at rest: {idle * 100:.2f} % of the server's thread")
        for _ in range(told.looks):
            look(one, [told.seawall, "doctor", "--load", *told.told.split()], idle)
            time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
