"""Django Channels: WebSockets in this process, with a server that is killed and restarted, or frozen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import channels_redis.core
import pytest
from asgiref.testing import ApplicationCommunicator
from channels.utils import await_many_dispatch

import seawall
from apps_support import joins
from seawall.contrib.channels import RedisChannelLayer, RedisPubSubChannelLayer

LAYERS = [RedisChannelLayer, RedisPubSubChannelLayer]


class Visitor(ApplicationCommunicator):
    """A visitor's WebSocket, its consumer in the group `room`: what is said there, all hear."""

    def __init__(self, layer: Any) -> None:
        super().__init__(self.consumer, {"type": "websocket", "path": "/"})
        self.layer = layer

    async def consumer(self, scope: Any, receive: Any, send: Any) -> None:
        # As channels.consumer.AsyncConsumer does, without Django's settings.
        name = await self.layer.new_channel()
        await self.layer.group_add("room", name)

        async def dispatch(message: dict[str, Any]) -> None:
            if message["type"] == "said":
                await send({"type": "websocket.send", "text": message["text"]})
            elif message["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})

        await await_many_dispatch([receive, lambda: self.layer.receive(name)], dispatch)

    async def connect(self) -> None:
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(30))["type"] == "websocket.accept"

    async def hears(self) -> str:
        # An error of the consumer's would end the WebSocket, and is raised here.
        return str((await self.receive_output(30))["text"])


@contextlib.asynccontextmanager
async def visitors(layer: Any, count: int) -> AsyncIterator[list[Visitor]]:
    made = [Visitor(layer) for _ in range(count)]
    try:
        for visitor in made:
            await visitor.connect()
        yield made
    finally:
        for visitor in made:
            visitor.stop(exceptions=False)
        await asyncio.sleep(0.05)
        with contextlib.suppress(Exception):
            await layer.flush()


async def heard_by_all(layer: Any, made: list[Visitor], text: str) -> None:
    """Sends until Redis takes it, then every visitor hears it; earlier ones that were in doubt may come before."""
    for _ in range(600):
        try:
            await layer.group_send("room", {"type": "said", "text": text})
            break
        except seawall.errors.SeawallError:
            await asyncio.sleep(0.05)
    else:
        raise AssertionError("nothing could be sent for 30 s")
    for visitor in made:
        while await visitor.hears() != text:
            pass


@joins("Channels", "restart")
@pytest.mark.parametrize("kind", LAYERS)
async def test_websockets_stay_and_hear_again_after_the_server_was_killed_and_restarted(
    kind: Any, make_server: Any
) -> None:
    server = make_server(save=True)
    layer = kind(hosts=[server.url])
    async with visitors(layer, 3) as made:
        await heard_by_all(layer, made, "before")
        for turn in range(2):
            server.kill()
            await refused(layer)
            await asyncio.to_thread(server.start)
            # Who listens has to be there again before something is said.
            await listening(kind, server, len(made))
            await heard_by_all(layer, made, f"after {turn}")


async def refused(layer: Any) -> None:
    """What is said into an outage fails with the cause; the first may still find the connection that was killed."""
    causes = []
    for _ in range(100):
        with pytest.raises(seawall.errors.SeawallError) as caught:
            await layer.group_send("room", {"type": "said", "text": "into the outage"})
        causes.append(caught.value.cause)
        if causes[-1] == "connection-refused":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(causes)


async def listening(kind: Any, server: Any, visitors_in_room: int) -> None:
    admin = server.admin()
    for _ in range(600):
        if kind is RedisChannelLayer or len(admin.pubsub_channels()) > visitors_in_room:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the subscriptions have not come back in 30 s")


@joins("Channels", "deadline", "cause")
async def test_a_frozen_server_ends_a_message_at_its_timeout_with_the_cause(server: Any) -> None:
    layer = RedisChannelLayer(hosts=[f"{server.url}?socket_timeout=0.5"])
    async with visitors(layer, 1) as made:
        await heard_by_all(layer, made, "before")
        server.freeze()
        try:
            with pytest.raises(seawall.errors.SeawallError) as caught:
                await asyncio.wait_for(layer.group_send("room", {"type": "said", "text": "frozen"}), 30)
        finally:
            server.thaw()
        assert caught.value.cause in ("server-unresponsive", "reply-timeout", "deadline-exceeded")
        await heard_by_all(layer, made, "after")


@joins("Channels", "mismatch")
async def test_who_waits_hears_its_own_messages_and_goes_on_while_connections_are_killed(server: Any) -> None:
    layer = RedisChannelLayer(hosts=[server.url], capacity=10_000)
    names = [await layer.new_channel() for _ in range(5)]
    heard: dict[str, list[str]] = {name: [] for name in names}

    async def listen(name: str) -> None:
        while True:
            heard[name].append((await layer.receive(name))["text"])

    listeners = [asyncio.create_task(listen(name)) for name in names]
    admin = server.admin()
    kills = 0
    for number in range(150):
        for name in names:
            with contextlib.suppress(seawall.errors.SeawallError):
                await layer.send(name, {"type": "said", "text": f"{name} {number}"})
        if number % 10 == 0:
            kills += await asyncio.to_thread(admin.client_kill_filter, _type="normal", skipme=True)
    assert kills > 0
    for _ in range(600):
        for name in names:
            if not heard[name] or not heard[name][-1].endswith("last"):
                with contextlib.suppress(seawall.errors.SeawallError):
                    await layer.send(name, {"type": "said", "text": f"{name} last"})
        if all(heard[name] and heard[name][-1].endswith("last") for name in names):
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("somebody hears no more")
    for listener in listeners:
        assert not listener.done()
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    for name in names:
        assert all(text.startswith(name) for text in heard[name])
    await layer.flush()


async def test_the_layers_are_channels_rediss_own_on_our_pools(server: Any) -> None:
    layer = RedisChannelLayer(hosts=[server.url, {"address": server.url}, ("127.0.0.1", server.port)])
    assert isinstance(layer, channels_redis.core.RedisChannelLayer)
    for index in range(3):
        assert isinstance(layer.create_pool(index), seawall.asyncio.ConnectionPool)
    pubsub = RedisPubSubChannelLayer(hosts=[server.url])
    name = await pubsub.new_channel()
    await pubsub.send(name, {"type": "said"})
    assert await asyncio.wait_for(pubsub.receive(name), 30) == {"type": "said"}
    [shard] = pubsub._get_layer()._shards
    assert isinstance(shard._redis, seawall.asyncio.Redis)
    await pubsub.flush()
    await layer.flush()
