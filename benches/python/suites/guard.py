"""A guard around a call that does nothing, beside pybreaker, circuitbreaker, aiobreaker, purgatory, tenacity and stamina."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import aiobreaker
import circuitbreaker
import purgatory
import pybreaker
import seawall
import stamina
import tenacity
from ground import Ground
from measure import Contender, Pace, compare
from report import Table, Unit

PACE = Pace(turn=0.02, rounds=40)

BARE = "the call itself"
GUARD = "seawall.guard"
TIMED = "seawall.guard(slow_after=1)"
RETRY = "seawall.guard(on=..)"
PYBREAKER = "pybreaker"
BOTH = "tenacity around pybreaker"


def nothing() -> int:
    return 1


async def nothing_async() -> int:
    return 1


def contenders() -> dict[str, Callable[[], object]]:
    """A call that goes well, by each of them."""
    breaker = pybreaker.CircuitBreaker()
    retrying = tenacity.retry(retry=tenacity.retry_if_exception_type(ValueError), stop=tenacity.stop_after_attempt(3))
    purgatories = purgatory.SyncCircuitBreakerFactory()
    return {
        BARE: nothing,
        "a clock read (time.monotonic)": time.monotonic,
        GUARD: seawall.guard(nothing),
        TIMED: seawall.guard(slow_after=1.0)(nothing),
        RETRY: seawall.guard(on=ValueError)(nothing),
        PYBREAKER: breaker(nothing),
        "circuitbreaker": circuitbreaker.circuit(nothing),
        "aiobreaker": aiobreaker.CircuitBreaker()(nothing),
        "purgatory": purgatories("nothing")(nothing),
        "tenacity": retrying(nothing),
        "stamina": stamina.retry(on=ValueError)(nothing),
        BOTH: retrying(breaker(nothing)),
    }


def contenders_async() -> dict[str, Callable[[], object]]:
    """The same around a coroutine function; pybreaker's is for tornado alone."""
    retrying = tenacity.retry(retry=tenacity.retry_if_exception_type(ValueError), stop=tenacity.stop_after_attempt(3))
    purgatories = purgatory.AsyncCircuitBreakerFactory()
    breaker = aiobreaker.CircuitBreaker()
    return {
        BARE: nothing_async,
        GUARD: seawall.guard(nothing_async),
        TIMED: seawall.guard(slow_after=1.0)(nothing_async),
        RETRY: seawall.guard(on=ValueError)(nothing_async),
        "circuitbreaker": circuitbreaker.circuit(nothing_async),
        "aiobreaker": lambda: breaker.call_async(nothing_async),
        "purgatory": purgatories("nothing")(nothing_async),
        "tenacity": retrying(nothing_async),
        "stamina": stamina.retry(on=ValueError)(nothing_async),
    }


def run(ground: Ground, scale: float) -> Iterator[Table]:
    placement = ground.cores.pin_client()
    measured = compare([Contender.repeating(name, call) for name, call in contenders().items()], PACE.scaled(scale))
    table = Table("A guarded call that does nothing", placement, Unit.NS, measured)
    yield table.within(GUARD, 400).at_most(GUARD, PYBREAKER, 1.0).at_most(RETRY, BOTH, 1.0)

    loop = asyncio.new_event_loop()
    try:
        measured = compare([_on(loop, name, call) for name, call in contenders_async().items()], PACE.scaled(scale))
    finally:
        loop.close()
    yield Table("The same around a coroutine function", placement, Unit.NS, measured).within(GUARD, 400)


def _on(loop: asyncio.AbstractEventLoop, name: str, call: Callable[[], object]) -> Contender:
    async def repeat(calls: int) -> None:
        for _ in range(calls):
            await call()  # type: ignore[misc]

    return Contender(name, lambda calls: loop.run_until_complete(repeat(calls)))
