"""Messages of 16 bytes to one subscriber: as fast as they are published, and 50,000 a second without loss."""

from __future__ import annotations

import asyncio
import pathlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import peers
from ground import Ground
from measure import Contender, Pace, compare
from report import Table, Unit

PACE = Pace(turn=0.2, rounds=12, step=1000)
RATE, SECONDS = 50_000, 5
WAIT = 30.0


class Publisher:
    """A process that publishes on one channel; it runs on the server's core."""

    def __init__(self, ground: Ground, channel: str) -> None:
        script = pathlib.Path(__file__).parent.parent / "publisher.py"
        self._next = 0
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(ground.port), channel],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def order(self, count: int, rate: int = 0) -> range:
        """Has it begin; the numbers of the messages that come."""
        first, self._next = self._next, self._next + count
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count} {rate} {first}\n")
        self._process.stdin.flush()
        return range(first, self._next)

    def report(self) -> tuple[int, float]:
        """How many messages the server gave to a subscriber, and how long that took."""
        assert self._process.stdout is not None
        got, took = self._process.stdout.readline().split()
        return int(got), float(took)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def expect(numbers: range) -> Callable[[bytes], bool]:
    """Takes one message after the other: whether that was the last. Each must be the next one."""
    upcoming = iter(numbers)
    last = numbers[-1]

    def take(data: bytes) -> bool:
        number, wanted = int(data), next(upcoming)
        if number != wanted:
            raise RuntimeError(f"message {wanted} is missing: {number} came")
        return number == last

    return take


def confirmed(name: str, message: Any) -> None:
    """What is published from here on comes to this subscriber."""
    if message is None or message["type"] != "subscribe":
        raise RuntimeError(f"{name} was not told that it is subscribed, but {message}")


def run(ground: Ground, scale: float) -> Iterator[Table]:
    yield from blocking(ground, scale)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield from by_a_task(ground, scale, loop)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def blocking(ground: Ground, scale: float) -> Iterator[Table]:
    publishers, contenders = [], []
    # A client of redis-py's that is dropped closes its subscribers' connections.
    clients = {peers.REDIS_PY: peers.redis_py(ground), peers.OURS: peers.ours(ground)}
    for name, client in clients.items():
        publisher = Publisher(ground, f"sync:{name}")
        subscriber = client.pubsub()
        subscriber.subscribe(f"sync:{name}")
        confirmed(name, subscriber.get_message(timeout=5))

        def receive(count: int, publisher: Publisher = publisher, subscriber: Any = subscriber) -> None:
            take = expect(publisher.order(count))
            for message in subscriber.listen():
                if take(message["data"]):
                    break
            publisher.report()

        publishers.append(publisher)
        contenders.append(Contender(name, receive))
    for _, words in placements(ground, publishers):
        measured = compare(contenders, PACE.scaled(scale), ground.server_time)
        yield Table("Messages to one subscriber that blocks, as fast as they come", words, Unit.US, measured)
    for publisher in publishers:
        publisher.close()


def placements(ground: Ground, publishers: list[Publisher]) -> Iterator[tuple[Any, str]]:
    for placement, words in ground.placements():
        for publisher in publishers:
            ground.place_beside_server(publisher.pid)
        yield placement, words


def by_a_task(ground: Ground, scale: float, loop: asyncio.AbstractEventLoop) -> Iterator[Table]:
    listeners: dict[str, tuple[Publisher, Callable[[range], Awaitable[None]]]] = {}
    for name, make in (
        (peers.REDIS_ASYNCIO, of_redis_py(peers.redis_asyncio(ground))),
        (peers.OURS_ASYNC, of_redis_py(peers.ours_asyncio(ground))),
        (peers.GLIDE, of_glide(ground)),
    ):
        channel = f"asyncio:{name}"
        listeners[name] = Publisher(ground, channel), loop.run_until_complete(make(channel))
    contenders = []
    for name, (publisher, listen) in listeners.items():

        def receive(count: int, publisher: Publisher = publisher, listen: Any = listen) -> None:
            loop.run_until_complete(listen(publisher.order(count)))
            publisher.report()

        contenders.append(Contender(name, receive))
    publishers = [publisher for publisher, _ in listeners.values()]
    for placement, words in placements(ground, publishers):
        measured = compare(contenders, PACE.scaled(scale), ground.server_time)
        yield Table("Messages to one subscriber on asyncio, as fast as they come", words, Unit.US, measured)
    # What was promised: at a given rate, and nothing is lost. Client and server have a core each here, if there are two.
    yield paced(listeners, loop, words, max(1.0, SECONDS * min(1.0, scale)))
    for publisher in publishers:
        publisher.close()


def of_redis_py(client: Any) -> Callable[[str], Awaitable[Callable[[range], Awaitable[None]]]]:
    async def make(channel: str) -> Callable[[range], Awaitable[None]]:
        subscriber = client.pubsub()
        await subscriber.subscribe(channel)
        confirmed(channel, await subscriber.get_message(timeout=5))

        async def listen(numbers: range) -> None:
            take = expect(numbers)
            async for message in subscriber.listen():
                if take(message["data"]):
                    break

        return listen

    return make


def of_glide(ground: Ground) -> Callable[[str], Awaitable[Callable[[range], Awaitable[None]]]]:
    async def make(channel: str) -> Callable[[range], Awaitable[None]]:
        config = peers.glide.GlideClientConfiguration
        modes = config.PubSubChannelModes
        client = await peers.glide_asyncio(
            ground, pubsub_subscriptions=config.PubSubSubscriptions({modes.Exact: {channel}}, None, None)
        )
        await asyncio.sleep(0.5)

        async def listen(numbers: range) -> None:
            take = expect(numbers)
            while not take((await client.get_pubsub_message()).message):
                pass

        return listen

    return make


def paced(
    listeners: dict[str, tuple[Publisher, Callable[[range], Awaitable[None]]]],
    loop: asyncio.AbstractEventLoop,
    words: str,
    seconds: float,
) -> Table:
    table = Table(f"{RATE} messages a second for {seconds:.0f} s to one subscriber on asyncio", words, Unit.US, [])
    for name, (publisher, listen) in listeners.items():
        count = int(RATE * seconds)
        numbers = publisher.order(count, RATE)
        used, began = time.process_time(), time.monotonic()
        lost = None
        try:
            loop.run_until_complete(asyncio.wait_for(listen(numbers), WAIT))
        except (RuntimeError, asyncio.TimeoutError) as error:
            lost = str(error) or f"not all had come after {WAIT:.0f} s"
        took, used = time.monotonic() - began, time.process_time() - used
        got, published_in = publisher.report()
        behind = took - published_in
        table.note(
            f"{name:24} {count / took:>7.0f} a second, the last one {behind * 1e3:>7.1f} ms after it was published, "
            f"{used / took * 100:>3.0f} % of a core; {lost or 'none lost'}"
        )
        if name == peers.OURS_ASYNC:
            kept_up = lost is None and got == count and behind < 0.1 and count / took >= RATE * 0.98
            text = f"{name} took {count / took:.0f} messages a second, {lost or 'none lost'}"
            table.state(text, f"{RATE}", count / took, kept_up)
    return table
