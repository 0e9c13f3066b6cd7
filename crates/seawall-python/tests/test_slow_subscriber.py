"""A subscriber that does not keep up, until the server closes its connection: the error says so."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
import seawall
from seawall import errors

LIMIT = ("--client-output-buffer-limit", "pubsub 1mb 0 0")


def flood(admin: Any) -> None:
    """Publishes until the server no longer wants to hold it for its only subscriber."""
    give_up = time.monotonic() + 30
    while admin.publish("news", b"x" * 65536) and time.monotonic() < give_up:
        pass
    # What is slow takes its time.
    time.sleep(0.3)


def test_a_subscriber_from_a_thread(make_server):
    server = make_server(*LIMIT)
    with seawall.Redis.from_url(server.url) as client, client.pubsub() as pubsub:
        pubsub.subscribe("news")
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"
        flood(server.admin())
        connection = pubsub.connection
        with pytest.raises(errors.ConnectionError) as raised:
            while True:
                connection.read_response()
        assert raised.value.cause == "subscriber-slow"


def test_a_subscriber_in_a_task(make_server):
    server = make_server(*LIMIT)

    async def listen() -> None:
        async with seawall.asyncio.Redis.from_url(server.url) as client, client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            assert (await pubsub.get_message(timeout=5))["type"] == "subscribe"
            await asyncio.to_thread(flood, server.admin())
            connection = pubsub.connection
            with pytest.raises(errors.ConnectionError) as raised:
                while True:
                    await connection.read_response()
            assert raised.value.cause == "subscriber-slow"

    asyncio.run(listen())


def test_one_that_is_killed_while_it_keeps_up_is_not_slow(make_server):
    server = make_server(*LIMIT)
    admin = server.admin()
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.002):
            admin.publish("news", b"x" * 1000)

    publisher = threading.Thread(target=publish)
    with seawall.Redis.from_url(server.url) as client, client.pubsub() as pubsub:
        pubsub.subscribe("news")
        publisher.start()
        try:
            for _ in range(50):
                pubsub.get_message(timeout=5)
            server.admin().client_kill_filter(_type="pubsub")
            connection = pubsub.connection
            with pytest.raises(errors.ConnectionError) as raised:
                while True:
                    connection.read_response()
            assert raised.value.cause in ("closed-by-server", "closed-mid-reply", "connection-reset")
        finally:
            stop.set()
            publisher.join()
