"""`seawall.guard`: what is guarded, when it opens, who gets through, and who leaves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import gc
import inspect
import pickle
import signal
import sys
import threading
import time
import traceback
import weakref
from datetime import timedelta

import pytest
from guard_world import AT_ONCE, LONG, QUICK, Broken, fails, touchy, trip

import seawall
from seawall.errors import GuardOpenError, SeawallError

# -- what is decorated stays what it was --


@seawall.guard
def module_level(one: int, *, two: str = "2") -> str:
    """Says what it was given."""
    return f"{one} {two}"


@seawall.guard(name="coro")
async def module_level_coroutine(one: int) -> int:
    return one


def test_a_decorated_function_keeps_its_name_signature_hints_and_pickles():
    assert module_level(1, two="3") == "1 3"
    assert (module_level.__name__, module_level.__doc__) == ("module_level", "Says what it was given.")
    assert str(inspect.signature(module_level)) == "(one: 'int', *, two: 'str' = '2') -> 'str'"
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert module_level.guard.name == f"{__name__}.module_level"
    assert not inspect.iscoroutinefunction(module_level)


async def test_a_decorated_coroutine_function_is_one():
    assert inspect.iscoroutinefunction(module_level_coroutine)
    assert await module_level_coroutine(5) == 5
    assert module_level_coroutine.guard.name == "coro"
    guard = seawall.guard(on=Broken)
    assert inspect.iscoroutinefunction(guard(module_level_coroutine.__wrapped__))
    assert inspect.iscoroutinefunction(guard(functools.partial(module_level_coroutine.__wrapped__, 1)))

    class Callable:
        async def __call__(self):
            return "called"

    guarded = seawall.guard(Callable())
    assert inspect.iscoroutinefunction(guarded)
    assert await guarded() == "called"


def test_methods_of_all_kinds_are_guarded():
    guard = touchy()

    class Service:
        rate = 2

        @guard
        def method(self, number):
            return number * self.rate

        @guard
        @classmethod
        def of_class(cls, number):
            return number * cls.rate

        @classmethod
        @guard
        def of_class_inside(cls, number):
            return number * cls.rate

        @guard
        @staticmethod
        def static(number):
            return number

    service = Service()
    assert [service.method(2), Service.of_class(3), service.of_class_inside(4), Service.static(5)] == [4, 6, 8, 5]
    assert guard.stats()["succeeded"] == 4
    trip(guard)
    for call in (service.method, Service.of_class, service.of_class_inside, Service.static):
        with pytest.raises(GuardOpenError):
            call(1)


def test_what_cannot_be_guarded_is_refused_with_the_way_out():
    def generates():
        yield 1

    async def generates_too():
        yield 1

    for function in (generates, generates_too, functools.partial(generates)):
        with pytest.raises(TypeError, match="generates.*is a generator.*put `with guard:` around the loop"):
            seawall.guard(function)
    with pytest.raises(TypeError, match="is a generator"):
        touchy().call(generates)
    with pytest.raises(TypeError, match="Broken is a class: guard its methods"):
        seawall.guard(Broken)
    with pytest.raises(TypeError, match="5 cannot be called"):
        seawall.guard(5)
    with pytest.raises(TypeError, match=r"'payments' cannot be called; write guard\(name='payments'\)"):
        seawall.guard("payments")
    with pytest.raises(TypeError, match="5 cannot be called"):
        touchy().call(5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fail_maxx": 3}, "no option 'fail_maxx'; there are attempts, calls_min"),
        ({"fail_max": 0}, "fail_max=0: give 1 to 1000000"),
        ({"fail_max": "5"}, "fail_max='5' is no whole number"),
        ({"fail_max": True}, "fail_max=True is no whole number"),
        ({"reset_timeout": -1}, "reset_timeout=-1: give 0 seconds to a year"),
        ({"reset_timeout": float("nan")}, "reset_timeout=nan"),
        ({"reset_timeout": float("inf")}, "reset_timeout=inf"),
        ({"reset_timeout": "5s"}, "reset_timeout='5s' is no number of seconds"),
        ({"reset_timeout": 30, "reset_timeout_max": 10}, "reset_timeout_max=10 is below reset_timeout=30"),
        ({"failure_rate": 50}, "failure_rate=50: give a share of calls above 0 and up to 1"),
        ({"slow_after": 0}, "slow_after=0 would find every call slow"),
        ({"timeout": 3}, "timeout=3 without on="),
        ({"exclude": "ValueError"}, "exclude: 'ValueError' is neither"),
        ({"failure_rate": 0}, "failure_rate=0 would open at every call"),
        ({"window": 0}, "window=0"),
        ({"attempts": 3}, "attempts=3 without on="),
        ({"on": Broken, "attempts": 0}, "attempts=0: give 1"),
        ({"on": Broken, "wait_exp_base": 0.5}, "wait_exp_base=0.5: give 1 to"),
        ({"on": "Broken"}, "on: 'Broken' is neither a class of exceptions nor a function"),
        ({"exclude": [5]}, "exclude: 5 is neither"),
        ({"exclude": [int]}, "exclude: <class 'int'> is neither"),
        ({"include": 5}, "include: 5 is neither"),
        ({"fallback": 5}, "fallback=5 cannot be called"),
        ({"listeners": [5]}, "listeners: 5 cannot be called"),
        ({"listeners": print}, "is no list; give [f] for one function"),
    ],
)
def test_a_wrong_option_is_named(options, says):
    with pytest.raises((TypeError, ValueError)) as caught:
        seawall.guard(**options)
    assert str(caught.value).startswith("guard: ")
    assert says in str(caught.value)


# -- open --


def test_an_open_guard_raises_what_is_known_and_does_not_call():
    guard = seawall.guard(name="payments", reset_timeout=LONG)
    for _ in range(5):
        with pytest.raises(Broken):
            guard.call(fails)
    with pytest.raises(GuardOpenError) as caught:
        guard.call(lambda: pytest.fail("called"))
    error = caught.value
    assert isinstance(error, SeawallError)
    assert (error.name, error.state, error.cause) == ("payments", "open", "guard-open")
    assert isinstance(error.__cause__, Broken)
    assert LONG - 60 < error.retry_after < LONG * 1.21
    assert (error.may_have_run, error.attempts) == (False, 0)
    assert "guard 'payments' is open for another " in str(error)
    assert "5 calls in a row failed, at last with Broken; it was not called" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.name, again.retry_after) == (str(error), "payments", error.retry_after)


def test_the_functions_own_exception_passes_as_it_is():
    guarded = touchy()(fails)
    error = Broken("this one")
    with pytest.raises(Broken) as caught:
        guarded(error)
    assert caught.value is error
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert frames == [sys._getframe().f_code.co_name, "guarded", "fails"]
    assert error.__cause__ is None and error.__context__ is None


def test_a_listener_is_told_while_the_exception_is_handled():
    seen = []
    guarded = touchy(listeners=[lambda event: seen.append((event.kind, sys.exc_info()[1]))])(fails)
    error = Broken("this one")
    with pytest.raises(Broken):
        guarded(error)
    assert seen == [("failure", error), ("open", error)]


def test_an_exceptions_own_context_stays_though_another_one_is_handled():
    @seawall.guard(fail_max=None, failure_rate=None)
    def loses(error):
        try:
            raise ValueError("root")
        except ValueError:
            raise error

    def handled(error):
        try:
            raise OSError("handled where it is called")
        except OSError:
            with pytest.raises(type(error)) as caught:
                loses(error)
            return caught.value

    assert isinstance(handled(Broken("with a root")).__context__, ValueError)

    @dataclasses.dataclass(frozen=True)
    class Frozen(Exception):
        code: int

    error = Frozen(5)
    assert handled(error) is error


def test_a_guarded_function_that_knows_itself_is_collected():
    def outer():
        @seawall.guard
        def knows_itself():
            return knows_itself

        return weakref.ref(knows_itself())

    known = outer()
    gc.collect()
    assert known() is None


def test_with_blocks_are_guarded_and_nest():
    outer, inner = touchy(), touchy()
    with outer, inner, outer:
        pass
    assert outer.stats()["succeeded"] == 2
    with pytest.raises(Broken), outer, inner:
        raise Broken
    assert (outer.state, inner.state) == ("open", "open")
    with pytest.raises(GuardOpenError), outer:
        pytest.fail("entered")


async def test_async_with_blocks_of_many_tasks_do_not_mix():
    guard = seawall.guard(fail_max=None, failure_rate=None)

    async def one(number):
        async with guard:
            await asyncio.sleep(0.001 * (number % 7))
            if number % 3 == 0:
                raise Broken

    await asyncio.gather(*(one(number) for number in range(99)), return_exceptions=True)
    stats = guard.stats()
    assert (stats["succeeded"], stats["failed"]) == (66, 33)


def test_a_block_that_is_left_in_another_context_harms_nothing():
    import contextvars

    guard = touchy(reset_timeout=AT_ONCE)
    trip(guard)
    elsewhere = contextvars.copy_context()
    elsewhere.run(guard.__enter__)
    assert guard.state == "half-open"
    guard.__exit__(None, None, None)
    del elsewhere
    gc.collect()
    assert guard.call(lambda: "free") == "free", "the trial's place came back"


def test_what_an_exception_counts_as():
    guard = touchy(include=(OSError, Broken), exclude=(FileNotFoundError, lambda error: str(error) == "mine"))
    for harmless in (ValueError(), FileNotFoundError(), Broken("mine"), OSError("mine")):
        with pytest.raises(type(harmless)):
            guard.call(fails, harmless)
    assert (guard.state, guard.stats()["succeeded"]) == ("closed", 4)
    with pytest.raises(OSError):
        guard.call(fails, PermissionError())
    assert guard.state == "open"


def test_a_predicate_that_raises_hides_nothing(caplog):
    def bad(error):
        raise RuntimeError("a bug")

    for options in ({"include": bad}, {"exclude": bad}, {"on": bad}):
        guard = touchy(**options)
        with pytest.raises(Broken):
            guard.call(fails)
        assert guard.state == "open"
    assert caplog.text.count("the predicate") == 3


def test_a_share_of_failures_and_of_slow_calls_opens():
    guard = seawall.guard(fail_max=None, calls_min=4, failure_rate=0.5)
    for function in (int, fails, int, fails):
        with contextlib.suppress(Broken):
            guard.call(function)
    assert guard.stats()["reason"] == "2 of the last 4 calls failed"
    guard = seawall.guard(slow_after=timedelta(milliseconds=5), slow_rate=1, calls_min=2)
    guard.call(time.sleep, 0.006)
    assert guard.state == "closed"
    guard.call(time.sleep, 0.006)
    assert (guard.state, guard.stats()["reason"]) == ("open", "2 of the last 2 calls were slow")


def test_forced_states():
    guard = touchy(fail_max=1)
    guard.isolate()
    with pytest.raises(GuardOpenError, match="was isolated by hand; it was not called") as caught:
        guard.call(int)
    assert (caught.value.state, caught.value.retry_after, caught.value.__cause__) == ("isolated", None, None)
    guard.close()
    assert guard.call(int) == 0
    guard.open()
    with pytest.raises(GuardOpenError, match="it was opened by hand"):
        guard.call(int)
    guard.disable()
    for _ in range(10):
        with pytest.raises(Broken):
            guard.call(fails)
    assert guard.state == "disabled"
    guard.close()
    assert (guard.state, guard.stats()["failed"]) == ("closed", 10)


def test_a_fallback_answers_while_it_is_open_and_only_then():
    seen = []
    guard = touchy(fallback=lambda *args, **kwargs: seen.append((args, kwargs)) or "instead")
    guarded = guard(lambda *args, **kwargs: fails())
    with pytest.raises(Broken):
        guarded(1, two=2)
    assert guarded(1, two=2) == "instead"
    assert seen == [((1,), {"two": 2})]


async def test_a_fallback_of_a_coroutine_function_may_be_one():
    async def instead(number):
        await asyncio.sleep(0)
        return -number

    for fallback in (instead, lambda number: -number):
        guard = touchy(fallback=fallback)
        guard.isolate()

        @guard
        async def number(number):
            return number

        assert await number(7) == -7


# -- half open --


def test_of_fifty_threads_at_half_open_one_gets_through_and_nobody_waits():
    guard = trip(touchy(reset_timeout=AT_ONCE))
    inside, refused, release, start = [], [], threading.Event(), threading.Barrier(50)

    def one():
        start.wait()
        try:
            guard.call(lambda: (inside.append(1), release.wait(30)))
        except GuardOpenError as error:
            refused.append(error)

    threads = [threading.Thread(target=one) for _ in range(50)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 30
    while len(refused) < 49 and time.monotonic() < until:
        time.sleep(0.001)
    assert (len(inside), len(refused)) == (1, 49), "while the trial is still under way"
    assert {error.state for error in refused} == {"half-open"}
    release.set()
    for thread in threads:
        thread.join()
    assert guard.state == "closed"


async def fifty_tasks(call):
    """How many of fifty get through, each of which takes its time."""
    inside = 0

    async def slow():
        nonlocal inside
        inside += 1
        await asyncio.sleep(0.01)

    await asyncio.gather(*(call(slow) for _ in range(50)), return_exceptions=True)
    return inside


async def test_of_fifty_tasks_at_half_open_one_gets_through_and_with_others_all():
    import aiobreaker
    import circuitbreaker
    import purgatory

    async def broken():
        raise Broken

    guard = touchy(reset_timeout=AT_ONCE)
    theirs = aiobreaker.CircuitBreaker(fail_max=1, timeout_duration=timedelta(milliseconds=1))
    another = circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=0.001)
    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=1, default_ttl=0.001)

    async def through_purgatory(function):
        async with await factory.get_breaker("it"):
            await function()

    contenders = {
        "seawall": lambda function: guard(function)(),
        "aiobreaker": theirs.call_async,
        "circuitbreaker": lambda function: another.decorate(function)(),
        "purgatory": through_purgatory,
    }
    passed = {}
    for name, call in contenders.items():
        with contextlib.suppress(Exception):
            await call(broken)
        await asyncio.sleep(0.02)
        passed[name] = await fifty_tasks(call)
    assert passed == {"seawall": 1, "aiobreaker": 50, "circuitbreaker": 50, "purgatory": 50}


def at_once(call, patience):
    """Whether two calls may be under way at the same time; one waits so long for the other."""
    both = threading.Barrier(2)

    def meet():
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(patience)
        return not both.broken

    met = []
    threads = [threading.Thread(target=lambda: met.append(call(meet))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return all(met)


def test_calls_run_at_the_same_time_which_pybreaker_keeps_them_from():
    import pybreaker

    assert at_once(touchy().call, 30)
    assert not at_once(pybreaker.CircuitBreaker().call, 0.3)


def test_good_trials_in_a_row_close_it():
    guard = trip(touchy(reset_timeout=AT_ONCE, success_threshold=3, trials=2))
    for state in ("half-open", "half-open", "closed"):
        guard.call(int)
        assert guard.state == state


# -- whoever leaves --


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit(), asyncio.CancelledError()])
def test_an_interrupted_call_counts_neither_way_and_frees_its_trial(error):
    guard = touchy(reset_timeout=AT_ONCE)
    with pytest.raises(type(error)):
        guard.call(fails, error)
    assert guard.state == "closed"
    trip(guard)
    with pytest.raises(type(error)), guard:
        raise error
    assert (guard.state, guard.stats()["abandoned"]) == ("half-open", 2)
    assert guard.call(int) == 0
    assert guard.state == "closed"


async def test_a_cancelled_call_counts_neither_way_and_frees_its_trial():
    for options in ({}, {"on": Broken, "attempts": 2, **QUICK}):
        guard = trip(touchy(reset_timeout=AT_ONCE, **options))
        guarded = guard(asyncio.sleep)
        for leave in ("cancel", "time out", "close"):
            if leave == "close":
                coroutine = guarded(30)
                with contextlib.suppress(BaseException):
                    coroutine.send(None)
                coroutine.close()
            elif leave == "time out":
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(guarded(30), 0.01)
            else:
                task = asyncio.ensure_future(guarded(30))
                await asyncio.sleep(0.01)
                with pytest.raises(GuardOpenError):
                    await guarded(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert guard.state == "half-open"
        assert guard.stats()["abandoned"] == 3
        await guarded(0)
        assert guard.state == "closed"


def test_a_signal_between_any_two_steps_leaves_no_trial_behind():
    """A handler that raises strikes at random places in the guard's own code."""
    guard = touchy(reset_timeout=AT_ONCE, trial_timeout=LONG)
    guarded = guard(lambda: None)

    class Struck(BaseException):
        pass

    def strike(*_):
        raise Struck

    before = signal.signal(signal.SIGALRM, strike)
    struck = 0
    try:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            guard.open()
            with contextlib.suppress(Struck):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.000005 + (struck % 100) * 0.0000005)
                    for _ in range(100):
                        guarded()
                except Struck:
                    struck += 1
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            guarded()
            assert guard.state == "closed", "the next call was the trial, or the one before had closed it"
    finally:
        signal.signal(signal.SIGALRM, before)
    assert struck > 100


async def test_a_coroutine_out_of_a_plain_function_is_judged_by_its_end():
    guard = touchy()

    async def broken():
        raise Broken

    guarded = guard(lambda: broken())
    coroutine = guarded()
    assert guard.stats()["calls"] == 0
    with pytest.raises(Broken):
        await coroutine
    assert guard.state == "open"
    with pytest.raises(TypeError, match="answered with a coroutine"):
        seawall.guard(on=Broken)(lambda: broken())()
