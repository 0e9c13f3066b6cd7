"""A guard around any callable: a breaker, and retries where somebody asks for them."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import CoroutineType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from . import _deadline, _ext, events
from ._callables import is_async, is_generator
from ._guard_options import Errors, Options, Seconds, matcher, pause_of, read
from .errors import GuardOpenError

__all__ = ["Guard", "GuardEvent", "guard"]

log = logging.getLogger("seawall")

Notice = _ext.GuardNotice

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

#: The `with` blocks that this thread or task is in: guard, ticket, and those around it.
_Blocks = tuple["Guard", Any, Any]
_blocks: contextvars.ContextVar[_Blocks | None] = contextvars.ContextVar("seawall_guard_blocks", default=None)

_all: weakref.WeakSet[Guard] = weakref.WeakSet()


@dataclass(frozen=True)
class GuardEvent:
    """What a guard's listeners are told."""

    #: The guard it happened to.
    guard: Guard
    #: ``open``, ``half-open``, ``close``, ``isolate``, ``disable``; ``failure``, ``refused``, ``retry``.
    kind: str
    #: ``open``: why, in words.
    reason: str | None = None
    #: ``open``, ``refused``: seconds until the next trial, where that is known.
    retry_after: float | None = None
    #: ``failure``, ``retry``, and ``open`` if a failure did it: the exception.
    error: BaseException | None = None
    #: ``close``: seconds from the first opening.
    lasted: float | None = None
    #: ``close``: calls that were refused meanwhile.
    refused: int | None = None
    #: ``retry``: the number of the call that comes next (the first retry is 2), and the pause before it in seconds.
    attempt: int | None = None
    wait: float | None = None


