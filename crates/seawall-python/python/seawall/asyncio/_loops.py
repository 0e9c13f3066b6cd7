"""What Seawall keeps for each event loop; dropped with the loop."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from typing import Any

from .. import _config, _drain, _ext, _registry
from ._watch import Sockets


class LoopState:
    """The engine's tasks on one loop, and its links there."""

    __slots__ = ("executor", "links", "sockets", "users")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.executor = _ext.Executor(loop)
        self.executor.attach()
        #: Made for the first who waits, and kept by the loop.
        self.sockets: weakref.ref[Sockets] | None = None
        self.links: weakref.WeakValueDictionary[Any, _ext.AsyncLink] = weakref.WeakValueDictionary()
        #: The pools that share each link.
        self.users: weakref.WeakKeyDictionary[_ext.AsyncLink, weakref.WeakSet[Any]] = weakref.WeakKeyDictionary()


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
        _registry.add(link)
        _drain.start()
    return link


def sockets_of(loop: asyncio.AbstractEventLoop) -> Sockets:
    """What the loop's tasks wait for; there is a link."""
    state = _states[loop]
    sockets = None if state.sockets is None else state.sockets()
    if sockets is None:
        sockets = Sockets(loop)
        state.sockets = weakref.ref(sockets)
    return sockets


def join(loop: asyncio.AbstractEventLoop, link: _ext.AsyncLink, pool: Any) -> None:
    """From now on the pool uses this link."""
    state = _states.get(loop)
    if state is not None:
        state.users.setdefault(link, weakref.WeakSet()).add(pool)


def leave(loop: asyncio.AbstractEventLoop, pool: Any) -> None:
    """The pool is done with its links on this loop: those that no other pool uses are closed."""
    state = _states.get(loop)
    if state is None:
        return
    for link, pools in list(state.users.items()):
        if pool not in pools:
            continue
        pools.discard(pool)
        if pools:
            continue
        del state.users[link]
        for key, known in list(state.links.items()):
            if known is link:
                del state.links[key]
        link.close()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    # What waits in an epoll of the parent's is told to the parent.
    for state in _states.values():
        state.sockets = None


os.register_at_fork(after_in_child=_after_fork)
