"""What a subscription missed: between the end of its connection and the next one nobody keeps its messages."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from . import errors
from ._callables import is_async
from ._mode import MODE, OFF

__all__ = ["Gap", "Gapped"]

_CONFIRMATIONS = frozenset({"subscribe", "psubscribe", "ssubscribe"})


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """A subscription lost its connection and has another one: what was published meanwhile did not reach it."""

    #: Counted from 1 for each subscription.
    number: int
    #: Why the connection was lost, such as ``connection-reset``: docs/causes.md. ``None`` where redis-py alone did not say.
    cause: str | None
    #: Seconds from when the loss was noticed until everything was subscribed to again.
    lasted: float
    #: When that was, in seconds since 1970.
    at: float


class Gapped:
    """What the subscriptions of threads and of tasks do alike."""

    channels: Any
    patterns: Any
    shard_channels: Any
    connection: Any
    push_handler_func: Any

    #: How many gaps there were.
    gaps: int = 0
    #: Called with each :class:`Gap`, by who reads the messages, once everything is subscribed to again: what it reads then
    #: and what comes after it leave nothing out.
    on_gap: Callable[[Gap], object] | None = None
    #: Whether a gap is a message too: ``{"type": "gap", "pattern": None, "channel": None, "data": Gap}``.
    gap_messages: bool = False

    #: Why the connection was lost, and when that was noticed.
    _lost: tuple[str | None, float] | None = None
    #: How many confirmations are due until everything is subscribed to again; 0: there is no gap.
    _due = 0

    def _noticed(self, error: BaseException | None) -> None:
        if isinstance(error, errors.SeawallError) and (self.channels or self.patterns or self.shard_channels):
            _say_lost(error)
        if self._lost is None:
            self._lost = (getattr(error, "cause", None), time.monotonic())

    def _subscribed_again(self) -> bool:
        """The connection is a new one; whether anything was subscribed to over the one before."""
        self._due = len(self.channels) + len(self.patterns) + len(self.shard_channels)
        if self._due:
            self._noticed(None)
        else:
            self._lost = None
        return self._due > 0

    def _confirmed(self, response: Any) -> Gap | None:
        """Something came; the gap that ends by it."""
        if not self._due or not isinstance(response, (list, tuple)) or not response:
            return None
        kind = response[0]
        if (kind.decode("latin-1") if isinstance(kind, bytes) else kind) not in _CONFIRMATIONS:
            return None
        self._due -= 1
        return None if self._due else self._closed()

    def _closed(self) -> Gap:
        cause, noticed = self._lost or (None, time.monotonic())
        self._lost, self._due = None, 0
        self.gaps += 1
        gap = Gap(self.gaps, cause, time.monotonic() - noticed, time.time())
        if MODE != OFF:
            from . import events

            about = self.connection
            path = getattr(about, "path", None)
            endpoint = str(path) if path else f"{getattr(about, 'host', '?')}:{getattr(about, 'port', '?')}"
            events.tell(events.Event("subscription.gap", endpoint, cause, {"lasted": gap.lasted, "number": gap.number}))
        return gap

    def _told(self, gap: Gap) -> Any:
        """What the application's own listener gave back."""
        return None if self.on_gap is None else self.on_gap(gap)

    def _message(self, gap: Gap, instead: Any) -> Any:
        return {"type": "gap", "pattern": None, "channel": None, "data": gap} if self.gap_messages else instead


#: How an error of the engine's begins, behind the command that was sent last.
_FATES = ("may have run: ", "did not run: ")


def _say_lost(error: errors.SeawallError) -> None:
    """What became of the last SUBSCRIBE is not what its user wants to know."""
    text = str(error)
    name, _, rest = text.partition(" ")
    fate = next((fate for fate in _FATES if rest.startswith(fate)), None)
    if fate is None or name != error.command:
        return
    what, hint, more = rest[len(fate) :].partition("\n  hint: ")
    missed = "\n  messages are missed from then on until it is subscribed again; the next read sees to that"
    error.args = (f"the subscription was lost: {what}{missed}{hint}{more}",)


def takes_gaps(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Takes what is about gaps out of the keywords of ``pubsub()``."""
    found: dict[str, Any] = {name: kwargs.pop(name) for name in ("on_gap", "gap_messages") if name in kwargs}
    listener = found.get("on_gap")
    if listener is not None and not callable(listener):
        raise TypeError("on_gap must be callable: it is called with a seawall.Gap")
    return found


def refuse_coroutines(found: dict[str, Any]) -> None:
    """Where nobody would await it."""
    if is_async(found.get("on_gap")):
        raise TypeError("on_gap is a coroutine function, which nobody would await here: seawall.asyncio's pubsub() takes one")
