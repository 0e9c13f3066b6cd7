"""The thread that brings events to the log and to listeners, and shares counters with other processes.

It waits in Python's own ``poll``, so that an interpreter that ends finds no native frame on its stack; it is a daemon, and
ends before the interpreter does. It starts with the process's first link, and in a forked child with the first event:
threads do not survive a fork. ARCHITECTURE.md has the reasons.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

from . import _ext, _greenlets, events

#: At the end of the process a listener that does not return is waited for no longer than this, in seconds.
LAST_WORDS = 1.0

#: What is done every so many seconds besides, if anything, and when it was done last.
TICK_EVERY = 2.0
tick: Callable[[bool], None] | None = None

_thread: threading.Thread | None = None
_lock = threading.RLock()
_ended = False


def start() -> None:
    """Starts the thread, unless there is one, or the process ends."""
    global _thread
    if _thread is not None or _ended:
        return
    with _lock:
        if _thread is not None or _ended:
            return
        try:
            thread = threading.Thread(target=_run, name="seawall-events", daemon=True)
            _thread = thread
            thread.start()
        except RuntimeError:
            # No thread can be had, or the interpreter ends: calls matter more than what is told of them.
            _thread = None


def nudge() -> None:
    """The thread, if there is one, looks what there is to do."""
    if _thread is not None:
        _ext.events_ring()


def _run() -> None:
    process = os.getpid()
    try:
        wait = _waiter(_ext.events_bell())
        ticked = time.monotonic()
        while not _ended and os.getpid() == process:
            wait(None if tick is None else max(0.0, ticked + TICK_EVERY - time.monotonic()))
            while events.deliver() and not _ended:
                pass
            if tick is not None and time.monotonic() - ticked >= TICK_EVERY:
                ticked = time.monotonic()
                _tick(False)
    except Exception:
        logging.getLogger("seawall").exception("events.stopped")
    finally:
        _leave()


def _leave() -> None:
    global _thread
    if threading.current_thread() is _thread:
        _thread = None
        with contextlib.suppress(OSError):
            _ext.events_left()


def _waiter(bell: int) -> Callable[[float | None], Any]:
    unnoticed = _greenlets.unnoticed(bell)
    if unnoticed is not None:
        return unnoticed
    # Looked up when the thread starts: gevent and eventlet put their own here, or take it away.
    poll = getattr(select, "poll", None)
    if poll is None:
        return lambda seconds: select.select([bell], [], [], seconds)
    poller = poll()
    poller.register(bell, select.POLLIN)
    return lambda seconds: poller.poll(None if seconds is None else seconds * 1000.0)


def _tick(last: bool) -> None:
    if tick is not None:
        try:
            tick(last)
        except Exception:
            logging.getLogger("seawall").exception("metrics.unshared")


def _end() -> None:
    """The interpreter is about to end: what waits is told while there is one."""
    global _ended
    thread = _thread
    _ended = True
    if thread is not None:
        _ext.events_ring()
        # One that another thread is about to start cannot be waited for; it will find that there is nothing to do.
        with contextlib.suppress(RuntimeError):
            thread.join(LAST_WORDS)
        if thread.is_alive():
            return
    until = time.monotonic() + LAST_WORDS
    while time.monotonic() < until and events.deliver():
        pass
    _tick(True)


def _after_fork() -> None:
    global _thread, _lock
    _thread = None
    _lock = threading.RLock()


_ext.install_drain(start)
atexit.register(_end)
os.register_at_fork(after_in_child=_after_fork)
