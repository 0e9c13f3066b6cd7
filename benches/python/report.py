"""What was measured, as tables for people and as JSON; in the shape of the Rust benches' report (``benches/src/report.rs``)."""

from __future__ import annotations

import dataclasses
import enum
import math
import os
import pathlib
import platform
from collections.abc import Sequence
from typing import Any

from measure import Measured, Spread, times


class Unit(enum.Enum):
    """In what a table counts."""

    #: Nanoseconds of processor time: for what stays in the processor.
    NS = "ns"
    #: Microseconds on the wall, with calls a second and processor time: for what goes over a socket.
    US = "us"

    def of(self, measured: Measured) -> list[float]:
        return measured.client if self is Unit.NS else measured.wall


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number that was promised, and how it stands."""

    text: str
    wanted: str
    is_: float
    holds: bool

    def __str__(self) -> str:
        return f"figure {'holds' if self.holds else 'missed'}: {self.text}, {self.wanted} wanted"

    def as_json(self) -> dict[str, Any]:
        return {"text": self.text, "wanted": self.wanted, "is": self.is_, "holds": self.holds}


class Table:
    """Contenders side by side; the first is what the others are compared with."""

    def __init__(self, title: str, placement: str, unit: Unit, measured: Sequence[Measured]) -> None:
        self.title = title
        self.placement = placement
        self.unit = unit
        self.measured = list(measured)
        self.figures: list[Figure] = []
        self.notes: list[str] = []

    def _by_processor(self, a: Measured, b: Measured) -> str:
        """The ratio of the processor time of both sides, which other processes on the machine disturb least."""
        if self.unit is Unit.NS:
            return ""
        both = [[client + server for client, server in zip(each.client, each.server)] for each in (a, b)]
        return f" ({times(*both).median:.2f} by processor time)"

    def _find(self, name: str) -> Measured | None:
        return next((each for each in self.measured if each.name == name), None)

    def at_most(self, who: str, beside: str, most: float) -> Table:
        """States a figure: ``who`` takes at most so many times the time of ``beside``. Says how it is; judges nobody."""
        a, b = self._find(who), self._find(beside)
        if a and b:
            is_ = times(self.unit.of(a), self.unit.of(b)).median
            text = f"{who} takes {is_:.2f} times {beside}{self._by_processor(a, b)}"
            self._state(text, f"at most {most:.2f}", is_, is_ <= most)
        return self

    def as_fast(self, who: str, beside: str, least: float) -> Table:
        """States a figure: ``who`` is at least so many times as fast as ``beside``."""
        a, b = self._find(who), self._find(beside)
        if a and b:
            is_ = times(self.unit.of(b), self.unit.of(a)).median
            text = f"{who} is {is_:.2f} times as fast as {beside}{self._by_processor(b, a)}"
            self._state(text, f"{least:.2f}", is_, is_ >= least)
        return self

    def client_share(self, who: str, beside: str, most: float) -> Table:
        """States a figure: ``who`` takes at most such a share of the processor time that ``beside`` takes of its client."""
        a, b = self._find(who), self._find(beside)
        if a and b:
            is_ = times(a.client, b.client).median
            text = f"{who} takes {is_:.2f} of the client's processor time with {beside}"
            self._state(text, f"at most {most:.2f}", is_, is_ <= most)
        return self

    def within(self, who: str, most_ns: float) -> Table:
        """States a figure: a call of ``who`` takes at most so many nanoseconds."""
        a = self._find(who)
        if a:
            is_ = Spread.of(self.unit.of(a)).median
            self._state(f"{who} takes {is_:.0f} ns", f"at most {most_ns:.0f} ns", is_, is_ <= most_ns)
        return self

    def state(self, text: str, wanted: str, is_: float, holds: bool) -> Table:
        """States a figure that is no ratio."""
        self._state(text, wanted, is_, holds)
        return self

    def note(self, text: str) -> Table:
        """A line under the table."""
        self.notes.append(text)
        return self

    def _state(self, text: str, wanted: str, is_: float, holds: bool) -> None:
        self.figures.append(Figure(text, wanted, is_, holds))

    def __str__(self) -> str:
        lines = [f"{self.title}, {self.placement}"]
        if self.measured:
            if self.unit is Unit.NS:
                lines.append(f"  {'':38} {'ns a call':>10} {'middle half':>19} {'times':>7} {'middle half':>15}")
            else:
                lines.append(
                    f"  {'':22} {'us a call':>9} {'middle half':>17} {'calls/s':>8} {'times':>6} {'middle half':>13} "
                    f"{'client':>8} {'server':>8}"
                )
            lines += [self._row(each) for each in self.measured]
        lines += [f"  {note}" for note in self.notes]
        lines += [f"  {figure}" for figure in self.figures]
        return "\n".join(lines) + "\n"

    def _row(self, each: Measured) -> str:
        call = Spread.of(self.unit.of(each))
        ratio = times(self.unit.of(each), self.unit.of(self.measured[0]))
        half = f"{ratio.low:.2f} - {ratio.high:.2f}"
        if self.unit is Unit.NS:
            return (
                f"  {each.name:38} {call.median:>10.1f} {f'{call.low:.1f} - {call.high:.1f}':>19} "
                f"{ratio.median:>7.2f} {half:>15}"
            )
        client, server = Spread.of(each.client).median, Spread.of(each.server).median
        return (
            f"  {each.name:22} {call.median / 1e3:>9.2f} {f'{call.low / 1e3:.2f} - {call.high / 1e3:.2f}':>17} "
            f"{1e9 / call.median:>8.0f} {ratio.median:>6.2f} {half:>13} {client / 1e3:>8.2f} {server / 1e3:>8.2f}"
        )

    def as_json(self) -> dict[str, Any]:
        def spread(values: Sequence[float]) -> list[float | None]:
            found = Spread.of(values)
            return [None if math.isnan(each) else each for each in (found.low, found.median, found.high)]

        return {
            "title": self.title,
            "placement": self.placement,
            "unit": self.unit.value,
            "base": self.measured[0].name if self.measured else None,
            "rows": [
                {
                    "name": each.name,
                    "call_ns": spread(self.unit.of(each)),
                    "client_cpu_ns": spread(each.client)[1],
                    "server_cpu_ns": spread(each.server)[1],
                    "times_base": spread_of_times(self, each),
                }
                for each in self.measured
            ],
            "notes": self.notes,
            "figures": [figure.as_json() for figure in self.figures],
        }


def spread_of_times(table: Table, each: Measured) -> list[float]:
    ratio = times(table.unit.of(each), table.unit.of(table.measured[0]))
    return [ratio.low, ratio.median, ratio.high]


@dataclasses.dataclass(frozen=True)
class Machine:
    """What it ran on."""

    processor: str
    cores: int
    kernel: str
    python: str
    #: How many processes wanted a processor in the last minute, before this run: above 1 the figures are noise.
    load_before: float

    @classmethod
    def look(cls) -> Machine:
        words = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in words if line.startswith("model name")), "unknown")
        cores = len(os.sched_getaffinity(0))
        return cls(model, cores, platform.release(), platform.python_version(), os.getloadavg()[0])

    def warning(self) -> str | None:
        """What to say where the machine was not quiet."""
        if self.load_before < 1.5:
            return None
        return (
            f"the load average is {self.load_before:.1f}: other processes are running, expect the middle half to be "
            "wide; run this again when the machine is quiet"
        )

    def __str__(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores, Linux {self.kernel}, Python {self.python}, "
            f"load {self.load_before:.1f} before the run"
        )
