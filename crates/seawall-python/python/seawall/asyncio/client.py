"""``seawall.asyncio.Redis``: redis-py's asyncio client on Seawall's engine."""

from __future__ import annotations

import asyncio
import time
import warnings
from types import SimpleNamespace
from typing import Any, cast

import redis
import redis.asyncio
from redis.asyncio.connection import ConnectionPool as _ForeignPool
from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.maint_notifications import MaintNotificationsConfig

from .. import _config, _deadline, _ext, _trace
from .._common import Common
from .._mode import ENGINE, keep_constructors
from ._watched import PASS, StandIn, is_watched
from .pipeline import Pipeline
from .pool import ConnectionPool
from .pubsub import PubSub

__all__ = ["Redis", "from_url"]


class Redis(Common, redis.asyncio.Redis):  # type: ignore[misc]  # two of its own bases disagree
    """Takes what ``redis.asyncio.Redis`` takes, and Seawall's settings (``deadline``, ``ride_out``, ..) besides.

    Plain commands of all tasks of a loop go out in one write, over one connection, without a thread between. A task
    may be cancelled at any await: no other gets its reply.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        ours = {name: kwargs.pop(name) for name in _config.OURS & kwargs.keys()}
        connect_unsaid = _config.connect_unsaid(args, kwargs)
        if ENGINE and kwargs.get("maint_notifications_config") is None:
            kwargs["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        super().__init__(*args, **kwargs)
        pool = self.connection_pool
        if isinstance(pool, redis.ConnectionPool):
            raise TypeError("connection_pool: it is a pool of threads': seawall.Redis takes it; this one wants seawall.asyncio's")
        made_here = type(pool) is _ForeignPool and self.auto_close_connection_pool
        if made_here and not ENGINE:
            ConnectionPool.adopt(pool, ours)  # type: ignore[attr-defined]  # of `_plain`
        elif made_here:
            # Made by redis-py out of the arguments a moment ago; nothing was dialled.
            kwargs = dict(pool.connection_kwargs, **ours)
            kwargs.pop("himport_registry", None)
            if connect_unsaid:
                kwargs.pop("socket_connect_timeout", None)
            self.connection_pool = ConnectionPool(pool.connection_class, pool.max_connections, **kwargs)
        elif ours:
            raise redis.DataError(f"{', '.join(sorted(ours))}: goes to the pool, since the client was given one")

    @classmethod
    def from_url(  # type: ignore[override]  # what is deprecated is among the keywords
        cls, url: str, single_connection_client: bool = False, **kwargs: Any
    ) -> Redis:
        """A client for a URL: every option of redis-py's, and Seawall's settings, may stand in its query."""
        close = kwargs.pop("auto_close_connection_pool", None)
        if close is not None:
            warnings.warn(
                '"auto_close_connection_pool" is deprecated since redis-py 5.0.1: make a ConnectionPool and give it to the '
                "constructor instead",
                DeprecationWarning,
                stacklevel=2,
            )
        client = cls(
            connection_pool=ConnectionPool.from_url(url, **kwargs), single_connection_client=single_connection_client
        )
        client.auto_close_connection_pool = True if close is None else close
        return client

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """As in redis-py: commands that are sent together; with ``transaction``, all of them run or none."""
        return Pipeline.of(self, transaction, shard_hint)

    def pubsub(self, **kwargs: Any) -> PubSub:
        """As in redis-py: a subscription to channels, on a connection of its own. ``on_gap`` and ``gap_messages`` say what it
        missed when it had to connect anew.
        """
        return PubSub(self.connection_pool, event_dispatcher=self._event_dispatcher, **kwargs)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Runs a command: the coroutine of its reply."""
        # Not a coroutine itself: each one around another costs a task a tenth of its time.
        if is_watched():
            return self._run_watched(args, options)
        return self._run(args, options)

    async def _run_watched(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Somebody instruments redis-py: the wrapper around its method sees the command once, and redis-py's own body,
        given a stand-in for a connection, comes back to `_run`.
        """
        if self.connection is not None or self.single_connection_client or _link_of(self.connection_pool) is None:
            return await super().execute_command(*args, **options)
        token = PASS.set(StandIn(self))
        try:
            return await super().execute_command(*args, **options)
        finally:
            PASS.reset(token)

    async def initialize(self) -> Redis:
        """As redis-py's; it is also how redis-py's ``execute_command`` begins."""
        stand_in = PASS.get()
        if stand_in is not None and stand_in.client is self:
            stand_in.is_due = True
        return await super().initialize()

    async def _send_command_parse_response(self, conn: Any, command_name: Any, *args: Any, **options: Any) -> Any:
        if type(conn) is StandIn:
            return await self._run(args, options)
        return await super()._send_command_parse_response(conn, command_name, *args, **options)

    async def _run_apart(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Over a connection that was handed out: what redis-py's ``execute_command`` does, without its watchers."""
        pool = self.connection_pool
        conn = await pool.get_connection()
        began = time.monotonic()
        try:
            return await conn.retry.call_with_retry(
                lambda: self._send_command_parse_response(conn, args[0], *args, **options),
                lambda error, count: self._close_connection(conn, error, count, began, args[0]),
                with_failure_count=True,
            )
        finally:
            await pool.release(conn)

    async def _run(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        # Most of what a call costs is spent here: 50 ns are a hundredth of it.
        call = _begin(self, args, options)
        if call is NotImplemented:
            stand_in = PASS.get()
            if stand_in is not None and stand_in.client is self:
                # Whoever watches has seen it by now, and its connection stands for the one that it needs.
                token = PASS.set(None)
                try:
                    return await self._run_apart(args, options)
                finally:
                    PASS.reset(token)
            return await super().execute_command(*args, **options)
        try:
            await call
            response = call.result()
        except asyncio.CancelledError:
            call.give_up()
            raise
        except redis.ResponseError:
            if EMPTY_RESPONSE in options:
                return options[EMPTY_RESPONSE]
            raise
        finally:
            if _trace.hook is not None:
                _trace.of_task(call)
        if response is NotImplemented:
            # It needs a connection of its own: SELECT, WATCH, MONITOR, ..
            return await self._run_apart(args, options)
        callback = _callback_of(self, args[0])
        if callback is None:
            return response
        if options:
            options.pop(NEVER_DECODE, None)
            options.pop(EMPTY_RESPONSE, None)
            options.pop("keys", None)
        result = callback(response, **options)
        if asyncio.iscoroutine(result):
            return await result
        return result


def _link_of(pool: Any) -> Any:
    return pool._link() if isinstance(pool, ConnectionPool) else None


def _over() -> asyncio.Future[None]:
    """A future that has ended well, of no loop."""
    over: asyncio.Future[None] = asyncio.Future(loop=cast(Any, SimpleNamespace(get_debug=lambda: False)))
    over.set_result(None)
    return over


_begin = _ext.begin_directly
_callback_of = _ext.callback_of


if not ENGINE:
    # Of ours only the constructors remain, which make pools that bear our names.
    keep_constructors(Redis)
else:
    _ext.install_direct_tasks(
        SimpleNamespace(
            parse=redis.asyncio.Redis.parse_response,
            pool=ConnectionPool,
            running=asyncio.get_running_loop,
            over=_over(),
            until=_deadline.UNTIL.get,
            left=_deadline.left,
        )
    )


def from_url(url: str, **kwargs: Any) -> Redis:
    """As ``redis.asyncio.from_url``."""
    return Redis.from_url(url, **kwargs)
