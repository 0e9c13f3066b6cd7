"""Publishes numbered messages, in a process of its own: `publisher.py PORT CHANNEL`.

Each line of its input is an order, `COUNT RATE FIRST`: so many messages, so many a second (0: as fast as the server
takes them), numbered from FIRST on. Its answer is a line, once the server has said of each how many got it: how many
that were, and how long it took.
"""

from __future__ import annotations

import socket
import sys
import time

#: In one write.
BURST = 100


def main() -> None:
    port, channel = int(sys.argv[1]), sys.argv[2].encode()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for line in sys.stdin:
        count, rate, first = (int(word) for word in line.split())
        began = time.monotonic()
        got = publish(connection, channel, count, rate, first)
        print(got, time.monotonic() - began, flush=True)


def publish(connection: socket.socket, channel: bytes, count: int, rate: int, first: int) -> int:
    head = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$16\r\n" % (len(channel), channel)
    began, sent, got = time.monotonic(), 0, 0
    while sent < count:
        if rate:
            ahead = sent / rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
        burst = min(BURST, count - sent)
        numbers = range(first + sent, first + sent + burst)
        connection.sendall(b"".join([head + b"%016d\r\n" % number for number in numbers]))
        got += receivers(connection, burst)
        sent += burst
    return got


def receivers(connection: socket.socket, replies: int) -> int:
    """How many got these messages, by the server's replies."""
    received = b""
    while received.count(b"\r\n") < replies:
        more = connection.recv(65536)
        if not more:
            raise SystemExit("publisher: the server closed the connection")
        received += more
    return sum(int(line[1:]) for line in received.split())


main()
