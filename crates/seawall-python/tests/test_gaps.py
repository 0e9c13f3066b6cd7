"""What a subscription missed while it had no connection is told to the application, in its place among the messages."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import pytest
import redis
from real_servers import Server

import seawall
import seawall.asyncio


def publish(server: Server, channel: str, word: str) -> None:
    """Until somebody is there to hear it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            with server.admin() as admin:
                if admin.publish(channel, word):
                    return
        except redis.ConnectionError:
            pass
        time.sleep(0.02)
    raise AssertionError("nobody subscribed again")


def is_subscribed(server: Server) -> bool:
    with server.admin() as admin:
        return admin.pubsub_numsub("news")[0][1] > 0 and admin.pubsub_numpat() > 0


def break_it(server: Server) -> None:
    """Kills the server between two messages, and starts it after more than the ride-out."""
    publish(server, "news", "before")
    with server.admin() as admin:
        # A server may answer who publishes before it writes to who listens; not the next command, though.
        admin.ping()
    server.kill()
    time.sleep(0.8)
    server.start()
    until = time.monotonic() + 20
    while not is_subscribed(server) and time.monotonic() < until:
        time.sleep(0.02)
    publish(server, "news", "after")
    publish(server, "sport.a", "last")


def check(heard: list[Any], gaps: list[seawall.Gap], port: int) -> None:
    assert heard == ["before", "gap", "after", "last"], "in its place"
    (gap,) = gaps
    assert gap.number == 1 and 0.3 < gap.lasted < 20 and abs(time.time() - gap.at) < 60
    assert gap.cause, "why the connection was lost"


@pytest.fixture
def told():
    events: list[seawall.Event] = []
    seawall.on_event(events.append, names="subscription.gap")
    yield events
    seawall.off_event(events.append)


def check_event(told: list[seawall.Event], port: int, gap: seawall.Gap) -> None:
    until = time.monotonic() + 10
    while not told and time.monotonic() < until:
        time.sleep(0.01)
    (event,) = told
    assert (event.endpoint, event.cause, event.facts["number"]) == (f"127.0.0.1:{port}", gap.cause, 1)
    assert "news" not in str(event)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_gap_is_told_in_its_place_among_the_messages_of_a_thread(server, protocol: int, told) -> None:
    client = seawall.Redis(host="127.0.0.1", port=server.port, protocol=protocol, decode_responses=True)
    gaps: list[seawall.Gap] = []
    subscription = client.pubsub(on_gap=gaps.append, gap_messages=True, ignore_subscribe_messages=True)
    subscription.subscribe("news")
    subscription.psubscribe("sport.*")
    heard: list[Any] = []

    def listen() -> None:
        for message in subscription.listen():
            heard.append("gap" if message["type"] == "gap" else message["data"])
            if message["type"] == "gap":
                assert message["data"] is gaps[-1]
                assert is_subscribed(server), "what is read now misses nothing that comes after"
            if heard[-1] == "last":
                return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    while not is_subscribed(server):
        time.sleep(0.02)
    break_it(server)
    listener.join(20)
    check(heard, gaps, server.port)
    assert subscription.gaps == 1
    check_event(told, server.port, gaps[0])


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_gap_is_told_in_its_place_among_the_messages_of_a_task(server, protocol: int, told) -> None:
    gaps: list[seawall.Gap] = []

    async def main() -> list[Any]:
        heard: list[Any] = []

        async def filled(gap: seawall.Gap) -> None:
            await asyncio.sleep(0)
            gaps.append(gap)

        client = seawall.asyncio.Redis(host="127.0.0.1", port=server.port, protocol=protocol, decode_responses=True)
        async with client, client.pubsub(on_gap=filled, gap_messages=True, ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe("news")
            await subscription.psubscribe("sport.*")
            breaking = asyncio.get_running_loop().run_in_executor(None, break_it, server)
            async for message in subscription.listen():
                heard.append("gap" if message["type"] == "gap" else message["data"])
                if heard[-1] == "last":
                    break
            await breaking
            assert subscription.gaps == 1
        return heard

    check(asyncio.run(asyncio.wait_for(main(), 60)), gaps, server.port)
    check_event(told, server.port, gaps[0])


def test_who_does_not_ask_for_gaps_sees_what_redis_py_shows(server) -> None:
    subscription = seawall.Redis(port=server.port).pubsub()
    subscription.subscribe("news")
    assert subscription.get_message(timeout=5)["type"] == "subscribe"
    with server.admin() as admin:
        admin.client_kill_filter(_type="pubsub")
    assert subscription.get_message(timeout=5)["type"] == "subscribe"
    assert subscription.gaps == 1 and subscription.get_message(timeout=0.05) is None


def test_redis_pys_own_loop_tolerates_gaps(server) -> None:
    heard: list[Any] = []
    gaps: list[seawall.Gap] = []
    subscription = seawall.Redis(port=server.port).pubsub(on_gap=gaps.append, gap_messages=True)
    subscription.subscribe(news=heard.append)
    worker = subscription.run_in_thread(sleep_time=0.05, daemon=True)
    publish(server, "news", "one")
    with server.admin() as admin:
        admin.client_kill_filter(_type="pubsub")
    publish(server, "news", "two")
    until = time.monotonic() + 10
    while len(heard) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    worker.stop()
    worker.join(10)
    assert [message["data"] for message in heard] == [b"one", b"two"] and len(gaps) == 1


def test_what_cannot_be_called_or_awaited_is_refused(server) -> None:
    async def filled(gap: seawall.Gap) -> None: ...

    client = seawall.Redis(port=server.port)
    with pytest.raises(TypeError, match="on_gap must be callable"):
        client.pubsub(on_gap=3)
    with pytest.raises(TypeError, match="coroutine function"):
        client.pubsub(on_gap=filled)


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_the_arguments_are_taken_with_seawall_switched_off_too(server, mode: str) -> None:
    program = """
        import sys, redis, seawall
        gaps = []
        subscription = seawall.Redis(port=int(sys.argv[1])).pubsub(on_gap=gaps.append)
        subscription.subscribe("news")
        assert subscription.get_message(timeout=5)["type"] == "subscribe"
        redis.Redis(port=int(sys.argv[1])).client_kill_filter(_type="pubsub")
        assert subscription.get_message(timeout=5)["type"] == "subscribe"
        assert len(gaps) == subscription.gaps == 1
    """
    outcome = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(server.port)],
        env={**os.environ, "SEAWALL": mode}, capture_output=True, text=True, timeout=60,
    )
    assert outcome.returncode == 0, outcome.stderr
