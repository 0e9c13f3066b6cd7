"""coredis, with the timeouts that it does not have by default."""

import coredis
import lines
from coredis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)


def as_it_is(response, **_):
    """It reads simple strings and others alike; no value of the lab's is OK."""
    return "OK" if response == b"OK" else response


class Client:
    ABILITIES = "cancel subscribe"

    def __init__(self, settings):
        seconds = settings["deadline_ms"] / 1000
        self.client = coredis.Redis.from_url(
            settings["url"],
            max_connections=settings["workers"],
            stream_timeout=seconds,
            connect_timeout=seconds,
            pool_timeout=seconds,
        )

    async def __aenter__(self):
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *_):
        pass

    async def run(self, call):
        if call.kind == "cmd":
            name, *words = call.commands[0]
            return await self.client.create_request(name.encode(), *words, callback=as_it_is)
        async with self.client.pipeline(transaction=call.is_transaction, raise_on_error=False) as pipeline:
            for name, *words in call.commands:
                pipeline.create_request(name.encode(), *words, callback=as_it_is)
        return lines.whole(pipeline.results, self.failure)

    def failure(self, error):
        cause = lines.cause_said(error)
        if cause is None and isinstance(error, TimeoutError):
            cause = "reply-timeout"
        if cause is None and isinstance(error, BusyLoadingError):
            cause = "loading"
        if cause is None and isinstance(error, AuthenticationError):
            cause = "auth-failed"
        if cause is None and isinstance(error, ReadOnlyError):
            cause = "read-only"
        if cause is None and isinstance(error, ResponseError):
            cause = "command-error"
        by_name = isinstance(error, ResponseError) and not isinstance(error, ConnectionError)
        return lines.Failure(error, "no" if by_name else "perhaps", cause or "-")

    async def listen(self, number, channels, pause, say):
        awaited = len(channels)
        async with self.client.pubsub(channels=channels) as pubsub:
            while True:
                await pause()
                try:
                    message = await pubsub.get_message(timeout=0.02)
                except RedisError as error:
                    say(lines.gap(number, self.failure(error).cause))
                    continue
                if message is None:
                    continue
                if message["type"] == "message":
                    say(lines.message(number, message["channel"], message["data"]))
                elif message["type"] == "subscribe" and not awaited:
                    # It has subscribed anew, and says so.
                    say(lines.gap(number))
                elif message["type"] == "subscribe":
                    awaited -= 1
                    if not awaited:
                        say(f"subscribed {number}\n")

    def watch(self, say):
        """It tells of nothing by itself."""

    def farewell(self):
        return "stats\n"
