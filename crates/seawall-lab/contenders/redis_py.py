"""redis-py, standing as a contender in the lab: see docs/contenders.md for the protocol.

Without arguments it is `redis.Redis(host, port)` as it comes, used from threads. With --recommended it has the
timeouts, retries and health checks that redis-py's documentation recommends for production. With --asyncio it is
`redis.asyncio.Redis`, a task for each call.
"""

import asyncio
import os
import queue
import sys
import threading
import time
from json import loads
from urllib.parse import quote, unquote_to_bytes

try:
    import redis
    import redis.asyncio
except ImportError:
    sys.exit(f"redis-py is not installed for this Python: {sys.executable} -m pip install redis")
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
    ("Name or service not known", "name-unknown"),
    ("Temporary failure in name resolution", "name-service"),
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


def options_of(settings, recommended):
    options = redis.connection.parse_url(settings["url"])
    if options.pop("connection_class", None) is redis.SSLConnection:
        options["ssl"] = True
    if recommended:
        seconds = settings["deadline_ms"] / 1000
        options |= {
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "socket_keepalive": True,
            "health_check_interval": 30,
            "retry": Retry(ExponentialBackoff(cap=0.25, base=0.01), 3),
            "retry_on_error": [ConnectionError, TimeoutError, BusyLoadingError],
        }
    return options


def failed(number, error):
    """The line for a call that failed with this error."""
    if isinstance(error, RedisError):
        sent, cause = "no" if surely_not_run(error) else "perhaps", cause_of(error)
    else:
        sent, cause = "perhaps", "-"
    text = encode(f"{type(error).__name__}: {error}")
    return f"fail {number} sent={sent} cause={cause} msg={text}\n"


def commands_of(words):
    commands = [[]]
    for word in words:
        if word == b"|":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


class Subscription:
    """What redis-py tells a subscriber. After a lost connection it subscribes again by itself, and says nothing of it."""

    def __init__(self, number, channels):
        self.number = number
        self.awaited = len(channels)

    def tell(self, message):
        """The line for what `get_message` returned, if there is one."""
        if message is None:
            return None
        if message["type"] == "subscribe" and self.awaited:
            self.awaited -= 1
            return None if self.awaited else f"subscribed {self.number}\n"
        if message["type"] != "message":
            return None
        data = message["data"]
        return f"message {self.number} {encode(message['channel'])} {len(data)} {encode(data[:64])}\n"

    def broken(self, error):
        """An error reaches the application, which knows then that messages may be lost."""
        return f"gap {self.number} cause={cause_of(error)}\n"


class Contender:
    ABILITIES = "subscribe"

    def __init__(self, settings, recommended):
        self.client = redis.Redis(**options_of(settings, recommended))
        self.pauses = {}
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
            except Exception as error:
                self.lines.put(failed(number, error))

    def run(self, kind, words):
        if kind == "cmd":
            return self.client.execute_command(*words)
        pipeline = self.client.pipeline(transaction=kind == "tx")
        for command in commands_of(words):
            pipeline.execute_command(*command)
        return pipeline.execute(raise_on_error=False)

    def subscribe(self, number, channels):
        self.pauses[number] = queue.SimpleQueue()
        threading.Thread(target=self.listen, args=(number, channels), daemon=True).start()

    def listen(self, number, channels):
        subscription = Subscription(number, channels)
        pubsub = self.client.pubsub()
        while True:
            try:
                if not pubsub.subscribed:
                    pubsub.subscribe(*channels)
                while not self.pauses[number].empty():
                    time.sleep(self.pauses[number].get())
                line = subscription.tell(pubsub.get_message(timeout=0.02))
            except RedisError as error:
                line = subscription.broken(error)
                time.sleep(0.02)
            if line is not None:
                self.lines.put(line)

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


