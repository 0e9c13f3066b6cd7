"""Contenders side by side: in one run, in turns, so that whatever disturbs the machine disturbs all of them."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

#: A multiple of the tasks and threads that share the calls of a turn.
STEP = 400


class Contender:
    """Something that can be called many times: ``run(calls)`` does so many calls, however it likes."""

    def __init__(self, name: str, run: Callable[[int], None]) -> None:
        self.name = name
        self.run = run

    @classmethod
    def repeating(cls, name: str, call: Callable[[], object]) -> Contender:
        """One whose call is ``call``, repeated in a loop."""

        def run(calls: int) -> None:
            for _ in range(calls):
                call()

        return cls(name, run)


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long and how often each contender runs."""

    #: What one turn takes, about, in seconds.
    turn: float
    #: Turns of each contender that count; what comes before is warming up.
    rounds: int
    #: How many calls are the least of a turn, and what they are a multiple of.
    step: int = STEP

    def scaled(self, scale: float) -> Pace:
        return dataclasses.replace(self, rounds=max(3, round(self.rounds * scale)))


@dataclasses.dataclass(frozen=True)
class Spread:
    """Where the middle half of some measurements lies."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Quartiles, each the nearest measurement."""
        ranked = sorted(values)
        last = len(ranked) - 1
        if last < 0:
            return cls(math.nan, math.nan, math.nan)
        low, median, high = (ranked[(last * quarters + 2) // 4] for quarters in (1, 2, 3))
        return cls(low, median, high)


def times(a: Sequence[float], b: Sequence[float]) -> Spread:
    """How many times as long as ``b`` took ``a``, compared round by round."""
    return Spread.of([one / other if other else math.nan for one, other in zip(a, b)])


@dataclasses.dataclass
class Measured:
    """What one contender's turns gave, in nanoseconds a call: entry ``i`` of two contenders is of the same round."""

    name: str
    #: By the clock on the wall.
    wall: list[float] = dataclasses.field(default_factory=list)
    #: Processor time of this process, all its threads together.
    client: list[float] = dataclasses.field(default_factory=list)
    #: Processor time of the server, if there is one.
    server: list[float] = dataclasses.field(default_factory=list)


def compare(
    contenders: Sequence[Contender], pace: Pace, server_time: Callable[[], int] | None = None
) -> list[Measured]:
    """Lets the contenders run in turns, each round beginning with another of them."""
    server = server_time or (lambda: 0)
    calls = [_calls_a_turn(contender, pace) for contender in contenders]
    measured = [Measured(contender.name) for contender in contenders]
    for number in range(pace.rounds):
        for place in range(len(contenders)):
            which = (place + number) % len(contenders)
            of_server, of_client, wall = server(), time.process_time_ns(), time.perf_counter_ns()
            contenders[which].run(calls[which])
            wall = time.perf_counter_ns() - wall
            of_client = time.process_time_ns() - of_client
            of_server = server() - of_server
            measured[which].wall.append(wall / calls[which])
            measured[which].client.append(of_client / calls[which])
            measured[which].server.append(of_server / calls[which])
    return measured


def _calls_a_turn(contender: Contender, pace: Pace) -> int:
    """How many calls fill a turn; finding out also warms caches and pools."""
    calls = pace.step
    while True:
        began = time.perf_counter()
        contender.run(calls)
        took = time.perf_counter() - began
        if took >= pace.turn / 4:
            return max(1, int(calls * pace.turn / took) // pace.step) * pace.step
        calls *= 4
