"""What happens, told to the log and to the application's own listeners::

    @seawall.on_event(names="outage")
    def page_somebody(event):
        print(event.name, event.endpoint, event.cause, event.facts)

Listeners run on one thread of Seawall's own, one after the other, never on the thread of a call: one that is slow delays
the log and the other listeners, and no request.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from . import _ext
from ._callables import is_async
from ._ration import Ration

__all__ = ["Event", "off_event", "on_event"]

log = logging.getLogger("seawall")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One thing that happened. Never holds a key, a value or a credential."""

    #: Such as ``outage.start``: docs/python/observability.md has them all.
    name: str
    #: ``host:port``, or the path of a Unix socket; the name of a guard for ``guard.*``.
    endpoint: str
    #: The stable name of the cause, such as ``connection-refused``, where there is one: docs/causes.md.
    cause: str | None = None
    #: What else is known of it, by name.
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: When it happened, in seconds since 1970.
    at: float = dataclasses.field(default_factory=time.time)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", types.MappingProxyType(dict(self.facts)))

    def __reduce__(self) -> Any:
        # Handlers of the log may send it to another process.
        return Event, (self.name, self.endpoint, self.cause, dict(self.facts), self.at)

    def __str__(self) -> str:
        """The line of the log."""
        facts = dict(self.facts)
        if "attempts_max" in facts:
            facts["attempt"] = f"{facts['attempt']}/{facts.pop('attempts_max')}"
        of = "guard" if self.name.startswith("guard.") else "endpoint"
        words = [self.name, f"{of}={_word(self.endpoint)}"]
        told = (("cause", self.cause), *facts.items())
        words += [f"{name}={_text(name, value)}" for name, value in told if value is not None]
        return " ".join(words)


def _text(name: str, value: Any) -> str:
    if isinstance(value, float) or name in _SPANS:
        return f"{value:.3f}s"
    return _word(str(value))


def _word(text: str) -> str:
    plain = text.isascii() and text.isprintable() and not any(letter in ' "=' for letter in text)
    return text if plain and text else json.dumps(text)


_SPANS = frozenset({"lasted", "lasting"})

#: Every name that an event may have; :func:`on_event` refuses others, which would never come.
NAMES = {
    "connection.open",
    "connection.failed",
    "connection.close",
    "connection.lost",
    "name.stale",
    "retry",
    "retry.refused",
    "outage.suspected",
    "outage.start",
    "outage.cause",
    "outage.progress",
    "outage.end",
    "outage.cleared",
    "policy.answered",
    "subscription.gap",
    "writes.refused",
    "writes.accepted",
    "journal.memory_only",
    "observe.doubled",
    "observe.refused",
    "observe.retry",
    "observe.unfit",
    "guard.open",
    "guard.half-open",
    "guard.close",
    "guard.isolate",
    "guard.disable",
    "guard.retry",
}

Listener = Callable[[Event], object]
_L = TypeVar("_L", bound=Listener)

#: Each listener and what it wants to hear: `None` is everything. Replaced whole, so that it may be read at any time.
_listeners: tuple[tuple[Listener, tuple[str, ...] | None], ...] = ()
_lock = threading.RLock()


@overload
def on_event(listener: _L, *, names: str | Iterable[str] | None = None) -> _L: ...
@overload
def on_event(listener: None = None, *, names: str | Iterable[str] | None = None) -> Callable[[_L], _L]: ...
def on_event(listener: Any = None, *, names: str | Iterable[str] | None = None) -> Any:
    """Calls ``listener(event)`` for each event from now on, or for those of these names alone; also a decorator.

    ``names`` are event names, or their first parts: ``"outage"`` is every ``outage.*``. Given twice, a listener is called
    once, by the names of the second time. An exception out of it is logged and harms nothing. In a forked child it is
    registered still.
    """
    wanted = _names(names)
    if listener is None:
        return lambda listener: on_event(listener, names=wanted)
    if not callable(listener):
        raise TypeError(f"a listener is called with each event: {listener!r} cannot be called")
    if is_async(listener):
        raise TypeError(
            "a listener runs on a thread of Seawall's, where no loop is: give a plain function, which may hand over by "
            "loop.call_soon_threadsafe or asyncio.run_coroutine_threadsafe"
        )
    _replace(listener, (listener, wanted))
    return listener


def off_event(listener: Listener) -> None:
    """Calls it no more; one that is running goes on. ``ValueError`` if it was not registered."""
    if not any(known == listener for known, _ in _listeners):
        raise ValueError(f"{listener!r} is not registered with on_event")
    _replace(listener, None)


def _replace(listener: Listener, entry: Any) -> None:
    global _listeners
    with _lock:
        kept = tuple(known for known in _listeners if known[0] != listener)
        _listeners = kept if entry is None else (*kept, entry)
        _ext.events_listen(bool(_listeners))


def _names(names: str | Iterable[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if not any(known == name or known.startswith(f"{name}.") for known in NAMES):
            raise ValueError(f"no event is called {name!r}; there are: {', '.join(sorted(NAMES))}")
    return wanted


# -- what is told by Python itself --

#: More than so many are dropped and counted, as in the engine.
_ROOM = 1_024

_told: deque[tuple[Event, int, int | None]] = deque()
_ration = Ration()
dropped = 0


def tell(event: Event, level: int = logging.INFO) -> None:
    """Tells the log, by its ration, and the listeners, from another thread: the caller waits for nobody."""
    global dropped
    suppressed = _ration.ask((event.name, event.endpoint, event.cause), time.monotonic())
    if suppressed is None and not _listeners:
        return
    if len(_told) >= _ROOM:
        dropped += 1
        return
    _told.append((event, level, suppressed))
    from . import _drain

    _drain.start()
    _ext.events_ring()


# -- delivery, on the thread of `_drain` --

#: How many are taken at a time: the interpreter is held for no longer.
_PORTION = 64


def deliver() -> bool:
    """Delivers a portion of what waits; whether there was any."""
    came = False
    for name, endpoint, cause, at, facts, level, suppressed in _ext.events_take(_PORTION):
        came = True
        _deliver(Event(name, endpoint, cause, facts, at), level, suppressed)
    for _ in range(_PORTION):
        try:
            told = _told.popleft()
        except IndexError:
            break
        came = True
        _deliver(*told)
    return came


def _deliver(event: Event, level: int, suppressed: int | None) -> None:
    if suppressed is not None and log.isEnabledFor(level):
        try:
            if suppressed:
                log.log(level, "%s suppressed=%d", event, suppressed, extra={"seawall": event})
            else:
                log.log(level, "%s", event, extra={"seawall": event})
        except Exception:
            # A handler of the application's that raises (logging.raiseExceptions is about its own) harms nothing here.
            pass
    for listener, names in _listeners:
        if names is not None and not any(event.name == name or event.name.startswith(f"{name}.") for name in names):
            continue
        try:
            listener(event)
        except BaseException as error:  # SystemExit too: it is not the listener's to end the thread.
            _failed(listener, event, error)


def _failed(listener: Listener, event: Event, error: BaseException) -> None:
    who = getattr(listener, "__qualname__", None) or type(listener).__qualname__
    suppressed = _ration.ask(("listener.failed", who), time.monotonic())
    if suppressed is not None:
        after = f" suppressed={suppressed}" if suppressed else ""
        try:
            log.error("listener.failed listener=%s event=%s%s", who, event.name, after, exc_info=error)
        except Exception:
            pass


def _after_fork() -> None:
    global _lock, dropped
    _lock = threading.RLock()
    # The parent tells what is its own.
    _told.clear()
    dropped = 0


os.register_at_fork(after_in_child=_after_fork)
