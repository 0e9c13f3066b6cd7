"""redis-py, standing as a contender in the lab: see docs/contenders.md for the protocol.

Without arguments it is `redis.Redis(host, port)` as it comes, used from threads. With --recommended it has the
timeouts, retries and health checks that redis-py's documentation recommends for production.
"""

import queue
import sys
import threading
import time
from json import loads
from urllib.parse import quote, unquote_to_bytes

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)
from redis.retry import Retry

# Printable ASCII that separates nothing.
SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in "%|,[]")
TEXT_BYTES_MAX = 256


def encode(value):
    return quote(value, safe=SAFE)


def fnv64(value):
    digest = 0xCBF29CE484222325
    for byte in value:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return digest


def fnv64_of(value, known={}):
    """The lab reads the same few long values again and again, and hashing in Python is slow."""
    if value not in known:
        if len(known) > 1024:
            known.clear()
        known[value] = fnv64(value)
    return known[value]


def show(reply):
    """The written form of a reply. redis-py turns OK into True before we see it."""
    if reply is None:
        return "nil"
    if reply is True:
        return "simple:OK"
    if isinstance(reply, (bool, int)):
        return f"int:{int(reply)}"
    if isinstance(reply, bytes):
        if len(reply) <= TEXT_BYTES_MAX:
            return "str:" + encode(reply)
        return f"blob:{len(reply)}:{fnv64_of(reply):016x}"
    if isinstance(reply, (list, tuple)):
        return f"arr:{len(reply)}:[{','.join(map(show, reply))}]"
    if isinstance(reply, dict):
        return show([part for pair in reply.items() for part in pair])
    if isinstance(reply, Exception):
        return "err:" + encode(str(reply))
    return "str:" + encode(str(reply))


# What redis-py's own words say plainly; a client is not to be judged by words that it did not say.
SAID = [
    ("Connection refused", "connection-refused"),
    ("Connection reset by peer", "connection-reset"),
    ("Broken pipe", "connection-reset"),
    ("Timeout connecting", "connect-timeout"),
    ("Timeout reading", "reply-timeout"),
    ("Connection closed by server", "closed-by-server"),
    ("max number of clients", "max-clients"),
    ("MISCONF", "save-failed"),
    ("WRONGPASS", "auth-failed"),
    ("invalid username-password", "auth-failed"),
    ("NOREPLICAS", "no-replicas"),
]
KINDS = [
    (AuthenticationError, "auth-failed"),
    (BusyLoadingError, "loading"),
    (ReadOnlyError, "read-only"),
    (OutOfMemoryError, "out-of-memory"),
    (NoPermissionError, "permission-denied"),
    (MaxConnectionsError, "pool-exhausted"),
]


def cause_of(error):
    text = str(error)
    for words, cause in SAID:
        if words in text:
            return cause
    for kind, cause in KINDS:
        if isinstance(error, kind):
            return cause
    if isinstance(error, TimeoutError):
        return "reply-timeout"
    if isinstance(error, ResponseError):
        return "command-error"
    return "-"


def surely_not_run(error):
    """Only what the server refused by name, and what never got a connection. After any other error redis-py's caller
    cannot know: an earlier attempt behind the same exception may have been sent."""
    if isinstance(error, (BusyLoadingError, ConnectionError, TimeoutError)):
        return isinstance(error, MaxConnectionsError)
    return isinstance(error, (ResponseError, AuthenticationError))


class Contender:
    def __init__(self, settings, recommended):
        options = {}
        if recommended:
            seconds = settings["deadline_ms"] / 1000
            options = {
                "socket_timeout": seconds,
                "socket_connect_timeout": seconds,
                "socket_keepalive": True,
                "health_check_interval": 30,
                "retry": Retry(ExponentialBackoff(cap=0.25, base=0.01), 3),
                "retry_on_error": [ConnectionError, TimeoutError, BusyLoadingError],
            }
        parts = redis.connection.parse_url(settings["url"])
        if parts.pop("connection_class", None) is redis.SSLConnection:
            options["ssl"] = True
        self.client = redis.Redis(**parts, **options)
        self.calls = queue.SimpleQueue()
        self.lines = queue.SimpleQueue()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(settings["workers"])]
        self.writer = threading.Thread(target=self.write, daemon=True)
        for thread in [self.writer, *self.threads]:
            thread.start()

    def work(self):
        while (call := self.calls.get()) is not None:
            number, deadline, kind, words = call
            if time.monotonic() > deadline:
                self.lines.put(f"fail {number} sent=no attempts=0 msg=never%20got%20a%20worker\n")
                continue
            try:
                self.lines.put(f"ok {number} {show(self.run(kind, words))}\n")
            except RedisError as error:
                sent = "no" if surely_not_run(error) else "perhaps"
                text = encode(f"{type(error).__name__}: {error}")
                self.lines.put(f"fail {number} sent={sent} cause={cause_of(error)} msg={text}\n")
            except Exception as error:
                text = encode(f"{type(error).__name__}: {error}")
                self.lines.put(f"fail {number} sent=perhaps cause=- msg={text}\n")

    def run(self, kind, words):
        if kind == "cmd":
            return self.client.execute_command(*words)
        pipeline = self.client.pipeline(transaction=kind == "tx")
        command = []
        for word in [*words, b"|"]:
            if word == b"|":
                pipeline.execute_command(*command)
                command = []
            else:
                command.append(word)
        return pipeline.execute(raise_on_error=False)

    def write(self):
        out = sys.stdout
        while (line := self.lines.get()) is not None:
            out.write(line)
            while not self.lines.empty():
                if (line := self.lines.get()) is None:
                    out.flush()
                    return
                out.write(line)
            out.flush()


def call_of(line):
    fields = line.split(" ")
    deadline = time.monotonic() + int(fields[2]) / 1000
    # A lone bar separates; one inside an argument comes as %7C, so the raw field tells them apart.
    words = [b"|" if field == "|" else unquote_to_bytes(field) for field in fields[4:]]
    if fields[3] == "cmd":
        words[0] = words[0].decode()
    return fields[1], deadline, fields[3], words


def main():
    _, version, settings = sys.stdin.readline().split(" ", 2)
    if version != "1":
        sys.exit(f"only version 1 of the protocol is spoken here, not {version}")
    contender = Contender(loads(settings), "--recommended" in sys.argv)
    print("ready", "redis-py", redis.__version__, flush=True)
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line == "stop":
            break
        if line.startswith("call "):
            contender.calls.put(call_of(line))
    else:
        sys.exit(0)
    contender.lines.put("stats\n")
    contender.lines.put("bye\n")
    contender.lines.put(None)
    contender.writer.join(timeout=2)


if __name__ == "__main__":
    main()
