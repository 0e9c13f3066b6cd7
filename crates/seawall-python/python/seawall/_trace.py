"""Who is told of the attempts of a call that took more than one, or none of which was answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _ext

#: Called with the attempts that failed, `(number, cause, waited_ms, why_not_again)`, and whether the last one was
#: answered, if that is known; on the thread or in the task of the call.
hook: Callable[[list[Any], bool | None], None] | None = None


def _tell(attempts: list[Any], answered: bool | None) -> None:
    if hook is not None:
        hook(attempts, answered)


def install(tell: Callable[[list[Any], bool | None], None] | None) -> None:
    global hook
    hook = tell
    _ext.trace_attempts(_tell, tell is not None)


def of_task(call: Any) -> None:
    """The same, of a call of asyncio's, whose task knows in which context it runs."""
    attempts = call.attempts()
    if attempts:
        _tell(attempts, call.is_answered())
