"""Every link of this process, of threads and of loops, for those who look at all of them."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

_links: weakref.WeakSet[Any] = weakref.WeakSet()
# A finalizer may make a client in the middle of this.
_lock = threading.RLock()


def add(link: Any) -> None:
    with _lock:
        _links.add(link)


def links() -> list[Any]:
    with _lock:
        return list(_links)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
