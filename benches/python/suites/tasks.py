"""GET of 16 bytes by 1 task and by 50 on asyncio and uvloop, beside redis.asyncio, GLIDE and coredis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import peers
import uvloop
from ground import KEY, VALUE, Ground
from measure import Contender, Pace, compare
from report import Table, Unit

PACE = Pace(turn=0.15, rounds=20)


async def by_tasks(call: Callable[[], Awaitable[object]], tasks: int, calls: int) -> None:
    async def work() -> None:
        for _ in range(calls // tasks):
            await call()

    if tasks == 1:
        return await work()
    await asyncio.gather(*(work() for _ in range(tasks)))


def run(ground: Ground, scale: float) -> Iterator[Table]:
    for name, factory in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
        loop = factory()
        asyncio.set_event_loop(loop)
        try:
            yield from on_loop(ground, scale, name, loop)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            loop.close()


def on_loop(ground: Ground, scale: float, name: str, loop: asyncio.AbstractEventLoop) -> Iterator[Table]:
    theirs, ours, other = peers.redis_asyncio(ground), peers.ours_asyncio(ground), peers.coredis_asyncio(ground)
    glide = loop.run_until_complete(peers.glide_asyncio(ground))
    entered, leave = enter(loop, other)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        peers.REDIS_ASYNCIO: lambda: theirs.get(KEY),
        peers.OURS_ASYNC: lambda: ours.get(KEY),
        peers.GLIDE: lambda: glide.get(KEY),
        peers.COREDIS: lambda: entered.get(KEY),
    }
    for contender, call in calls.items():

        async def once() -> object:
            return await call()

        if loop.run_until_complete(once()) != VALUE:
            raise RuntimeError(f"{contender} does not read what is there")

    for tasks in (1, 50):
        contenders = [
            Contender(
                contender,
                lambda count, call=call: loop.run_until_complete(by_tasks(call, tasks, count)),  # type: ignore[misc]
            )
            for contender, call in calls.items()
        ]
        for contender in contenders:
            contender.run(400)
        for _, words in ground.placements():
            measured = compare(contenders, PACE.scaled(scale), ground.server_time)
            table = Table(f"GET by {tasks} task{'s' * (tasks > 1)} on {name}", words, Unit.US, measured)
            if tasks == 1:
                table.as_fast(peers.OURS_ASYNC, peers.REDIS_ASYNCIO, 2.0)
            else:
                table.as_fast(peers.OURS_ASYNC, peers.REDIS_ASYNCIO, 10.0)
                table.as_fast(peers.OURS_ASYNC, peers.GLIDE, 3.0)
                table.as_fast(peers.OURS_ASYNC, peers.COREDIS, 3.0)
            yield table
    loop.run_until_complete(close(theirs, ours, glide))
    leave()


def enter(loop: asyncio.AbstractEventLoop, client: object) -> tuple[object, Callable[[], None]]:
    """coredis is entered and left by one and the same task."""
    entered: asyncio.Future[object] = loop.create_future()
    done = asyncio.Event()

    async def hold() -> None:
        async with client as inside:  # type: ignore[attr-defined]
            entered.set_result(inside)
            await done.wait()

    task = loop.create_task(hold())
    inside = loop.run_until_complete(entered)

    def leave() -> None:
        done.set()
        loop.run_until_complete(task)

    return inside, leave


async def close(theirs: object, ours: object, glide: object) -> None:
    await theirs.aclose()  # type: ignore[attr-defined]
    await ours.aclose()  # type: ignore[attr-defined]
    await glide.close()  # type: ignore[attr-defined]
