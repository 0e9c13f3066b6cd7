"""Many threads that call at once share a connection: each has its own reply, and whoever is called away, forks or ends
leaves the others to theirs.

With ``SEAWALL_TRY=redis-py`` the first test fails: redis-py makes a connection for each thread.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from sync_world import PATIENCE, answers, native, until

#: How many call at once.
CROWD = 24


class Crowd:
    """Threads that write what only they write, and see that they read it."""

    def __init__(self, client: redis.Redis, count: int = CROWD) -> None:
        self.client = client
        self.calls = [0] * count
        self.wrong: list[object] = []
        self.errors: list[BaseException] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(place,), daemon=True) for place in range(count)]

    def _run(self, place: int) -> None:
        key = f"own:{os.getpid()}:{place}"
        while not self.over.is_set():
            mine = f"{place}:{self.calls[place]}".encode()
            try:
                self.client.set(key, mine)
                # A server that was killed in between has forgotten it.
                if (got := self.client.get(key)) not in (mine, None):
                    self.wrong.append((mine, got))
            except BaseException as error:
                self.errors.append(error)
            self.calls[place] += 1

    def goes_on(self) -> bool:
        """Whether each of them gets on from here."""
        before = list(self.calls)
        until(lambda: all(now > then for now, then in zip(self.calls, before, strict=True)), "a call of each thread")
        return True


@contextmanager
def crowd(client: redis.Redis) -> Iterator[Crowd]:
    working = Crowd(client)
    for thread in working.threads:
        thread.start()
    try:
        yield working
    finally:
        working.over.set()
        for thread in working.threads:
            thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in working.threads), "a thread hangs"
    assert working.wrong == []


def test_they_share_a_connection_and_give_it_back(server):
    client = native(server.url, socket_timeout=10, max_connections=64)
    admin = server.admin()
    with crowd(client) as working:
        for _ in range(10):
            working.goes_on()
        connections = admin.info("clients")["connected_clients"]
    assert working.errors == []
    # The laboratory's own, the shared one, and those of the first seven callers.
    assert connections <= 10
    stats = client.connection_pool.stats()
    assert (stats["in_use"], stats["waiting"]) == (0, 0)
    assert client.ping()


class Struck(BaseException):
    """What a signal's handler raises."""


@pytest.mark.parametrize("raises", [False, True], ids=["a handler that calls", "a handler that raises"])
def test_signals_on_the_main_thread_leave_the_others_to_their_replies(server, raises):
    client = native(server.url, socket_timeout=10)
    dice = random.Random(7)
    handled = []
    armed = False

    def handle(*_: object) -> None:
        nonlocal armed
        if not armed:
            return
        armed = False
        # A call inside a call, of a thread that others may wait for.
        handled.append(client.get("handler"))
        if raises:
            raise Struck

    before = signal.signal(signal.SIGALRM, handle)
    client.set("handler", "mine")
    struck = 0
    try:
        with crowd(client) as working:
            for number in range(150):
                mine = f"main:{number}".encode()
                try:
                    armed = True
                    signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-5, 2e-3))
                    client.set("main", mine)
                    assert client.get("main") == mine
                    armed = False
                except Struck:
                    struck += 1
                if number % 50 == 0:
                    working.goes_on()
            signal.setitimer(signal.ITIMER_REAL, 0)
            working.goes_on()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert working.errors == []
    assert set(handled) == {b"mine"}
    assert not raises or struck > 10


def test_a_frozen_server_ends_the_wait_of_the_main_thread_by_its_signal(server):
    client = native(server.url, socket_timeout=20)

    def handle(*_: object) -> None:
        raise Struck

    before = signal.signal(signal.SIGALRM, handle)
    try:
        with crowd(client) as working:
            working.goes_on()
            server.freeze()
            began = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(Struck):
                client.get("own:0")
            assert time.monotonic() - began < 10
            server.thaw()
            working.goes_on()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_child_that_is_forked_out_of_a_crowd_has_connections_of_its_own(server):
    client = native(server.url, socket_timeout=10)
    with crowd(client) as working:
        for number in range(4):
            working.goes_on()
            child = os.fork()
            if child == 0:
                # Nothing of pytest's may run here.
                try:
                    with crowd(client) as inherited:
                        inherited.goes_on()
                    mine = f"child:{number}".encode()
                    client.set("child", mine)
                    well = client.get("child") == mine and inherited.errors == []
                    # It has none of its parent's calls under way, and shares nothing with itself.
                    well = well and client.connection_pool.stats()["in_use"] == 0
                    os._exit(0 if well else 1)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(2)
            deadline = time.monotonic() + PATIENCE
            while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
                if time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    pytest.fail("the child hangs")
                time.sleep(0.01)
            assert os.waitstatus_to_exitcode(ended[1]) == 0
        working.goes_on()
    assert working.errors == []


def test_a_server_that_is_killed_and_comes_back_has_all_of_them_back(server):
    client = native(server.url, socket_timeout=2)
    with crowd(client) as working:
        for _ in range(2):
            working.goes_on()
            server.kill()
            until(lambda: working.errors, "an error")
            server.start()
            working.errors.clear()
            # Whoever asks before the next probe has seen it up is refused at once.
            until(lambda: answers(client), "an answer")
            working.goes_on()
    kinds = {type(error).__name__ for error in working.errors if not isinstance(error, redis.RedisError)}
    assert kinds == set()
