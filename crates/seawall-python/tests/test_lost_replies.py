"""A transaction that was answered in part before its connection was lost."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
import seawall
from seawall import errors


class Cutter:
    """Forwards one connection after another to a server, and resets each where EXEC's reply would begin."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            asked = threading.Event()
            threading.Thread(target=self._there, args=(client, server, asked), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client, asked), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        while came := _read(client):
            if b"EXEC" in came:
                asked.set()
            server.sendall(came)

    def _back(self, server: socket.socket, client: socket.socket, asked: threading.Event) -> None:
        came = b""
        while more := _read(server):
            if not asked.is_set():
                client.sendall(more)
                continue
            came += more
            if b"*1\r\n" in came:
                client.sendall(came[: came.index(b"*1\r\n")])
                self.cut.set()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # The other thread's read must not keep it open.
                client.shutdown(socket.SHUT_RD)
                client.close()
                return


def _read(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except OSError:
        return b""


@pytest.mark.parametrize("transaction", [True, False])
def test_what_was_lost_behind_replies_that_came_may_have_run(server, transaction):
    cutter = Cutter(server.port)
    client = seawall.Redis(*cutter.address, deadline=2)
    admin = server.admin()
    try:
        with pytest.raises(errors.ConnectionError) as raised, client.pipeline(transaction=transaction) as pipeline:
            if transaction:
                pipeline.incr("counter")
            else:
                pipeline.set("before", 1).incr("counter").execute_command("LRANGE", "EXEC", 0, -1)
                admin.rpush("EXEC", "one")
            pipeline.execute()
        assert cutter.cut.is_set()
        assert admin.get("counter") == "1"
        assert raised.value.may_have_run
        assert raised.value.cause in ("connection-reset", "closed-by-server", "closed-mid-reply")
    finally:
        cutter.listener.close()
        client.close()
