"""A subscription outlives its connection, as redis-py's does, where its user's retry policy allows it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
import redis
from asyncio_world import Relay
from real_servers import Server
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from sync_world import Path

import seawall
import seawall.asyncio


#: What is said where it is not tried again.
LOST = (
    r"(?s)^the subscription was lost: the server closed the connection, .*caused by: .*"
    r"\n  messages are missed from then on until it is subscribed again; the next read sees to that\n  hint: "
)


def cut_off_subscribers(server: Server) -> None:
    admin = server.admin()
    for client in admin.client_list(_type="pubsub"):
        admin.client_kill_filter(_id=client["id"])
    admin.close()


def publish_until_heard(server: Server, word: str) -> None:
    """Publishes until somebody is there to hear it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if server.admin().publish("news", word):
                return
        except redis.ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError("nobody subscribed again")


def restart(server: Server) -> None:
    server.kill()
    # Longer than the ride-out, shorter than what redis-py's own policy waits.
    time.sleep(1.2)
    server.start()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("harm", [cut_off_subscribers, restart])
def test_a_listener_goes_on_after_its_connection(server: Server, protocol: int, harm) -> None:
    subscription = seawall.Redis(port=server.port, protocol=protocol).pubsub(ignore_subscribe_messages=True)
    subscription.subscribe("news")
    heard: list[bytes] = []

    def listen() -> None:
        for message in subscription.listen():
            heard.append(message["data"])
            if message["data"] == b"last":
                return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    publish_until_heard(server, "first")
    # A server that is killed right after it has told the publisher may not have told the subscriber.
    until = time.monotonic() + 20
    while not heard and time.monotonic() < until:
        time.sleep(0.01)
    harm(server)
    publish_until_heard(server, "last")
    listener.join(20)
    assert heard == [b"first", b"last"]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("harm", [cut_off_subscribers, restart])
