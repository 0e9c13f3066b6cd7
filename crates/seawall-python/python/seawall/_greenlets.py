"""How greenlets wait for a connection of the engine's, where gevent or eventlet has patched ``socket``."""

from __future__ import annotations

import os
import sys
from _thread import get_native_id
from collections.abc import Callable
from typing import Any

#: Whether the caller is a greenlet that a hub can wait for, and: waits for a descriptor (for nothing, if it is
#: negative), also until it can be written to, no longer than so many seconds; says whether it is ready.
Hubs = tuple[Callable[[], bool], Callable[[int, bool, float], bool]]


def find() -> Hubs | None:
    """How the greenlets of this process wait; ``None`` where its sockets are the system's."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("socket"):
        return _of_gevent()
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("socket"):
        return _of_eventlet()
    return None


def unnoticed(fd: int) -> Callable[[float | None], Any] | None:
    """How a greenlet of gevent's waits for a descriptor without keeping its hub at work: ``gevent.wait()`` returns when all
    the others are done. ``None`` where the caller is none.
    """
    if "gevent.monkey" not in sys.modules:
        return None
    from gevent import getcurrent
    from gevent._hub_local import get_hub_if_exists
    from gevent.hub import Waiter

    hub = get_hub_if_exists()
    if hub is None or getcurrent() is hub:
        return None

    def wait(seconds: float | None) -> None:
        waiter = Waiter(hub)
        watchers = [hub.loop.io(fd, 1, ref=False)]
        if seconds is not None:
            watchers.append(hub.loop.timer(seconds, ref=False))
        try:
            for watcher in watchers:
                watcher.start(waiter.switch, None)
            waiter.get()
        finally:
            for watcher in watchers:
                watcher.close()

    return wait


def _in_main_thread() -> bool:
    # What `threading` says of threads is patched.
    return get_native_id() == os.getpid()


def _of_gevent() -> Hubs:
    from gevent import get_hub, getcurrent
    from gevent._hub_local import get_hub_if_exists
    from gevent.hub import Waiter

    def serve() -> bool:
        hub = get_hub_if_exists()
        if hub is None:
            # A thread of its own without greenlets: there is nobody to let run.
            if not _in_main_thread():
                return False
            hub = get_hub()
        # In a callback of the hub's there is nobody to wait with.
        return getcurrent() is not hub

    def wait(fd: int, write: bool, seconds: float) -> bool:
        hub = get_hub()
        waiter = Waiter(hub)
        timer = hub.loop.timer(seconds)
        ready = hub.loop.io(fd, 3 if write else 1) if fd >= 0 else None
        try:
            timer.start(waiter.switch, False)
            if ready is not None:
                ready.start(waiter.switch, True)
            return waiter.get() is True
        finally:
            timer.close()
            if ready is not None:
                ready.close()

    return serve, wait


def _of_eventlet() -> Hubs:
    from eventlet import hubs
    from greenlet import getcurrent

    def serve() -> bool:
        hub = getattr(hubs._threadlocal, "hub", None)
        if hub is None:
            if not _in_main_thread():
                return False
            hub = hubs.get_hub()
        return getcurrent() is not hub.greenlet

    def wait(fd: int, write: bool, seconds: float) -> bool:
        hub = hubs.get_hub()
        current = getcurrent()
        waits = True

        def came(_: Any) -> None:
            # The hub calls for reading and for writing in one round, though the first has ended the wait.
            if waits:
                current.switch(True)

        listeners = []
        timer = hub.schedule_call_global(seconds, current.switch, False)
        try:
            if fd >= 0:
                listeners.append(hub.add(hub.READ, fd, came, current.throw, None))
                if write:
                    listeners.append(hub.add(hub.WRITE, fd, came, current.throw, None))
            return hub.switch() is True
        finally:
            waits = False
            for listener in listeners:
                hub.remove(listener)
            timer.cancel()

    return serve, wait
