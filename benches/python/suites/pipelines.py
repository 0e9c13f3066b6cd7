"""Pipelines of 100 commands, built, sent and read; beside redis-py and GLIDE."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import glide_sync
import peers
from ground import KEY, VALUE, Ground
from measure import Contender, Pace, compare
from report import Table, Unit

PACE = Pace(turn=0.1, rounds=20, step=10)
LENGTH = 100
WRITTEN = "bench:written"


def reads(pipeline: Any) -> Any:
    for _ in range(LENGTH):
        pipeline.get(KEY)
    return pipeline


def mixed(pipeline: Any) -> Any:
    """What an application writes: a value with its time to live, a counter, a field, a read."""
    for _ in range(LENGTH // 4):
        pipeline.set(WRITTEN, VALUE, ex=60)
        pipeline.incr("bench:counter")
        pipeline.hset("bench:hash", "field", "value")
        pipeline.get(KEY)
    return pipeline


def of_redis_py(client: Any, fill: Callable[[Any], Any], transaction: bool) -> Callable[[], Any]:
    return lambda: fill(client.pipeline(transaction=transaction)).execute()


def of_glide(client: Any, transaction: bool) -> Callable[[], Any]:
    return lambda: client.exec(reads(glide_sync.Batch(transaction)), True)


def run(ground: Ground, scale: float) -> Iterator[Table]:
    theirs, ours, glide = peers.redis_py(ground), peers.ours(ground), peers.glide_py(ground)
    kinds = [
        (f"Pipeline of {LENGTH} GETs", reads, False),
        (f"Pipeline of {LENGTH}: SET EX, INCR, HSET, GET", mixed, False),
        (f"Transaction of {LENGTH} GETs", reads, True),
    ]
    for title, fill, transaction in kinds:
        calls = {
            peers.REDIS_PY: of_redis_py(theirs, fill, transaction),
            peers.OURS: of_redis_py(ours, fill, transaction),
        }
        if fill is reads:
            calls[peers.GLIDE] = of_glide(glide, transaction)
        contenders = [Contender.repeating(name, call) for name, call in calls.items()]
        if {len(call()) for call in calls.values()} != {LENGTH}:
            raise RuntimeError("a contender does not answer every command")
        for _, words in ground.placements():
            measured = compare(contenders, PACE.scaled(scale), ground.server_time)
            yield Table(title, words, Unit.US, measured).as_fast(peers.OURS, peers.REDIS_PY, 3.0)
    glide.close()
    yield from by_a_task(ground, scale)


def by_a_task(ground: Ground, scale: float) -> Iterator[Table]:
    loop = asyncio.new_event_loop()
    theirs, ours = peers.redis_asyncio(ground), peers.ours_asyncio(ground)

    def calling(client: Any) -> Callable[[], Any]:
        async def call() -> Any:
            return await reads(client.pipeline(transaction=False)).execute()

        return lambda: loop.run_until_complete(call())

    contenders = [
        Contender.repeating(peers.REDIS_ASYNCIO, calling(theirs)),
        Contender.repeating(peers.OURS_ASYNC, calling(ours)),
    ]
    for _, words in ground.placements():
        measured = compare(contenders, PACE.scaled(scale), ground.server_time)
        table = Table(f"Pipeline of {LENGTH} GETs on asyncio", words, Unit.US, measured)
        yield table.as_fast(peers.OURS_ASYNC, peers.REDIS_ASYNCIO, 3.0)
    loop.run_until_complete(theirs.aclose())
    loop.run_until_complete(ours.aclose())
    loop.close()
