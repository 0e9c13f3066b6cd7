"""GET by redis-py's own client on our pool, as Django, kombu, RQ and others have it, beside the same on redis-py's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import peers
import redis
import redis.asyncio
from ground import KEY, VALUE, Ground
from measure import Contender, Pace, compare
from report import Table, Unit
from suites.tasks import by_tasks

import seawall

PACE = Pace(turn=0.15, rounds=20)
ON_OURS = "redis-py on our pool"
TASKS = 20


def run(ground: Ground, scale: float) -> Iterator[Table]:
    theirs, ours = peers.redis_py(ground), redis.Redis(connection_pool=seawall.ConnectionPool(host="127.0.0.1", port=ground.port))
    contenders = [
        Contender.repeating(peers.REDIS_PY, lambda: theirs.get(KEY)),
        Contender.repeating(ON_OURS, lambda: ours.get(KEY)),
    ]
    if not ours.get(KEY) == theirs.get(KEY) == VALUE:
        raise RuntimeError("a contender does not read what is there")
    for _, words in ground.placements():
        yield Table("Blocking GET, 1 thread", words, Unit.US, compare(contenders, PACE.scaled(scale), ground.server_time))
    loop = asyncio.new_event_loop()
    try:
        yield from on_loop(ground, scale, loop)
    finally:
        loop.close()


def on_loop(ground: Ground, scale: float, loop: asyncio.AbstractEventLoop) -> Iterator[Table]:
    pool = seawall.asyncio.ConnectionPool(host="127.0.0.1", port=ground.port)
    theirs, ours = peers.redis_asyncio(ground), redis.asyncio.Redis(connection_pool=pool)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        peers.REDIS_ASYNCIO: lambda: theirs.get(KEY),
        ON_OURS: lambda: ours.get(KEY),
    }
    for tasks in (1, TASKS):
        contenders = [
            Contender(name, lambda count, call=call: loop.run_until_complete(by_tasks(call, tasks, count)))  # type: ignore[misc]
            for name, call in calls.items()
        ]
        for contender in contenders:
            contender.run(400)
        for _, words in ground.placements():
            measured = compare(contenders, PACE.scaled(scale), ground.server_time)
            yield Table(f"GET by {tasks} task{'s' * (tasks > 1)} on asyncio", words, Unit.US, measured)
    loop.run_until_complete(theirs.aclose())
    loop.run_until_complete(pool.disconnect())
