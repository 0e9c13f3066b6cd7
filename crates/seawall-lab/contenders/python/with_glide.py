"""Valkey GLIDE, from threads and under asyncio. Blocking commands have a client of their own, as its documentation asks for,
and so has each subscription: GLIDE has one connection a client, and all share it.
"""

import asyncio
import concurrent.futures
import contextlib
import importlib
import queue
import threading
from urllib.parse import parse_qs, urlsplit

import lines

#: Seconds.
CREATION = 3


def configuration(glide, settings, **more):
    url = urlsplit(settings["url"])
    tls = None
    if url.scheme == "rediss":
        with open(parse_qs(url.query)["ssl_ca_certs"][0], "rb") as file:
            tls = glide.TlsAdvancedConfiguration(root_pem_cacerts=file.read())
    advanced = glide.AdvancedGlideClientConfiguration(connection_timeout=settings["deadline_ms"], tls_config=tls)
    credentials = glide.ServerCredentials(password=url.password) if url.password else None
    return glide.GlideClientConfiguration(
        [glide.NodeAddress(url.hostname, url.port)],
        use_tls=url.scheme == "rediss",
        credentials=credentials,
        request_timeout=settings["deadline_ms"],
        advanced_config=advanced,
        **more,
    )


def failure(error):
    """It says "timed out" of what was sent and of what was not. Only what the server refused by name surely did not run."""
    words = str(error)
    cause = lines.cause_said(error)
    kind = type(error).__name__
    if cause is None and kind == "TimeoutError":
        cause = "reply-timeout"
    refused_by_name = kind == "RequestError" and cause in ("save-failed", "read-only", "no-replicas", "loading", "auth-failed")
    opened = kind == "CircuitBreakerError"
    return lines.Failure(words, "no" if refused_by_name or opened else "perhaps", cause or "-", "yes" if opened else "no")


def batch_of(glide, call):
    batch = glide.Batch(is_atomic=call.is_transaction)
    for command in call.commands:
        batch.custom_command(command)
    return batch


class Client:
    ABILITIES = "subscribe"

    def __init__(self, settings):
        self.glide = importlib.import_module("glide_sync")
        self.glide.Logger.set_logger_config(self.glide.LogLevel.OFF)
        self.settings = settings
        with concurrent.futures.ThreadPoolExecutor(2) as both:
            self.client, self.blocking = both.map(lambda _: self.create(), range(2))

    def create(self):
        """Connected, if that can be had in a few seconds; else one that connects with its first command."""
        made = queue.SimpleQueue()

        def make():
            try:
                made.put(self.glide.GlideClient.create(configuration(self.glide, self.settings)))
            except self.glide.GlideError:
                made.put(None)

        threading.Thread(target=make, daemon=True).start()
        client = None
        with contextlib.suppress(queue.Empty):
            client = made.get(timeout=CREATION)
        return client or self.glide.GlideClient.create(configuration(self.glide, self.settings, lazy_connect=True))

    def run(self, call):
        if call.kind == "cmd":
            command = call.commands[0]
            client = self.blocking if command[0] == "BLPOP" else self.client
            return client.custom_command(command)
        return lines.whole(self.client.exec(batch_of(self.glide, call), raise_on_error=False), self.failure)

    def failure(self, error):
        return failure(error)

    def listen(self, number, channels, pause, say):
        client = self.create()
        client.subscribe({channel.decode() for channel in channels}, timeout_ms=5000)
        say(f"subscribed {number}\n")
        while True:
            pause()
            message = client.get_pubsub_message()
            say(lines.message(number, message.channel, message.message))

    def watch(self, say):
        """It tells of nothing by itself."""

    def farewell(self):
        return "stats\n"


class Asyncio(Client):
    ABILITIES = "cancel subscribe"

    def __init__(self, settings):
        self.glide = importlib.import_module("glide")
        self.glide.Logger.set_logger_config(self.glide.LogLevel.OFF)
        self.settings = settings

    async def __aenter__(self):
        self.client, self.blocking = await asyncio.gather(self.create(), self.create())
        return self

    async def __aexit__(self, *_):
        pass

    async def create(self):
        make = self.glide.GlideClient.create(configuration(self.glide, self.settings))
        try:
            return await asyncio.wait_for(make, CREATION)
        except (self.glide.GlideError, TimeoutError, asyncio.TimeoutError):
            return await self.glide.GlideClient.create(configuration(self.glide, self.settings, lazy_connect=True))

    async def run(self, call):
        if call.kind == "cmd":
            command = call.commands[0]
            client = self.blocking if command[0] == "BLPOP" else self.client
            return await client.custom_command(command)
        return lines.whole(await self.client.exec(batch_of(self.glide, call), raise_on_error=False), self.failure)

    async def listen(self, number, channels, pause, say):
        client = await self.create()
        await client.subscribe({channel.decode() for channel in channels}, timeout_ms=5000)
        say(f"subscribed {number}\n")
        while True:
            await pause()
            message = await client.get_pubsub_message()
            say(lines.message(number, message.channel, message.message))
