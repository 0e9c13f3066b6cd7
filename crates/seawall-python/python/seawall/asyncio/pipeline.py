"""Pipelines of asyncio that are packed, sent and read as one, with all other commands of their loop."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio.client import Pipeline as _Pipeline

from .. import _deadline, _ext, _trace
from .._common import Common
from .._pipelines import Keeping, Standing, executed, of_transaction, raise_refused

__all__ = ["Pipeline"]


class StandIn(Standing):
    """Runs a pipeline over the engine."""

    __slots__ = ()

    async def call_with_retry(self, do: Callable[[], Awaitable[Any]], *_: Any, **__: Any) -> Any:
        """Once: the engine has done what there was to do."""
        return await do()

    async def run(self, commands: Any, transaction: bool) -> Any:
        call = self._link.execute_many(commands, self._codec, transaction, _deadline.left())
        if call is NotImplemented:
            return call
        try:
            await call
            return call.result()
        except asyncio.CancelledError:
            call.give_up()
            raise
        finally:
            if _trace.hook is not None:
                _trace.of_task(call)


class Pipeline(Keeping, Common, _Pipeline):  # type: ignore[misc]  # two of redis-py's own bases disagree
    """A pipeline of redis.asyncio's on Seawall's engine: see ``redis.asyncio.client.Pipeline``."""

    _theirs = _Pipeline
    _unwrapped = (_Pipeline.execute_command, _Pipeline.pipeline_execute_command)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """As in redis-py: sends the commands, and gives their answers."""
        self._began = time.monotonic()
        # After WATCH, and for scripts that may have to be loaded, it has a connection or needs one.
        plain = self.connection is None and not self.scripts and type(self).parse_response is _PARSE
        if plain and self.command_stack:
            find = getattr(self.connection_pool, "_link", None)
            link = None if find is None else find()
            stand_in: Any = None if link is None else StandIn(self.connection_pool, link)
            self.connection = stand_in
        return await super().execute(raise_on_error)

    async def reset(self) -> None:  # type: ignore[override]  # as redis-py has it: the command is another class's
        """As in redis-py: forgets its commands, and gives its connection back."""
        connection: Any = self.connection
        if type(connection) is StandIn:
            self.connection = None
        await super().reset()

    async def _execute_pipeline(self, connection: Any, commands: Any, raise_on_error: bool) -> list[Any]:
        if type(connection) is not StandIn:
            theirs: list[Any] = await super()._execute_pipeline(connection, commands, raise_on_error)
            self._tell(commands, theirs)
            return theirs
        came = await connection.run(commands, False)
        if came is NotImplemented:
            return await self._apart(self._execute_pipeline, "PIPELINE", commands, raise_on_error)
        replies, errors, _ = came
        if errors:
            raise_refused(self, commands, replies, False)
            self._raise_or_tell(commands, replies, raise_on_error)
        return await self._answers(commands, replies)

    async def _execute_transaction(self, connection: Any, commands: Any, raise_on_error: bool) -> list[Any]:
        if type(connection) is not StandIn:
            with self._telling():
                theirs: list[Any] = await super()._execute_transaction(connection, commands, raise_on_error)
            self._tell(commands, theirs)
            return theirs
        came = await connection.run(commands, True)
        if came is NotImplemented:
            return await self._apart(self._execute_transaction, "MULTI", commands, raise_on_error)
        response, errors, refused = came
        if refused is not None:
            raise_refused(self, commands, refused, True)
            response = of_transaction(self, commands, refused)
        else:
            executed(self, commands, response)
        if errors:
            self._raise_or_tell(commands, response, raise_on_error)
        return await self._answers(commands, response)

    async def _answers(self, commands: Any, replies: list[Any]) -> list[Any]:
        """The replies after their callbacks, which here may be coroutines; errors stay as they are."""
        if _ext.answers(commands, self.response_callbacks, replies):
            for place, reply in enumerate(replies):
                if inspect.isawaitable(reply):
                    replies[place] = await reply
        return replies

    async def _apart(
        self, execute: Callable[..., Awaitable[list[Any]]], name: str, commands: Any, raise_on_error: bool
    ) -> list[Any]:
        """Over a connection that is handed out: something in it is for that connection alone."""
        began = time.monotonic()
        # Given back by `reset`, whatever becomes of this.
        conn = self.connection = await self.connection_pool.get_connection()
        came: list[Any] = await conn.retry.call_with_retry(
            lambda: execute(conn, commands, raise_on_error),
            lambda error, count: self._disconnect_raise_on_watching(conn, error, count, began, name),
            with_failure_count=True,
        )
        return came


_PARSE = _Pipeline.parse_response