class AsyncContender:
    """The same client under asyncio. A call that is given up is a task that is cancelled."""

    ABILITIES = "cancel subscribe"

    def __init__(self, settings, recommended):
        # The pool that waits for a connection: the one that does not fails calls while nothing is broken.
        pool = redis.asyncio.BlockingConnectionPool(
            max_connections=settings["workers"],
            timeout=settings["deadline_ms"] / 1000,
            **options_of(settings, recommended),
        )
        self.client = redis.asyncio.Redis(connection_pool=pool)
        self.tasks = {}
        self.pauses = {}
        self.listeners = set()

    async def call(self, number, deadline, kind, words):
        try:
            return f"ok {number} {show(await self.run(kind, words))}\n"
        except Exception as error:
            return failed(number, error)

    def begin(self, call):
        number = call[0]
        task = asyncio.get_running_loop().create_task(self.call(*call))
        self.tasks[number] = task
        task.add_done_callback(lambda task: self.ended(number, task))

    def ended(self, number, task):
        """Not in the task: one that is cancelled before its first step runs none of its own lines."""
        del self.tasks[number]
        if task.cancelled():
            say(f"fail {number} sent=perhaps cause=cancelled msg=cancelled\n")
        else:
            say(task.result())

    async def run(self, kind, words):
        if kind == "cmd":
            return await self.client.execute_command(*words)
        async with self.client.pipeline(transaction=kind == "tx") as pipeline:
            for command in commands_of(words):
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)

    async def listen(self, number, channels):
        subscription = Subscription(number, channels)
        pubsub = self.client.pubsub()
        while True:
            try:
                if not pubsub.subscribed:
                    await pubsub.subscribe(*channels)
                while not self.pauses[number].empty():
                    await asyncio.sleep(self.pauses[number].get())
                line = subscription.tell(await pubsub.get_message(timeout=0.02))
            except RedisError as error:
                line = subscription.broken(error)
                await asyncio.sleep(0.02)
            if line is not None:
                say(line)

    async def serve(self):
        """Takes orders until the lab says stop; false if it is gone."""
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader(limit=1 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while line := (await orders.readline()).decode().rstrip("\n"):
            word, *fields = line.split(" ")
            if word == "stop":
                return True
            if word == "call":
                self.begin(call_of(line))
            elif word == "cancel" and fields[0] in self.tasks:
                self.tasks[fields[0]].cancel()
            elif word == "subscribe":
                self.pauses[fields[0]] = queue.SimpleQueue()
                self.listeners.add(loop.create_task(self.listen(fields[0], channels_of(fields))))
            elif word == "pause":
                self.pauses[fields[0]].put(int(fields[1]) / 1000)
        return False


def say(line):
    sys.stdout.write(line)
    sys.stdout.flush()


def channels_of(fields):
    return [unquote_to_bytes(field) for field in fields[1:]]


def main():
    # Read by its descriptor: a buffer of Python's would keep what the event loop is to read.
    hello = b""
    while not hello.endswith(b"\n"):
        hello += os.read(0, 1) or sys.exit(0)
    _, version, settings = hello.decode().split(" ", 2)
    if version != "1":
        sys.exit(f"only version 1 of the protocol is spoken here, not {version}")
    kind = AsyncContender if "--asyncio" in sys.argv else Contender
    settings = loads(settings)
    recommended = "--recommended" in sys.argv
    ready = f"ready redis-py {redis.__version__} {kind.ABILITIES}\n"
    if kind is AsyncContender:
        asyncio.run(take_part(settings, recommended, ready))
        return
    contender = Contender(settings, recommended)
    say(ready)
    for line in sys.stdin:
        word, *fields = line.rstrip("\n").split(" ")
        if word == "stop":
            break
        if word == "call":
            contender.calls.put(call_of(line.rstrip("\n")))
        elif word == "subscribe":
            contender.subscribe(fields[0], channels_of(fields))
        elif word == "pause":
            contender.pauses[fields[0]].put(int(fields[1]) / 1000)
    else:
        sys.exit(0)
    contender.lines.put("stats\n")
    contender.lines.put("bye\n")
    contender.lines.put(None)
    contender.writer.join(timeout=2)


async def take_part(settings, recommended, ready):
    contender = AsyncContender(settings, recommended)
    say(ready)
    if await contender.serve():
        say("stats\nbye\n")
    # Tasks that hang are left behind.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
