"""What the server says of its own state in replies: the cause, and whether anything ran.

A single command's error is mostly the engine's and says this already. The replies of a pipeline, of which the first error is
raised, and those over a connection that was handed out come as redis-py's errors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import ExecAbortError, ResponseError

from . import _ext, errors

__all__ = ["Refusals", "any_may_have_run", "may_have_run", "tell_of"]

#: EXEC's answer if the server's state changed after the commands were queued; what a single command would get follows.
_DISCARDED = "Transaction discarded because of: "


def name_of(args: Any) -> str:
    """A command's name, without what may be written behind it."""
    name = args[0]
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return text.partition(" ")[0]


def refused(args: Any, reply: Any) -> tuple[str, str, bool] | None:
    """What a reply to a command says of the server's state: the cause, a hint, and whether the command may have run. ``None`` for
    an error about the command itself, and for what is none.
    """
    if not isinstance(reply, Exception):
        return None
    text = str(reply.args[0]) if reply.args else ""
    # redis-py has taken the first word off.
    word = getattr(reply, "status_code", None)
    if word == "EXECABORT":
        if not text.startswith(_DISCARDED):
            return None
        text = text[len(_DISCARDED) :]
    elif word:
        text = f"{word} {text}"
    return _ext.refused(name_of(args), text)


def may_have_run(args: Any, reply: Any) -> bool:
    """Whether a command may have run, by the reply to it."""
    if isinstance(reply, errors.SeawallError):
        return reply.may_have_run
    said = refused(args, reply)
    return said is None or said[2]


def any_may_have_run(commands: Any, replies: Any) -> bool:
    """Whether any of several commands may have run, by the replies to them."""
    return any(may_have_run(args, reply) for (args, _), reply in zip(commands, replies))


def tell_of(error: Exception, args: Any, connection: Any, began: float, attempts: int) -> None:
    """Makes the error that a command was answered with Seawall's, if it is about the server's state."""
    said = None if isinstance(error, errors.SeawallError) else refused(args, error)
    if said is not None:
        facts = _shared(connection, began, attempts)
        cause, hint, ran = said
        facts.update(cause=cause, hint=hint, command=name_of(args), may_have_run=ran)
        errors._refused(error, facts)


def _shared(connection: Any, began: float, attempts: int) -> dict[str, Any]:
    """What is the same for all the replies to a request."""
    link = getattr(connection, "_link", None)
    endpoint = "" if link is None else str(link.stats()["endpoint"])
    return {"provenance": "replying", "attempts": attempts, "elapsed": time.monotonic() - began, "endpoint": endpoint}


class Refusals:
    """How a pipeline tells of the errors among its replies. Stands before redis-py's class."""

    connection: Any
    #: When it was executed, by the monotonic clock.
    _began = 0.0

    def _tell(self, commands: Any, replies: Any) -> None:
        """Makes errors about the server's state Seawall's; each says whether its own command may have run."""
        shared: dict[str, Any] | None = None
        for (args, _), reply in zip(commands, replies):
            said = None if isinstance(reply, errors.SeawallError) else refused(args, reply)
            if said is not None:
                if shared is None:
                    # Once for all of them: there may be very many.
                    shared = _shared(self.connection, self._began, 1)
                cause, hint, ran = said
                shared.update(cause=cause, hint=hint, command=name_of(args), may_have_run=ran)
                errors._refused(reply, shared)

    def _tell_of_all(self, error: Exception, args: Any, of_all: bool) -> None:
        """The same for an error that is raised: it says whether any command of the pipeline may have run."""
        self._tell([(args, None)], [error])
        if isinstance(error, errors.SeawallError):
            error.may_have_run = of_all

    def _raise_or_tell(self, commands: Any, replies: Any, raise_on_error: bool) -> None:
        """There are errors among the replies."""
        if raise_on_error:
            self.raise_first_error(commands, replies)
        else:
            self._tell(commands, replies)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Where redis-py runs a transaction: of MULTI's and EXEC's own errors it tells nobody."""
        try:
            yield
        except ResponseError as error:
            if not isinstance(error, errors.SeawallError):
                # If that is raised alone, MULTI and the commands went well, and nothing ran. Else MULTI may have been
                # refused, and then each command ran by itself.
                aborted = isinstance(error, ExecAbortError)
                self._tell_of_all(error, ("EXEC" if aborted else "MULTI",), not aborted)
            raise

    def raise_first_error(self, commands: Any, response: Any) -> None:
        """As in redis-py."""
        for (args, _), reply in zip(commands, response):
            if isinstance(reply, ResponseError):
                self._tell_of_all(reply, args, any_may_have_run(commands, response))
                break
        super().raise_first_error(commands, response)  # type: ignore[misc]  # redis-py's

    def annotate_exception(self, exception: Any, number: int, command: Any) -> None:
        """As in redis-py."""
        # Before: its text would no longer begin with the server's words.
        self._tell([(command, None)], [exception])
        super().annotate_exception(exception, number, command)  # type: ignore[misc]  # redis-py's
