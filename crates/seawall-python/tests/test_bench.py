"""What the benchmark of the Python package makes of its measurements."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[3] / "benches" / "python"


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def test_quartiles_are_measurements_of_the_middle_half() -> None:
    from measure import Spread

    assert Spread.of([9.0, 1.0, 5.0, 3.0, 7.0]) == Spread(3.0, 5.0, 7.0)


def test_ratios_pair_the_turns_of_one_round() -> None:
    from measure import Spread, times

    # The second round was disturbed, and both suffered.
    assert times([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == Spread(2.0, 2.0, 2.0)


def test_every_contender_has_a_turn_in_every_round() -> None:
    from measure import Contender, Pace, compare

    contenders = [Contender.repeating("a", int), Contender.repeating("b", str)]
    measured = compare(contenders, Pace(turn=1e-6, rounds=5, step=1))
    assert [(len(each.wall), len(each.client)) for each in measured] == [(5, 5), (5, 5)]


def test_a_figure_tells_whether_it_holds() -> None:
    from measure import Measured
    from report import Table, Unit

    fast, slow = Measured("fast", [1.0], [1.0], [0.0]), Measured("slow", [3.0], [3.0], [0.0])
    table = Table("t", "p", Unit.US, [fast, slow])
    table.as_fast("fast", "slow", 2.0).as_fast("fast", "slow", 4.0).at_most("slow", "fast", 2.0)
    verdicts = [str(figure).split(":")[0] for figure in table.figures]
    assert verdicts == ["figure holds", "figure missed", "figure missed"]
    assert "3.00 times as fast" in str(table)


def test_a_suite_that_is_not_there_is_named() -> None:
    run = subprocess.run([sys.executable, str(BENCH), "no-such-suite"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert "no-such-suite" in run.stderr and "pipelines" in run.stderr
