"""What Seawall keeps for each event loop; dropped with the loop."""

from __future__ import annotations

import asyncio
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


def link_for(loop: asyncio.AbstractEventLoop, spec: _config.LinkSpec) -> _ext.AsyncLink:
    """The loop's link for these settings: everybody on the loop who asks for the same gets the same."""
    state = _states.get(loop)
    if state is None:
        state = _states[loop] = LoopState(loop)
    link = state.links.get(spec.key)
    if link is None:
        link = _ext.AsyncLink(state.executor, spec.url, list(spec.settings))
        state.links[spec.key] = link
    return link


def all_links() -> list[_ext.AsyncLink]:
    """Every link of every loop of this process."""
    return [link for state in list(_states.values()) for link in list(state.links.values())]
