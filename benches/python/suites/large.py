"""Values of 1 MB, read and written, beside redis-py and GLIDE."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import peers
from ground import Ground
from measure import Contender, Pace, compare
from report import Table, Unit

PACE = Pace(turn=0.15, rounds=20, step=10)
KEY = "bench:large"
VALUE = bytes(range(256)) * 4000


def run(ground: Ground, scale: float) -> Iterator[Table]:
    theirs, ours, glide = peers.redis_py(ground), peers.ours(ground), peers.glide_py(ground)
    theirs.set(KEY, VALUE)
    clients = {peers.REDIS_PY: theirs, peers.OURS: ours, peers.GLIDE: glide}
    if any(client.get(KEY) != VALUE for client in clients.values()):
        raise RuntimeError("a contender does not read what is there")

    def reading(client: Any) -> Callable[[], Any]:
        return lambda: client.get(KEY)

    def writing(client: Any) -> Callable[[], Any]:
        return lambda: client.set(KEY, VALUE)

    for title, make in (("GET of 1 MB", reading), ("SET of 1 MB", writing)):
        contenders = [Contender.repeating(name, make(client)) for name, client in clients.items()]
        for _, words in ground.placements():
            measured = compare(contenders, PACE.scaled(scale), ground.server_time)
            yield Table(title, words, Unit.US, measured).as_fast(peers.OURS, peers.REDIS_PY, 1.2)
    glide.close()
    yield from by_a_task(ground, scale)


def by_a_task(ground: Ground, scale: float) -> Iterator[Table]:
    loop = asyncio.new_event_loop()
    theirs, ours = peers.redis_asyncio(ground), peers.ours_asyncio(ground)

    def reading(client: Any) -> Callable[[], Any]:
        async def call() -> Any:
            return await client.get(KEY)

        return lambda: loop.run_until_complete(call())

    contenders = [
        Contender.repeating(peers.REDIS_ASYNCIO, reading(theirs)),
        Contender.repeating(peers.OURS_ASYNC, reading(ours)),
    ]
    for _, words in ground.placements():
        measured = compare(contenders, PACE.scaled(scale), ground.server_time)
        table = Table("GET of 1 MB on asyncio", words, Unit.US, measured)
        yield table.as_fast(peers.OURS_ASYNC, peers.REDIS_ASYNCIO, 1.2)
    loop.run_until_complete(theirs.aclose())
    loop.run_until_complete(ours.aclose())
    loop.close()
