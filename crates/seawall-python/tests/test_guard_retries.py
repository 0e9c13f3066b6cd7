"""`seawall.guard` calls again what somebody says may run again, and pays for it."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from datetime import timedelta

import pytest
from guard_world import LONG, QUICK, Broken, fails

import seawall
from seawall.errors import GuardOpenError


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures, error=Broken("no")):
        self.left, self.calls, self.error = failures, 0, error

    def __call__(self):
        self.calls += 1
        if self.calls <= self.left:
            raise self.error
        return self.calls


def test_nothing_is_called_again_unasked():
    flaky = Flaky(1)
    with pytest.raises(Broken):
        seawall.guard(flaky)()
    assert flaky.calls == 1


def test_a_call_is_made_again_for_what_on_names_alone():
    guard = seawall.guard(on=Broken, fail_max=None, failure_rate=None, **QUICK)
    assert guard(Flaky(9))() == 10
    flaky = Flaky(10)
    with pytest.raises(Broken) as caught:
        guard(flaky)()
    assert flaky.calls == 10
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-2:] == ["guarded", "__call__"]
    flaky = Flaky(1, ValueError())
    with pytest.raises(ValueError):
        guard(flaky)()
    assert flaky.calls == 1
    flaky = Flaky(1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        seawall.guard(on=BaseException, **QUICK)(flaky)()
    assert flaky.calls == 1
    assert guard.stats()["retries"] == 18


async def test_a_coroutine_function_is_awaited_again_and_the_loop_goes_on():
    flaky = Flaky(3)

    @seawall.guard(on=Broken, wait_initial=0.02, wait_jitter=0)
    async def again():
        return flaky()

    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.ensure_future(tick())
    assert await again() == 4
    ticking.cancel()
    assert ticks > 5


def test_a_predicate_may_choose_the_pause(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    asked = iter([True, timedelta(seconds=7), 0.0, 3, False])
    guard = seawall.guard(on=lambda error: next(asked), wait_initial=0.5, wait_jitter=0, fail_max=None)
    with pytest.raises(Broken):
        guard.call(fails)
    assert pauses == [0.5, 7.0, 0.0, 3.0]


def test_pauses_grow_as_stamina_has_them(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with pytest.raises(Broken):
        seawall.guard(on=Broken, attempts=9, wait_jitter=0, fail_max=None).call(fails)
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_retries_end_by_the_timeout_and_by_the_deadline(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    guard = seawall.guard(on=Broken, attempts=50, timeout=2, wait_jitter=0, fail_max=None, failure_rate=None)
    with pytest.raises(Broken):
        guard.call(fails)
    # The clock stands still here: it is the single pause that has to fit.
    assert max(pauses) < 2
    pauses.clear()
    with seawall.deadline(0.15), pytest.raises(Broken):
        guard.call(fails)
    assert pauses == pytest.approx([0.1])


def test_the_budget_bounds_what_retries_add():
    guard = seawall.guard(on=Broken, attempts=10, retry_budget=20, fail_max=None, failure_rate=None, **QUICK)
    flaky = Flaky(10**9)
    for _ in range(600):
        with pytest.raises(Broken):
            guard.call(flaky)
    # A fifth of the calls, or 100 in ten seconds: here 120 at most, if none has left the window.
    assert 600 + 100 <= flaky.calls <= 600 + 120
    assert guard.stats()["retries_unpaid"] > 0


def test_an_open_guard_ends_retries_with_the_functions_own_exception():
    guard = seawall.guard(on=Broken, fail_max=3, reset_timeout=LONG, **QUICK)
    flaky = Flaky(10**9)
    with pytest.raises(Broken):
        guard.call(flaky)
    assert flaky.calls == 3
    with pytest.raises(GuardOpenError):
        guard.call(flaky)
    assert flaky.calls == 3


def test_a_call_that_was_refused_at_its_second_attempt_says_what_the_first_raised():
    guard = seawall.guard(on=Broken, fail_max=None, failure_rate=None, **QUICK)

    def isolates():
        timer = threading.Timer(0.0, guard.isolate)
        timer.start()
        timer.join()
        raise Broken("mine")

    with pytest.raises(Broken, match="mine"):
        guard.call(isolates)
    with pytest.raises(GuardOpenError):
        guard.call(isolates)
