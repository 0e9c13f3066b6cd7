"""What a lost connection kept a worker from telling kombu's broker: told on its next connection.

Of a message that it has taken a worker tells the broker three things, and kombu forgets each that cannot be told:

- *I have it*, noted in the hash of unacknowledged messages. Forgotten, the message is lost: it is in no queue any more.
- *I am done with it*, when the task begins (or ends, with ``acks_late``). Forgotten, the task runs again.
- *Take it back*, when the worker closes its connection. Forgotten, the task waits for the visibility timeout, an hour.

All three may be told again: a message goes from the hash back to its queue in a transaction that does nothing the
second time.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from kombu.transport import redis as _kombu
from kombu.transport import virtual
from redis.exceptions import ConnectionError, TimeoutError

log = logging.getLogger("seawall.celery")

#: More are forgotten, the oldest first: they are left to the visibility timeout.
UNSAID_MAX = 10_000

#: For so many seconds after it has connected again a worker learns which tasks its pool began meanwhile; returned to the
#: queue before that, they would run twice.
SETTLING = 1.0

_LOST = (ConnectionError, TimeoutError)


class Unsaid:
    """What one process has not been able to tell, by broker and by the message's tag, which is unique."""

    def __init__(self) -> None:
        self.done: dict[tuple[str, str], None] = {}
        self.back: dict[tuple[str, str], Any] = {}

    def is_done(self, key: tuple[str, str]) -> None:
        self.back.pop(key, None)
        _keep(self.done, key, None)

    def goes_back(self, key: tuple[str, str], message: Any) -> None:
        if key not in self.done:
            _keep(self.back, key, message)

    def tell_done(self, qos: Any) -> None:
        """Tells this broker what is done; raises as soon as that fails."""
        broker = _broker(qos)
        for key in [key for key in list(self.done) if key[0] == broker]:
            qos._remove_from_indices(key[1]).execute()
            self.done.pop(key, None)

    def give_back(self, qos: Any) -> None:
        """Returns what was taken from this broker; raises as soon as that fails."""
        broker = _broker(qos)
        for key, message in list(self.back.items()):
            if key[0] != broker or key not in self.back:
                continue
            if message is not None:
                _note(qos, key[1], message)
            qos.restore_by_tag(key[1], leftmost=False)
            self.back.pop(key, None)
            log.info("message.returned tag=%s", key[1])

    def forget(self) -> None:
        self.done.clear()
        self.back.clear()


unsaid = Unsaid()

# A child tells nothing of its parent's: both would.
os.register_at_fork(after_in_child=unsaid.forget)


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    while len(kept) > UNSAID_MAX:
        kept.pop(next(iter(kept)), None)


def _broker(qos: Any) -> str:
    """Where a channel leads to; remembered, since a closed channel has lost its connection."""
    known: str | None = getattr(qos, "_seawall_broker", None)
    if known is None:
        known = qos._seawall_broker = str(qos.channel.connection.client.as_uri())
    return known


def _note(qos: Any, tag: str, message: Any) -> None:
    """What kombu's own ``append`` writes."""
    _kombu.QoS.append.__wrapped__(qos, message, tag)  # type: ignore[attr-defined]
    qos._delivered.pop(tag, None)


def _try(tell: Callable[[Any], None], qos: Any) -> None:
    try:
        tell(qos)
    except _LOST as error:
        log.warning("unsaid.kept cause=%s", getattr(error, "cause", "unclear"))


def _append(append: Any) -> Any:
    @functools.wraps(append)
    def wrapped(self: Any, message: Any, delivery_tag: str) -> None:
        key = (_broker(self), delivery_tag)
        try:
            append(self, message, delivery_tag)
        except _LOST as error:
            unsaid.goes_back(key, message)
            log.warning("message.in_hand cause=%s", getattr(error, "cause", "unclear"))
            raise

    return wrapped


def _ack(ack: Any) -> Any:
    @functools.wraps(ack)
    def wrapped(self: Any, delivery_tag: str) -> None:
        key = (_broker(self), delivery_tag)
        closed = self.channel is None or self.channel.connection is None
        try:
            if closed:
                raise ConnectionError("the channel is closed")
            ack(self, delivery_tag)
        except _LOST as error:
            unsaid.is_done(key)
            virtual.QoS.ack(self, delivery_tag)
            log.warning("ack.remembered cause=%s waiting=%d", getattr(error, "cause", "closed"), len(unsaid.done))
        else:
            if unsaid.done:
                _try(unsaid.tell_done, self)

    return wrapped


def _restore_unacked(restore: Any) -> Any:
    @functools.wraps(restore)
    def wrapped(self: Any, client: Any = None) -> Any:
        try:
            return restore(self, client)
        except _LOST:
            for tag in self._delivered:
                unsaid.goes_back((_broker(self), tag), None)
            log.warning("messages.unreturned count=%d", len(self._delivered))
            self._delivered.clear()
            return None

    return wrapped


def _channel(init: Any) -> Any:
    @functools.wraps(init)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if unsaid.done:
            _try(unsaid.tell_done, self.qos)
        self._seawall_settled = time.monotonic() + SETTLING

    return wrapped


def _on_poll_start(on_poll_start: Any) -> Any:
    @functools.wraps(on_poll_start)
    def wrapped(self: Any) -> None:
        if unsaid.back:
            now = time.monotonic()
            for channel in self._channels:
                if channel.active_queues and channel._seawall_settled <= now:
                    channel._seawall_settled = now + SETTLING
                    _try(unsaid.give_back, channel.qos)
        on_poll_start(self)

    return wrapped


def install() -> None:
    """Wraps what a worker tells of its messages."""
    qos, channel = _kombu.QoS, _kombu.Channel
    qos.append = _append(qos.append)
    qos.ack = _ack(qos.ack)
    qos.restore_unacked = _restore_unacked(qos.restore_unacked)
    channel.__init__ = _channel(channel.__init__)
    _kombu.MultiChannelPoller.on_poll_start = _on_poll_start(_kombu.MultiChannelPoller.on_poll_start)
