"""redis-py: as it comes, with what its documentation recommends for production, and under asyncio."""

import asyncio
import time

import lines
import redis
import redis.asyncio
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

KINDS = [
    (AuthenticationError, "auth-failed"),
    (BusyLoadingError, "loading"),
    (ReadOnlyError, "read-only"),
    (OutOfMemoryError, "out-of-memory"),
    (NoPermissionError, "permission-denied"),
    (MaxConnectionsError, "pool-exhausted"),
    (TimeoutError, "reply-timeout"),
    (ResponseError, "command-error"),
]


def cause_of(error):
    if said := lines.cause_said(error):
        return said
    return next((cause for kind, cause in KINDS if isinstance(error, kind)), "-")


def surely_not_run(error):
    """Only what the server refused by name, and what never got a connection. After any other error redis-py's caller
    cannot know: an earlier attempt behind the same exception may have been sent."""
    if isinstance(error, (BusyLoadingError, ConnectionError, TimeoutError)):
        return isinstance(error, MaxConnectionsError)
    return isinstance(error, (ResponseError, AuthenticationError))


def failure(error):
    if not isinstance(error, RedisError):
        return lines.Failure(error)
    return lines.Failure(error, sent="no" if surely_not_run(error) else "perhaps", cause=cause_of(error))


def options_of(settings):
    options = redis.connection.parse_url(settings["url"])
    if options.pop("connection_class", None) is redis.SSLConnection:
        options["ssl"] = True
    return options


def recommended(settings):
    seconds = settings["deadline_ms"] / 1000
    return options_of(settings) | {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "socket_keepalive": True,
        "health_check_interval": 30,
        "retry": Retry(ExponentialBackoff(cap=0.25, base=0.01), 3),
        "retry_on_error": [ConnectionError, TimeoutError, BusyLoadingError],
    }


class Subscription:
    """What redis-py tells a subscriber. After a lost connection it subscribes again by itself, and says so by another message
    of type `subscribe` in its place: who heeds it knows that messages may be missing."""

    def __init__(self, number, channels):
        self.number = number
        self.awaited = len(channels)

    def tell(self, message):
        """The line for what `get_message` returned; empty if there is none."""
        if message is None:
            return ""
        if message["type"] == "subscribe":
            if not self.awaited:
                return lines.gap(self.number)
            self.awaited -= 1
            return "" if self.awaited else f"subscribed {self.number}\n"
        if message["type"] != "message":
            return ""
        return lines.message(self.number, message["channel"], message["data"])


class Client:
    """`redis.Redis(host, port)`, as it comes."""

    ABILITIES = "subscribe"

    def __init__(self, settings):
        self.client = redis.Redis(**options_of(settings))

    def run(self, call):
        if call.kind == "cmd":
            return self.client.execute_command(*call.commands[0])
        pipeline = self.client.pipeline(transaction=call.is_transaction)
        for command in call.commands:
            pipeline.execute_command(*command)
        return lines.whole(pipeline.execute(raise_on_error=False), self.failure)

    def failure(self, error):
        return failure(error)

    def listen(self, number, channels, pause, say):
        subscription = Subscription(number, channels)
        pubsub = self.client.pubsub()
        while True:
            try:
                if not pubsub.subscribed:
                    pubsub.subscribe(*channels)
                pause()
                say(subscription.tell(pubsub.get_message(timeout=0.02)))
            except RedisError as error:
                # An error reaches the application, which knows then that messages may be lost.
                say(lines.gap(number, self.failure(error).cause))
                time.sleep(0.02)

    def watch(self, say):
        """redis-py tells of nothing by itself."""

    def farewell(self):
        return "stats\n"


class Recommended(Client):
    def __init__(self, settings):
        self.client = redis.Redis(**recommended(settings))


class Asyncio(Client):
    """`redis.asyncio.Redis`, from the pool that waits for a connection: the other one fails calls while nothing is broken."""

    ABILITIES = "cancel subscribe"

    def __init__(self, settings):
        pool = redis.asyncio.BlockingConnectionPool(
            max_connections=settings["workers"],
            timeout=settings["deadline_ms"] / 1000,
            **self.options(settings),
        )
        self.client = redis.asyncio.Redis(connection_pool=pool)

    @staticmethod
    def options(settings):
        options = options_of(settings)
        if options.pop("ssl", False):
            options["connection_class"] = redis.asyncio.SSLConnection
        return options

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def run(self, call):
        if call.kind == "cmd":
            return await self.client.execute_command(*call.commands[0])
        async with self.client.pipeline(transaction=call.is_transaction) as pipeline:
            for command in call.commands:
                pipeline.execute_command(*command)
            return lines.whole(await pipeline.execute(raise_on_error=False), self.failure)

    async def listen(self, number, channels, pause, say):
        subscription = Subscription(number, channels)
        pubsub = self.client.pubsub()
        while True:
            try:
                if not pubsub.subscribed:
                    await pubsub.subscribe(*channels)
                await pause()
                say(subscription.tell(await pubsub.get_message(timeout=0.02)))
            except RedisError as error:
                say(lines.gap(number, self.failure(error).cause))
                await asyncio.sleep(0.02)