def test_an_asyncio_listener_goes_on_after_its_connection(server: Server, protocol: int, harm) -> None:
    async def main() -> list[bytes]:
        async with seawall.asyncio.Redis(port=server.port, protocol=protocol) as client:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe("news")
                heard: list[bytes] = []

                async def listen() -> None:
                    async for message in subscription.listen():
                        heard.append(message["data"])
                        if message["data"] == b"last":
                            return

                listener = asyncio.create_task(listen())
                await asyncio.to_thread(publish_until_heard, server, "first")
                await asyncio.to_thread(harm, server)
                await asyncio.to_thread(publish_until_heard, server, "last")
                await asyncio.wait_for(listener, 20)
                return heard

    assert asyncio.run(main()) == [b"first", b"last"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_who_wants_no_retries_is_told_that_messages_may_be_missing(server: Server, protocol: int) -> None:
    client = seawall.Redis(port=server.port, protocol=protocol, retry=Retry(NoBackoff(), 0))
    subscription = client.pubsub(ignore_subscribe_messages=True)
    subscription.subscribe("news")
    subscription.get_message(timeout=1)
    cut_off_subscribers(server)
    with pytest.raises(redis.ConnectionError, match=LOST):
        subscription.get_message(timeout=5)
    # As the error says.
    subscription.get_message(timeout=1)
    publish_until_heard(server, "again")
    message = subscription.get_message(timeout=5)
    assert message is not None and message["data"] == b"again"


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_same_holds_under_asyncio(server: Server, protocol: int) -> None:
    async def main() -> None:
        retry = AsyncRetry(NoBackoff(), 0)
        async with seawall.asyncio.Redis(port=server.port, protocol=protocol, retry=retry) as client:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe("news")
                await subscription.get_message(timeout=1)
                cut_off_subscribers(server)
                with pytest.raises(redis.ConnectionError, match=LOST):
                    await subscription.get_message(timeout=5)

    asyncio.run(main())


#: Ways to a client. redis-py has a default policy in the first alone; that of a URL, or on a pool, has none.
WAYS = {
    "arguments": lambda kind, pool, server, **more: kind(port=server.port, **more),
    "url": lambda kind, pool, server, **more: kind.from_url(server.url, **more),
    "pool": lambda kind, pool, server, **more: kind(connection_pool=pool(port=server.port, **more)),
    "pool of a url": lambda kind, pool, server, **more: kind(connection_pool=pool.from_url(server.url, **more)),
}


def client_of(way: str, server: Server, **more: Any) -> seawall.Redis:
    return WAYS[way](seawall.Redis, seawall.ConnectionPool, server, **more)


def task_client_of(way: str, server: Server, **more: Any) -> seawall.asyncio.Redis:
    return WAYS[way](seawall.asyncio.Redis, seawall.asyncio.ConnectionPool, server, **more)


@pytest.mark.parametrize("harm", [cut_off_subscribers, restart])
@pytest.mark.parametrize("way", WAYS)
def test_it_goes_on_however_its_client_was_made(server: Server, way: str, harm) -> None:
    client = client_of(way, server)
    gaps: list[seawall.Gap] = []
    with client.pubsub(on_gap=gaps.append, gap_messages=True) as subscription:
        subscription.subscribe("news")
        assert subscription.get_message(timeout=20)["type"] == "subscribe"
        harm(server)
        assert next(subscription.listen())["type"] == "gap"
        server.admin().publish("news", "after")
        assert subscription.get_message(timeout=20)["data"] == b"after"
        assert subscription.gaps == len(gaps) == 1
    client.connection_pool.disconnect()


@pytest.mark.parametrize("harm", [cut_off_subscribers, restart])
@pytest.mark.parametrize("way", WAYS)
def test_under_asyncio_it_goes_on_too(server: Server, way: str, harm) -> None:
    async def main() -> None:
        client = task_client_of(way, server)
        gaps: list[seawall.Gap] = []
        async with client.pubsub(on_gap=gaps.append, gap_messages=True) as subscription:
            await subscription.subscribe("news")
            assert (await subscription.get_message(timeout=20))["type"] == "subscribe"
            harm(server)
            assert (await subscription.get_message(timeout=None))["type"] == "gap"
            server.admin().publish("news", "after")
            assert (await subscription.get_message(timeout=20))["data"] == b"after"
            assert subscription.gaps == len(gaps) == 1
        await client.connection_pool.disconnect()

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("way", ["arguments", "url"])
def test_it_goes_on_after_it_waited_for_messages_longer_than_a_call_may_take(server: Server, way: str) -> None:
    client = client_of(way, server, socket_timeout=0.5)
    with client.pubsub() as subscription:
        subscription.subscribe("news")
        assert subscription.get_message(timeout=20)["type"] == "subscribe"
        cut = threading.Timer(1.2, cut_off_subscribers, [server])
        cut.start()
        assert next(subscription.listen())["type"] == "subscribe"
        cut.join()
        assert subscription.gaps == 1
    client.connection_pool.disconnect()


@pytest.mark.parametrize("way", ["arguments", "url"])
def test_under_asyncio_it_does_so_too(server: Server, way: str) -> None:
    async def main() -> None:
        client = task_client_of(way, server, socket_timeout=0.5)
        async with client.pubsub() as subscription:
            await subscription.subscribe("news")
            assert (await subscription.get_message(timeout=20))["type"] == "subscribe"
            cut = threading.Timer(1.2, cut_off_subscribers, [server])
            cut.start()
            assert (await subscription.get_message(timeout=None))["type"] == "subscribe"
            await asyncio.to_thread(cut.join)
            assert subscription.gaps == 1
        await client.connection_pool.disconnect()

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("way", WAYS)
def test_a_users_own_policy_counts_however_the_client_was_made(server: Server, way: str) -> None:
    client = client_of(way, server, retry=Retry(NoBackoff(), 0))
    with client.pubsub() as subscription:
        subscription.subscribe("news")
        subscription.get_message(timeout=20)
        cut_off_subscribers(server)
        with pytest.raises(redis.ConnectionError):
            subscription.get_message(timeout=20)
        assert subscription.gaps == 0
    client.connection_pool.disconnect()


@pytest.mark.parametrize("way", WAYS)
def test_under_asyncio_it_counts_too(server: Server, way: str) -> None:
    async def main() -> None:
        client = task_client_of(way, server, retry=AsyncRetry(NoBackoff(), 0))
        async with client.pubsub() as subscription:
            await subscription.subscribe("news")
            await subscription.get_message(timeout=20)
            cut_off_subscribers(server)
            with pytest.raises(redis.ConnectionError):
                await subscription.get_message(timeout=20)
            assert subscription.gaps == 0
        await client.connection_pool.disconnect()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_policy_that_is_set_later_counts_as_well(server: Server) -> None:
    client = seawall.from_url(server.url)
    with client.pubsub() as subscription:
        subscription.subscribe("news")
        subscription.get_message(timeout=20)
        client.set_retry(Retry(NoBackoff(), 0))
        cut_off_subscribers(server)
        with pytest.raises(redis.ConnectionError):
            subscription.get_message(timeout=20)
    client.close()


@pytest.mark.parametrize(
    ("said", "attempts"),
    [({}, 10), ({"retry_on_timeout": False, "retry_on_error": []}, 10), ({"retry": None}, 0), ({"retry_on_timeout": True}, 1)],
)
def test_what_was_said_of_retries_on_a_pool_decides_how_often(server: Server, said: dict[str, Any], attempts: int) -> None:
    pool = seawall.ConnectionPool.from_url(server.url, **said)
    subscription = seawall.Redis(connection_pool=pool).pubsub()
    subscription.subscribe("news")
    connection, lost = subscription.connection, redis.ConnectionError("lost")
    assert [connection._again(lost, attempt, 5.0) is not None for attempt in range(1, 13)].count(True) == attempts
    # Only a subscription of ours has a default.
    subscription.close()
    theirs = redis.Redis(connection_pool=pool).pubsub()
    theirs.subscribe("news")
    assert theirs.connection is connection
    assert (connection._again(lost, 1, 5.0) is not None) == (said.get("retry_on_timeout") is True)
    theirs.close()
    # What comes over the same connection after it must not run twice.
    assert pool.get_connection() is connection
    connection.send_command("BLPOP", "queue", 1)
    connection.disconnect()
    assert connection._again(lost, 1, 5.0) is None
    pool.release(connection)
    pool.disconnect()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("timeout", [None, 20])
def test_one_thread_speaks_on_a_subscription_while_another_listens(
    server: Server, protocol: int, timeout: float | None
) -> None:
    subscription = seawall.Redis(port=server.port, protocol=protocol).pubsub()
    subscription.subscribe("news")
    heard: list[tuple[str, bytes]] = []
    begun = threading.Event()

    def listen() -> None:
        while subscription.subscribed:
            begun.set()
            message = subscription.get_message(timeout=timeout)
            if message is not None:
                heard.append((message["type"], message["channel"]))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    begun.wait(20)
    # It waits for a message now.
    time.sleep(0.2)
    for word in range(100):
        subscription.subscribe(f"more-{word}")
    subscription.ping()
    subscription.unsubscribe()
    listener.join(20)
    assert not listener.is_alive()
    told = [channel for kind, channel in heard if kind == "subscribe"]
    assert told == [b"news", *(f"more-{word}".encode() for word in range(100))]
    assert len([kind for kind, _ in heard if kind == "unsubscribe"]) == 101


def test_a_subscription_that_another_thread_closes_ends_its_listener(server: Server) -> None:
    subscription = seawall.Redis(port=server.port).pubsub()
    subscription.subscribe("news")
    ended = threading.Event()

    def listen() -> None:
        try:
            for _ in subscription.listen():
                pass
        except (redis.ConnectionError, ValueError, RuntimeError, AttributeError):
            pass
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    time.sleep(0.2)
    subscription.close()
    assert ended.wait(20)


def test_what_wants_to_be_called_when_it_connects_is_not_always_a_subscription(server: Server) -> None:
    """A client-side cache does too, and its connections carry what must not run twice."""

    class Cache:
        def connected(self, connection: redis.Connection) -> None:
            pass

    cache = Cache()
    connection = seawall.Connection(port=server.port, retry=Retry(NoBackoff(), 3))
    connection.register_connect_callback(cache.connected)
    connection.connect()
    connection.send_command("INCR", "count")
    connection.disconnect()
    assert connection._again(redis.ConnectionError("lost"), 1, 5.0) is None


def test_a_subscription_that_was_given_its_connection_by_hand_keeps_it(server: Server) -> None:
    # As kombu does: nothing is registered on the connection, and under RESP3 what SUBSCRIBE is owed stays owed.
    pool = seawall.ConnectionPool.from_url(server.url)
    listener = redis.Redis(connection_pool=pool).pubsub()
    listener.connection = taken = pool.get_connection()
    before = taken._sock
    listener.psubscribe("news.*")
    for word in ("first", "second"):
        server.admin().publish("news.today", word)
    heard = [listener.parse_response() for _ in range(3)]
    assert [message[-1] for message in heard] == [1, b"first", b"second"]
    assert listener.connection is taken and taken._sock is before
    pool.disconnect()


def test_what_is_said_after_a_subscription_by_hand_is_sent_once(server: Server) -> None:
    # What a subscriber says may be sent again as its policy has it, for as long as it says nothing else.
    with Path(server.port) as relay:
        client = seawall.Redis.from_url(
            relay.url, protocol=2, single_connection_client=True, retry=Retry(NoBackoff(), 3)
        )
        client.execute_command("SUBSCRIBE", "news")
        client.execute_command("UNSUBSCRIBE", "news")
        relay.lose_reply_to = b"INCR"
        with pytest.raises(seawall.errors.ConnectionError) as caught:
            client.incr("count")
        assert caught.value.may_have_run
        assert relay.lost == 1
        assert server.admin().get("count") == "1"
        client.close()


def test_under_asyncio_it_is_sent_once_too(server: Server) -> None:
    async def main() -> None:
        async with Relay(server.port) as relay:
            client = seawall.asyncio.Redis.from_url(
                relay.url, protocol=2, single_connection_client=True, retry=AsyncRetry(NoBackoff(), 3)
            )
            await client.execute_command("SUBSCRIBE", "news")
            await client.execute_command("UNSUBSCRIBE", "news")
            relay.lose_reply_to = b"INCR"
            with pytest.raises(seawall.errors.ConnectionError) as caught:
                await client.incr("count")
            assert caught.value.may_have_run
            assert relay.lost == 1
            assert server.admin().get("count") == "1"
            await client.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_deadline_around_them_ends_waits_for_messages(server: Server, protocol: int) -> None:
    client = seawall.Redis(port=server.port, protocol=protocol)
    with client.pubsub() as subscription:
        subscription.subscribe("news")
        assert subscription.get_message(timeout=20)["type"] == "subscribe"
        began = time.monotonic()
        with seawall.deadline(0.2):
            assert subscription.get_message(timeout=30) is None
        with seawall.deadline(0.2), pytest.raises(seawall.errors.TimeoutError):
            subscription.parse_response(block=True)
        assert time.monotonic() - began < 20
    client.close()


@pytest.mark.parametrize("protocol", [2, 3])
def test_under_asyncio_it_ends_them_too(server: Server, protocol: int) -> None:
    async def main() -> None:
        async with seawall.asyncio.Redis(port=server.port, protocol=protocol) as client, client.pubsub() as subscription:
            await subscription.subscribe("news")
            assert (await subscription.get_message(timeout=20))["type"] == "subscribe"
            with seawall.deadline(0.2):
                assert await asyncio.wait_for(subscription.get_message(timeout=30), 20) is None
            with seawall.deadline(0.2), pytest.raises(seawall.errors.TimeoutError):
                await asyncio.wait_for(subscription.parse_response(block=True), 20)

    asyncio.run(main())
