"""What pipelines of threads and of tasks do alike."""

from __future__ import annotations

from typing import Any, TypeVar

from redis.exceptions import ConnectionError as _ConnectionError
from redis.exceptions import ExecAbortError, ResponseError, WatchError

from ._refusals import Refusals, any_may_have_run, may_have_run

__all__ = ["Keeping", "Standing", "executed", "of_transaction", "raise_lost", "raise_refused"]

_P = TypeVar("_P", bound="Keeping")


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
    refusal: Exception
    if isinstance(response, ExecAbortError) and errors:
        refusal = errors[0]
    elif isinstance(response, Exception):
        refusal = response
    else:
        return executed(pipeline, commands, response)
    asked = ("MULTI",) if refusal is replies[0] else ("EXEC",)
    pipeline._tell_of_all(refusal, asked, _may_have_run(commands, replies))
    raise refusal


def _may_have_run(commands: Any, replies: list[Any]) -> bool:
    """Whether anything of a transaction that was refused may have run."""
    multi, *inner, answer = replies
    if isinstance(multi, Exception):
        # It was none: who may not say MULTI runs each command by itself.
        return any_may_have_run(commands, inner)
    return not isinstance(answer, ExecAbortError) and may_have_run(("EXEC",), answer)


def executed(pipeline: Any, commands: Any, response: Any) -> list[Any]:
    """EXEC's answer, if it is one."""
    pipeline.watching = False
    if response is None:
        raise WatchError("Watched variable changed.")
    if response and isinstance(response, list) and isinstance(response[0], _ConnectionError):
        # As redis-py's parser, which looks no further.
        pipeline._tell_of_all(response[0], commands[0][0], any_may_have_run(commands, response))
        raise response[0]
    if not isinstance(response, list) or len(response) != len(commands):
        raise ResponseError("Wrong number of response items from pipeline execution")
    return response


def raise_lost(replies: list[Any]) -> None:
    """An error about the connection or the server itself ends all of it."""
    for reply in replies:
        if isinstance(reply, _ConnectionError):
            raise reply


def raise_refused(pipeline: Any, commands: Any, replies: list[Any], transaction: bool) -> None:
    """As :func:`raise_lost`, of what came over the engine: the error says whether any of the commands may have run."""
    for number, reply in enumerate(replies):
        if isinstance(reply, _ConnectionError):
            asked = [args for args, _ in commands]
            if transaction:
                asked = [("MULTI",), *asked, ("EXEC",)]
                may_have_run = _may_have_run(commands, replies)
            else:
                may_have_run = any_may_have_run(commands, replies)
            pipeline._tell_of_all(reply, asked[number], may_have_run)
            raise reply


class Standing:
    """What redis-py's ``execute`` gets for a connection, so that nothing is taken from the pool: the engine finds one
    by itself, and does what there is to do when it is lost.
    """

    __slots__ = ("_codec", "_link", "db", "host", "port")

    def __init__(self, pool: Any, link: Any) -> None:
        self._link = link
        self._codec = pool._codec_known or pool._codec()
        about = pool.connection_kwargs
        self.host = about.get("host", about.get("path"))
        self.port = about.get("port")
        self.db = about.get("db") or 0

    @property
    def retry(self) -> Any:
        return self


class Keeping(Refusals):
    """How a pipeline keeps its commands."""

    #: redis-py's class, and its ``execute_command`` and ``pipeline_execute_command`` as they were: others wrap them.
    _theirs: Any
    _unwrapped: tuple[Any, Any]
    #: Somebody watches how its commands are kept, or keeps them in a way of their own.
    _kept_otherwise = False

    watching: Any
    command_stack: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._kept_otherwise = cls.pipeline_execute_command is not cls._unwrapped[1]  # type: ignore[attr-defined]

    @classmethod
    def of(cls: type[_P], client: Any, transaction: bool, shard_hint: Any) -> _P:
        """An empty one on the client's pool."""
        made = cls(client.connection_pool, client.response_callbacks, transaction, shard_hint)  # type: ignore[call-arg]
        if (cls._theirs.execute_command, cls._theirs.pipeline_execute_command) != cls._unwrapped:
            made._kept_otherwise = True
        return made

    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        """As in redis-py: kept until :meth:`execute`, or run at once after WATCH."""
        if self.watching or args[0] == "WATCH" or self._kept_otherwise:
            return super().execute_command(*args, **kwargs)  # type: ignore[misc]
        # What redis-py does two calls further down.
        self.command_stack.append((args, kwargs))
        return self
