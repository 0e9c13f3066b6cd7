"""What Seawall keeps for each event loop; dropped with the loop."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from typing import Any

from .. import _config, _ext


class LoopState:
    """The engine's tasks on one loop, and its links there."""

    __slots__ = ("executor", "links")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.executor = _ext.Executor(loop)
        self.executor.attach()
        self.links: weakref.WeakValueDictionary[Any, _ext.AsyncLink] = weakref.WeakValueDictionary()


_states: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopState] = weakref.WeakKeyDictionary()
#: Loops of several threads may come at once.
_lock = threading.Lock()


def link_for(loop: asyncio.AbstractEventLoop, spec: _config.LinkSpec) -> _ext.AsyncLink:
    """The loop's link for these settings: everybody on the loop who asks for the same gets the same.

    Called on the loop's own thread.
    """
    state = _states.get(loop)
    if state is None:
        state = LoopState(loop)
        with _lock:
            _states[loop] = state
    link = state.links.get(spec.key)
    if link is None:
        link = _ext.AsyncLink(state.executor, spec.url, list(spec.settings))
        state.links[spec.key] = link
    return link


def run_ready(loop: asyncio.AbstractEventLoop) -> None:
    """Runs what the engine has to do on this loop now, the closing of connections for one."""
    state = _states.get(loop)
    if state is not None:
        state.executor.tick()


def all_links() -> list[_ext.AsyncLink]:
    """Every link of every loop of this process."""
    with _lock:
        states = list(_states.values())
    return [link for state in states for link in list(state.links.values())]


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
