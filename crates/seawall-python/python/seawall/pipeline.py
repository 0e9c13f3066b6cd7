"""Pipelines whose replies are read together instead of one by one."""

from __future__ import annotations

from typing import Any

from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.client import Pipeline as _Pipeline
from redis.exceptions import ConnectionError as _ConnectionError
from redis.exceptions import ExecAbortError, ResponseError, WatchError

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
    callbacks = pipeline.response_callbacks
    as_written = dict.get  # the dictionary's own `get` turns each name into capitals
    data = []
    for reply, (args, options) in zip(replies, commands):
        if not isinstance(reply, Exception):
            name = args[0]
            callback = as_written(callbacks, name)
            if callback is None and not name.isupper():
                callback = callbacks.get(name)
            if callback is not None:
                if options:
                    options.pop("keys", None)
                reply = callback(reply, **options)
        data.append(reply)
    return data


def of_transaction(pipeline: Any, commands: Any, replies: list[Any]) -> list[Any]:
    """EXEC's answer out of the replies to MULTI, the commands and EXEC."""
    errors = []
    for number, reply in enumerate(replies[1:-1]):
        if isinstance(reply, ResponseError):
            pipeline.annotate_exception(reply, number + 1, commands[number][0])
            errors.append(reply)
    if isinstance(replies[0], ResponseError):
        errors.insert(0, replies[0])
    response = replies[-1]
    if isinstance(response, ExecAbortError) and errors:
        raise errors[0]
    if isinstance(response, Exception):
        raise response
    pipeline.watching = False
    if response is None:
        raise WatchError("Watched variable changed.")
    if len(response) != len(commands):
        raise ResponseError("Wrong number of response items from pipeline execution")
    return response


class Pipeline(_Pipeline):
    """A pipeline of redis-py's, on a connection of Seawall's: see ``redis.client.Pipeline``."""

    def _execute_pipeline(self, connection: Any, commands: Any, raise_on_error: bool) -> list[Any]:
        together = getattr(connection, "exchange_many", None)
        if together is None or not is_plain(commands):
            return super()._execute_pipeline(connection, commands, raise_on_error)
        replies = together([args for args, _ in commands])
        if raise_on_error:
            self.raise_first_error(commands, replies)
        return answers(self, commands, replies)

    def _execute_transaction(self, connection: Any, commands: Any, raise_on_error: bool) -> list[Any]:
        together = getattr(connection, "exchange_many", None)
        if together is None or not is_plain(commands):
            return super()._execute_transaction(connection, commands, raise_on_error)
        replies = together([("MULTI",), *(args for args, _ in commands), ("EXEC",)])
        response = of_transaction(self, commands, replies)
        if raise_on_error:
            self.raise_first_error(commands, response)
        return answers(self, commands, response)


def raise_lost(replies: list[Any]) -> None:
    """An error about the connection or the server itself ends all of it."""
    for reply in replies:
        if isinstance(reply, _ConnectionError):
            raise reply