class Guard:
    """Lets calls through while they go well, and refuses them for a while after they did not.

    Made by :func:`guard`. A decorator, a context manager (``with`` and ``async with``), or ``call``; everything that goes
    through one guard is judged together, in all threads and tasks of the process.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._name = options.name
        self._native = _ext.Guard(options.numbers())
        self._listeners = list(options.listeners)
        self._counts = matcher("include", options.include, broken=True)
        self._excluded = matcher("exclude", options.exclude)
        self._on = matcher("on", options.on if options.on is not None else ())
        self._course_wanted = options.repeats or options.fallback is not None
        self._last: BaseException | None = None
        _all.add(self)

    # -- calls --

    def __call__(self, function: F) -> F:
        """The function, guarded. Its signature, its name and its being a coroutine function are kept."""
        return cast(F, self._wrap(function))

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function if it may. A coroutine function's result is awaited by the caller, as ever."""
        code = getattr(function, "__code__", None)
        if code is not None and not code.co_flags & _NOT_PLAIN and not self._course_wanted:
            return cast(R, _ext.GuardedCall(function, self._native, self).run(args, kwargs))
        return cast(R, self._guarded(function)(*args, **kwargs))

    def __enter__(self) -> Guard:
        ticket = self._enter()
        _blocks.set((self, ticket, _blocks.get()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ticket = self._leave()
        if ticket is None:
            return
        if error is None:
            self._told(self._native.done(ticket))
        else:
            self._failed(ticket, error)

    async def __aenter__(self) -> Guard:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    # -- the hand --

    def open(self) -> None:
        """Refuses calls for ``reset_timeout``, as if it had opened by itself."""
        self._told(self._native.open())

    def close(self) -> None:
        """Lets calls through again, whatever was before, and forgets what was counted."""
        self._told(self._native.close())

    def isolate(self) -> None:
        """Refuses every call until ``close()``."""
        self._told(self._native.isolate())

    def disable(self) -> None:
        """Lets every call through until ``close()``, and goes on counting."""
        self._told(self._native.disable())

    def add_listener(self, listener: Callable[[GuardEvent], object]) -> None:
        """Tells ``listener`` of every event from now on, on the thread on which it happens."""
        self._listeners = [*self._listeners, listener]

    # -- getters --

    @property
    def name(self) -> str:
        """What errors, logs and metrics call it."""
        return self._name or "guard"

    @property
    def state(self) -> str:
        """``closed``, ``open``, ``half-open``, ``isolated`` or ``disabled``, as the last call left it."""
        return cast(str, self._native.stats()["state"])

    def stats(self) -> dict[str, Any]:
        """How it stands, and its calls so far."""
        return {"name": self.name, **self._native.stats()}

    def __del__(self) -> None:
        native = getattr(self, "_native", None)
        # At the end of the interpreter the module may be empty already.
        if native is not None and _keep is not None:
            _keep({"name": self.name, **native.stats()})

    def __repr__(self) -> str:
        return f"<seawall.Guard {self.name!r} {self.state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process's guard judges for itself.
        return Guard, (self._options,)

    # -- wrapping --

    def _wrap(self, function: Any) -> Any:
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(self._wrap(function.__func__))
        if isinstance(function, type):
            raise TypeError(f"guard: {function.__qualname__} is a class: guard its methods, or use call()")
        if self._name is None:
            self._name = _name_of(function)
        guarded = functools.update_wrapper(self._guarded(function), function)
        guarded.guard = self  # type: ignore[attr-defined]
        return guarded

    def _guarded(self, function: Any) -> Any:
        if not callable(function):
            named = f"; write guard(name={function!r})" if isinstance(function, str) else ""
            raise TypeError(f"guard: {function!r} cannot be called{named}")
        if is_generator(function):
            raise TypeError(
                f"guard: {_name_of(function)} is a generator: its work is done while it is iterated, outside of the call; "
                "guard what it calls, or put `with guard:` around the loop"
            )
        if is_async(function):
            return self._async_course(function) if self._course_wanted else self._async(function)
        return self._course(function) if self._course_wanted else self._sync(function)

    def _sync(self, function: Any) -> Any:
        run = _ext.GuardedCall(function, self._native, self).run

        def guarded(*args: Any, **kwargs: Any) -> Any:
            return run(args, kwargs)

        return guarded

    def _async(self, function: Any) -> Any:
        enter, done, heed, told, failed = self._native.enter, self._native.done, self._heed, self._told, self._failed

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            ticket = None
            try:
                ticket = enter()
                if ticket.__class__ is Notice:
                    ticket = heed(ticket)
                result = await function(*args, **kwargs)
                change = done(ticket)
            except BaseException as error:
                failed(ticket, error)
                raise
            if change is not None:
                told(change)
            return result

        return guarded

    async def _awaited(self, ticket: Any, coroutine: Any) -> Any:
        """What a plain function has answered is a coroutine: the call ends when that does."""
        try:
            result = await coroutine
            change = self._native.done(ticket)
        except BaseException as error:
            self._failed(ticket, error)
            raise
        self._told(change)
        return result

    def _course(self, function: Any) -> Any:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            course = _Course(self)
            try:
                while course.begins():
                    try:
                        result = function(*args, **kwargs)
                        course.is_no_coroutine(function, result)
                        course.done()
                        return result
                    except BaseException as error:
                        pause = course.failed(error)
                        if pause is None:
                            raise
                    time.sleep(pause)
                return course.refused(args, kwargs)
            finally:
                course.last = None

        return guarded

    def _async_course(self, function: Any) -> Any:
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            course = _Course(self)
            try:
                while course.begins():
                    try:
                        result = await function(*args, **kwargs)
                        course.done()
                        return result
                    except BaseException as error:
                        pause = course.failed(error)
                        if pause is None:
                            raise
                    await asyncio.sleep(pause)
                instead = course.refused(args, kwargs)
                return await instead if inspect.isawaitable(instead) else instead
            finally:
                course.last = None

        return guarded

    # -- inside --

    def _enter(self) -> Any:
        ticket = self._native.enter()
        return self._heed(ticket) if ticket.__class__ is Notice else ticket

    def _leave(self) -> Any:
        """The ticket of the innermost block of this guard; none if it was entered in another context."""
        inner = []
        block = _blocks.get()
        while block is not None and block[0] is not self:
            inner.append(block)
            block = block[2]
        if block is None:
            return None
        rest = block[2]
        for other in reversed(inner):
            rest = (other[0], other[1], rest)
        _blocks.set(rest)
        return block[1]

    def _heed(self, notice: _ext.GuardNotice) -> _ext.GuardTicket:
        """The ticket of a call that may be made; raises what refuses it."""
        self._told(notice.change)
        ticket = notice.ticket
        if ticket is None:
            raise self._refusal(notice) from self._last
        return ticket

    def _refusal(self, refusal: _ext.GuardNotice) -> GuardOpenError:
        after = refusal.retry_after
        if refusal.state == "isolated":
            text, hint = "was isolated by hand", "it refuses calls until its close() is called"
        elif after is not None:
            last = f", at last with {type(self._last).__name__}" if self._last is not None else ""
            text, hint = f"is open for another {after:.1f} s: {refusal.reason}{last}", "look at what it guards"
        else:
            text, hint = "is trying whether it works again", "look at what it guards"
        error = GuardOpenError(f"guard {self.name!r} {text}; it was not called")
        error.__dict__.update(name=self.name, state=refusal.state, retry_after=after, hint=hint)
        if self._listeners:
            self._tell("refused", retry_after=after)
        return error

    def _failed(self, ticket: Any, error: BaseException) -> None:
        """A call ended with an exception, or its beginning did."""
        native = self._native
        if ticket.__class__ is Notice:
            ticket = ticket.ticket
        if ticket is None:
            # It was refused, or interrupted before it had leave.
            return
        if not isinstance(error, Exception):
            # Cancelled, interrupted, closed: whoever wanted the answer has left, and nothing is known.
            self._told(native.abandoned(ticket))
        elif not self._counts(error) or self._excluded(error):
            self._told(native.done(ticket))
        else:
            change = native.failed(ticket)
            if self._listeners:
                self._tell("failure", error=error)
            self._told(change, error)

    def _failed_natively(self, ticket: Any, error: BaseException) -> None:
        """The same, of a call that `GuardedCall` made: who is told may ask for the exception that is being handled."""
        context, traceback = _CONTEXT.__get__(error), _TRACEBACK.__get__(error)
        try:
            raise error
        except BaseException:
            # What is handled where the call was made is no reason for this one.
            _CONTEXT.__set__(error, context)
            self._failed(ticket, error)
        finally:
            _TRACEBACK.__set__(error, traceback)

    def _told(self, change: dict[str, Any] | None, error: BaseException | None = None) -> None:
        if change is None:
            return
        kind = change.pop("kind")
        if kind == "open":
            # One of each guard, until it closes: with its traceback, since that is what people will want to see.
            self._last = error if error is not None else self._last
            change["error"] = error
        elif kind in ("close", "isolate"):
            self._last = None
        _note(self.name, kind, change)
        change.pop("trip", None)
        self._tell(kind, **change)

    def _tell(self, kind: str, **facts: Any) -> None:
        if not self._listeners:
            return
        event = GuardEvent(self, kind, **facts)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.exception("a listener of guard %r failed", self.name)


class _Course:
    """One call that may be made again, or answered by a fallback."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.attempt = 0
        self.ticket: Any = None
        self.first: Any = None
        self.refusal: Any = None
        #: What the last call raised: raised to the caller if there is no other one. The end of the course lets go of it.
        self.last: BaseException | None = None

    def begins(self) -> bool:
        """Whether the call is made, for the first time or again."""
        native = self.guard._native
        ticket: Any = native.enter() if self.attempt == 0 else native.enter_again()
        if ticket.__class__ is Notice:
            self.guard._told(ticket.change)
            self.refusal, ticket = ticket, ticket.ticket
            if ticket is None:
                return False
        if self.attempt == 0:
            self.first = ticket
        self.attempt += 1
        self.ticket = ticket
        return True

    def is_no_coroutine(self, function: Any, result: Any) -> None:
        if result.__class__ is CoroutineType:
            result.close()
            raise TypeError(
                f"guard: {_name_of(function)} answered with a coroutine and is no coroutine function: "
                "it cannot be called again, or have a fallback; make it `async def`"
            )

    def done(self) -> None:
        self.guard._told(self.guard._native.done(self.ticket))

    def failed(self, error: BaseException) -> float | None:
        """The pause before it is called again; `None`: it is not."""
        guard = self.guard
        guard._failed(self.ticket, error)
        answer = guard._options.repeats and isinstance(error, Exception) and guard._on(error)
        if answer is False:
            return None
        pause = guard._native.again(self.first, self.attempt, _deadline.left(), pause_of(answer))
        if pause.__class__ is str:
            return None
        open_for = guard._native.stats()["retry_after"]
        if open_for is not None and open_for > pause or guard.state == "isolated":
            return None
        self.last = error
        facts = {"attempt": self.attempt + 1, "wait": pause, "error": error}
        _note(guard.name, "retry", facts)
        guard._tell("retry", **facts)
        return cast(float, pause)

    def refused(self, args: Any, kwargs: Any) -> Any:
        """The call is not made, or not again."""
        if self.last is not None:
            raise self.last
        fallback = self.guard._options.fallback
        error = self.guard._refusal(self.refusal)
        if fallback is not None:
            return fallback(*args, **kwargs)
        raise error from self.guard._last


@overload
def guard(function: F, /, **options: Any) -> F: ...


@overload
def guard(
    function: None = None,
    /,
    *,
    name: str | None = None,
    fail_max: int | None = 5,
    reset_timeout: Seconds = 5.0,
    reset_timeout_max: Seconds | None = None,
    success_threshold: int = 1,
    trials: int = 1,
    trial_timeout: Seconds = 60.0,
    window: Seconds = 10.0,
    calls_min: int = 20,
    failure_rate: float | None = 0.5,
    slow_after: Seconds | None = None,
    slow_rate: float = 0.5,
    include: Errors = Exception,
    exclude: Errors = (),
    on: Errors | None = None,
    attempts: int | None = None,
    timeout: Seconds | None = 45.0,
    wait_initial: Seconds = 0.1,
    wait_max: Seconds = 5.0,
    wait_jitter: Seconds = 1.0,
    wait_exp_base: float = 2.0,
    retry_budget: int = 20,
    fallback: Callable[..., Any] | None = None,
    listeners: Any = (),
) -> Guard: ...


def guard(function: Any = None, /, **options: Any) -> Any:
    """A guard, or a function with one of its own::

        @seawall.guard
        def charge(amount): ...

        payments = seawall.guard(name="payments", fail_max=3, exclude=(CardDeclined,))

        @payments
        async def refund(amount): ...

        with payments:
            ...

        payments.call(charge, 5)

    While open it raises :class:`seawall.errors.GuardOpenError` instead of calling. docs/python/guard.md has the options.
    """
    made = Guard(read(options))
    return made if function is None else made(function)


def all_guards() -> list[Guard]:
    """Every guard of this process."""
    while True:
        try:
            return list(_all)
        except RuntimeError:
            # Another thread made one meanwhile.
            continue


_SUMS = ("calls", "succeeded", "failed", "abandoned", "slow", "refused", "retries", "retries_unpaid")
RANK = {"closed": 0, "half-open": 1, "open": 2, "isolated": 3, "disabled": 4}
#: What guards counted that are there no more, by name; so many names at most.
_gone: dict[str, dict[str, Any]] = {}
_GONE_MAX = 1_024
_lock = threading.RLock()


def _of_the_gone() -> dict[str, dict[str, Any]]:
    return {name: dict(counted) for name, counted in _gone.items()}


def by_name() -> dict[str, dict[str, Any]]:
    """The stats of every guard of this process; those of one name are one, in the worst of their states."""
    # Guards first: one that goes away in between is held here, and not yet among the gone.
    alive = all_guards()
    with _lock:
        found = _of_the_gone()
    for guard in alive:
        _join(found, guard.stats())
    return found


def _join(found: dict[str, dict[str, Any]], one: dict[str, Any]) -> None:
    name = one.pop("name")
    sum = found.get(name)
    if sum is None:
        found[name] = one
        return
    counted = {key: sum[key] + one[key] for key in _SUMS}
    if RANK.get(one["state"], -1) > RANK.get(sum["state"], -1):
        sum.update(one)
    sum.update(counted)


def _keep(stats: dict[str, Any]) -> None:
    if not stats["calls"] and not stats["refused"]:
        return
    with _lock:
        if len(_gone) < _GONE_MAX or stats["name"] in _gone:
            _join(_gone, {**stats, "state": None, "reason": None, "since": None, "retry_after": None})


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    _gone.clear()


os.register_at_fork(after_in_child=_after_fork)


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__qualname__"):
        function = type(function)
    module = getattr(function, "__module__", None)
    return f"{module}.{function.__qualname__}" if module else str(function.__qualname__)


_NOT_PLAIN = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
#: As the interpreter has them: an exception's own class may not let them be set.
_CONTEXT, _TRACEBACK = BaseException.__dict__["__context__"], BaseException.__dict__["__traceback__"]
_LEVELS = {"open": logging.WARNING, "isolate": logging.WARNING, "disable": logging.WARNING, "half-open": logging.DEBUG}


def _note(name: str, kind: str, facts: dict[str, Any]) -> None:
    """Tells the log and those who listen to everything."""
    facts = dict(facts)
    cause = facts.pop("trip", None)
    error = facts.get("error")
    if error is not None:
        facts["error"] = type(error).__name__
    events.tell(events.Event(f"guard.{kind}", name, cause, facts), _LEVELS.get(kind, logging.INFO))
