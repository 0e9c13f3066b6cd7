"""Pipelines that are packed, sent and read as one, mostly in one native call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.client import Pipeline as _Pipeline

from . import _deadline, _ext
from ._common import Common
from ._pipelines import Keeping, Standing, executed, of_transaction, raise_refused

__all__ = ["Pipeline"]

#: What changes a pipeline's own state as it is answered, or is written in another way: left to redis-py.
_SPECIAL = frozenset({"WATCH", "UNWATCH", "DISCARD", "EXEC", "MULTI", "HIMPORT SET"})


def is_plain(commands: Any) -> bool:
    """Whether all of these commands are packed as they stand, and their replies read like any other's."""
    for args, options in commands:
        if options and (EMPTY_RESPONSE in options or NEVER_DECODE in options):
            return False
        name = args[0]
        if name in _SPECIAL or not isinstance(name, str) or name[:7].upper() == "HIMPORT":
            return False
    return True


def answers(pipeline: Any, commands: Any, replies: list[Any]) -> list[Any]:
    """The replies after their callbacks; errors stay as they are."""
    _ext.answers(commands, pipeline.response_callbacks, replies)
    return replies


class StandIn(Standing):
    """Runs a pipeline over the engine."""

    __slots__ = ()

    def call_with_retry(self, do: Callable[[], Any], *_: Any, **__: Any) -> Any:
        """Once: the engine has done what there was to do."""
        return do()

    def run(self, commands: Any, transaction: bool) -> Any:
        return self._link.execute_many(commands, self._codec, transaction, _deadline.left())


class Pipeline(Keeping, Common, _Pipeline):
    """A pipeline of redis-py's on Seawall's engine: see ``redis.client.Pipeline``."""

    _theirs = _Pipeline
    _unwrapped = (_Pipeline.execute_command, _Pipeline.pipeline_execute_command)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """As in redis-py: sends the commands, and gives their answers."""
        self._began = time.monotonic()
        # After WATCH, and for scripts that may have to be loaded, it has a connection or needs one.
        plain = self.connection is None and not self.scripts and type(self).parse_response is _PARSE
        if plain and self.command_stack:
            find = getattr(self.connection_pool, "_stand_in", None)
            self.connection = None if find is None else find()
        return super().execute(raise_on_error)

    def reset(self) -> None:  # type: ignore[override]  # as redis-py has it: the command of that name is another class's
        connection: Any = self.connection
        if type(connection) is StandIn:
            self.connection = None
        super().reset()

    def _execute_pipeline(self, connection: Any, commands: Any, raise_on_error: bool) -> list[Any]:
        if type(connection) is StandIn:
            came = connection.run(commands, False)
            if came is NotImplemented:
                return self._apart(self._execute_pipeline, "PIPELINE", commands, raise_on_error)
            replies, errors, _ = came
            if errors:
                raise_refused(self, commands, replies, False)
        else:
            together = _all_at_once(connection)
            if together is None or not is_plain(commands):
                theirs: list[Any] = super()._execute_pipeline(connection, commands, raise_on_error)
                self._tell(commands, theirs)
                return theirs
            replies, errors = together([args for args, _ in commands]), True
        if errors:
            self._raise_or_tell(commands, replies, raise_on_error)
        return answers(self, commands, replies)

    def _execute_transaction(self, connection: Any, commands: Any, raise_on_error: bool) -> list[Any]:
        if type(connection) is StandIn:
            came = connection.run(commands, True)
            if came is NotImplemented:
                return self._apart(self._execute_transaction, "MULTI", commands, raise_on_error)
            response, errors, refused = came
            if refused is not None:
                raise_refused(self, commands, refused, True)
                response = of_transaction(self, commands, refused)
            else:
                executed(self, commands, response)
        else:
            together = _all_at_once(connection)
            if together is None or not is_plain(commands):
                with self._telling():
                    theirs: list[Any] = super()._execute_transaction(connection, commands, raise_on_error)
                self._tell(commands, theirs)
                return theirs
            replies = together([("MULTI",), *(args for args, _ in commands), ("EXEC",)])
            response, errors = of_transaction(self, commands, replies), True
        if errors:
            self._raise_or_tell(commands, response, raise_on_error)
        return answers(self, commands, response)

    def _apart(self, execute: Callable[..., list[Any]], name: str, commands: Any, raise_on_error: bool) -> list[Any]:
        """Over a connection that is handed out: something in it is for that connection alone."""
        began = time.monotonic()
        conn = self.connection = self.connection_pool.get_connection()
        return conn.retry.call_with_retry(
            lambda: execute(conn, commands, raise_on_error),
            lambda error, count: self._disconnect_raise_on_watching(conn, error, count, began, name),
            with_failure_count=True,
        )


def _all_at_once(connection: Any) -> Callable[[list[tuple[Any, ...]]], list[Any]] | None:
    """How it sends many commands and reads their replies together; ``None`` where each is to pass through its methods."""
    return None if getattr(connection, "_own_ways", False) else getattr(connection, "exchange_many", None)


_PARSE = _Pipeline.parse_response
