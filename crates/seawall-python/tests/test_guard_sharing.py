"""`seawall.guard`: who is told, and what threads, processes and greenlets share."""

from __future__ import annotations

import contextlib
import copy
import gc
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import weakref

import pytest
from guard_world import AT_ONCE, LONG, QUICK, Broken, fails, touchy, trip

import seawall
from seawall import events
from seawall.errors import GuardOpenError

# -- who is told --


def test_listeners_are_told_what_happens_and_harm_nothing(caplog):
    told = []

    def listener(event):
        told.append(event)
        if event.kind == "open":
            raise RuntimeError("a listener's own")

    guard = touchy(reset_timeout=AT_ONCE, listeners=[listener])
    trip(guard)
    guard.call(int)
    guard.isolate()
    with pytest.raises(GuardOpenError):
        guard.call(int)
    guard.close()
    assert [event.kind for event in told] == ["failure", "open", "half-open", "close", "isolate", "refused", "close"]
    assert all(event.guard is guard for event in told)
    opened = told[1]
    assert isinstance(opened.error, Broken) and opened.reason == "a call failed"
    assert told[3].refused == 0 and told[3].lasted >= 0
    assert "a listener of guard 'touchy' failed" in caplog.text


def test_changes_are_logged_and_told_to_those_who_listen_to_everything(caplog):
    caplog.set_level(logging.DEBUG, "seawall")
    heard, done = [], threading.Event()

    @seawall.on_event(names="guard")
    def listen(event):
        # Those of earlier tests may still be on their way.
        if event.endpoint == "the bank's own":
            heard.append(event)
            if event.name == "guard.close":
                done.set()

    try:
        guard = touchy(name="the bank's own", reset_timeout=AT_ONCE)
        with pytest.raises(Broken):
            guard.call(fails, Broken("password=hunter2"))
        guard.call(int)
        assert done.wait(30)
    finally:
        seawall.off_event(listen)
    assert [event.name for event in heard] == ["guard.open", "guard.half-open", "guard.close"]
    assert (heard[0].endpoint, heard[0].cause) == ("the bank's own", "failures-in-a-row")
    assert str(heard[0]).startswith('guard.open guard="the bank\'s own" cause=failures-in-a-row reason="a call failed" ')
    assert "hunter2" not in caplog.text and "hunter2" not in str(heard[0])
    assert {event.name for event in heard} <= events.NAMES


def test_guards_are_counted_by_name_also_when_they_are_gone():
    name = f"counted {os.getpid()}"
    one, other = trip(touchy(name=name)), seawall.guard(name=name)
    other.call(int)
    counted = seawall.stats()["guards"][name]
    assert (counted["state"], counted["calls"], counted["failed"]) == ("open", 2, 1)
    assert f'seawall_guard_state{{guard="{name}"}} 2' in seawall.prometheus.text()
    del one, other
    gc.collect()
    counted = seawall.stats()["guards"][name]
    assert (counted["state"], counted["calls"]) == (None, 2)
    text = seawall.prometheus.text()
    assert f'seawall_guard_calls_total{{guard="{name}",outcome="failed"}} 1' in text
    assert f'seawall_guard_state{{guard="{name}"}}' not in text


# -- threads, processes, memory --


def test_thousands_of_calls_of_many_threads_are_each_counted_once():
    guard = seawall.guard(fail_max=3, reset_timeout=AT_ONCE, failure_rate=0.3, calls_min=5)
    made = [0] * 8

    def work(index):
        for number in range(3000):
            made[index] += 1
            with contextlib.suppress(Broken, GuardOpenError):
                guard.call(fails if number % 4 == 0 else int)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    stats = guard.stats()
    assert stats["calls"] + stats["refused"] == sum(made) == 24_000


def test_a_forked_child_goes_on_for_itself():
    guard = touchy(reset_timeout=AT_ONCE)
    trip(guard)
    with guard:
        # In the parent a trial is under way, which the child knows nothing of.
        child = os.fork()
        if child == 0:
            ok = False
            try:
                ok = guard.call(int) == 0 and guard.state == "closed" and guard.stats()["calls"] == 1
            finally:
                os._exit(0 if ok else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert guard.state == "half-open"
    assert guard.state == "closed"


def _open_here(guard):
    return trip(guard).state


def test_a_guard_is_pickled_as_its_options():
    guard = trip(seawall.guard(name="travels", fail_max=1, exclude=(ValueError,), reset_timeout=LONG))
    for other in (pickle.loads(pickle.dumps(guard)), copy.deepcopy(guard)):
        assert (other.name, other.state) == ("travels", "closed")
        with pytest.raises(ValueError):
            other.call(fails, ValueError())
        assert other.state == "closed"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_open_here, (touchy(),)) == "open"


def test_nothing_is_left_of_a_guard_or_of_its_calls():
    class Big:
        pass

    big = Big()
    gone = weakref.ref(big)
    guard = seawall.guard(on=Broken, attempts=2, reset_timeout=LONG, **QUICK)

    def uses(thing):
        raise Broken

    with contextlib.suppress(Broken):
        guard.call(uses, big)
    del big
    # Neither a cycle nor the guard holds what a failed call was given.
    assert gone() is None
    guarded = guard(lambda: None)
    there = weakref.ref(guard)
    del guard, guarded
    gc.collect()
    assert there() is None


def test_a_million_calls_leave_no_memory_behind():
    import resource

    guarded = seawall.guard(lambda: None)
    timed = seawall.guard(slow_after=60)(lambda: None)

    def calls(count):
        for _ in range(count):
            guarded()
            timed()

    calls(50_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls(500_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_096


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import gevent, gevent.event, seawall

def fails():
    raise ValueError

guard = seawall.guard(fail_max=1, reset_timeout=0)
gevent.spawn(guard.call, fails).join()
inside = []
others_were_refused = gevent.event.Event()
def slow():
    inside.append(1)
    others_were_refused.wait(30)
calls = [gevent.spawn(guard.call, slow) for _ in range(50)]
while guard.stats()["refused"] < 49 and not all(call.dead for call in calls):
    gevent.sleep(0.001)
others_were_refused.set()
gevent.joinall(calls)
assert (len(inside), guard.state) == (1, "closed"), (inside, guard.stats())

# What is thrown into a greenlet is no failure, and frees its trial.
gevent.spawn(guard.call, fails).join()
with gevent.Timeout(0.05, False):
    guard.call(gevent.sleep, 60)
assert (guard.stats()["abandoned"], guard.state) == (1, "half-open"), guard.stats()
assert guard.call(int) == 0 and guard.state == "closed"

def blocks(number):
    with guard:
        gevent.sleep(0.001 * (number % 5))
gevent.joinall([gevent.spawn(blocks, number) for number in range(50)], raise_error=True)
assert guard.stats()["succeeded"] == 52, guard.stats()

# A pause before a retry holds up nobody else.
ticks = []
def ticking():
    while True:
        ticks.append(1)
        gevent.sleep(0.005)
ticker = gevent.spawn(ticking)
try:
    seawall.guard(on=ValueError, attempts=3, wait_initial=0.1, wait_jitter=0).call(fails)
except ValueError:
    ticker.kill()
assert len(ticks) > 5, len(ticks)
"""


def test_greenlets_are_as_threads_to_a_guard():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GREENLETS], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
