"""What a guard is told: its options, their defaults and what they must be."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Union

log = logging.getLogger("seawall")

#: Seconds, or a span of time.
Seconds = Union[float, timedelta]
#: Which exceptions: a class, a predicate, or several of both.
Errors = Union[type[BaseException], Callable[[Any], Any], Iterable[Union[type[BaseException], Callable[[Any], Any]]]]

#: The longest of everything: what is meant to be for ever is `None`.
_SPAN_MAX = 366 * 86_400.0


@dataclass(frozen=True)
class Options:
    """docs/python/guard.md says what each means."""

    name: str | None = None
    fail_max: int | None = 5
    reset_timeout: Seconds = 5.0
    reset_timeout_max: Seconds | None = None
    success_threshold: int = 1
    trials: int = 1
    trial_timeout: Seconds = 60.0
    window: Seconds = 10.0
    calls_min: int = 20
    failure_rate: float | None = 0.5
    slow_after: Seconds | None = None
    slow_rate: float = 0.5
    include: Errors = Exception
    exclude: Errors = ()
    on: Errors | None = None
    attempts: int | None = None
    timeout: Seconds | None = 45.0
    wait_initial: Seconds = 0.1
    wait_max: Seconds = 5.0
    wait_jitter: Seconds = 1.0
    wait_exp_base: float = 2.0
    retry_budget: int = 20
    fallback: Callable[..., Any] | None = None
    listeners: Iterable[Callable[[Any], object]] = ()

    @property
    def repeats(self) -> bool:
        """Whether calls are made again at all."""
        return self.on is not None and self.attempts != 1

    def numbers(self) -> dict[str, Any]:
        """What the native part goes by; raises `ValueError` or `TypeError` for what cannot be."""
        _nobody_repeats_unasked(self)
        if self.fallback is not None and not callable(self.fallback):
            raise TypeError(f"guard: fallback={self.fallback!r} cannot be called; give a function of the call's arguments")
        if not isinstance(self.listeners, Iterable):
            raise TypeError(f"guard: listeners={self.listeners!r} is no list; give [f] for one function")
        for listener in self.listeners:
            if not callable(listener):
                raise TypeError(f"guard: listeners: {listener!r} cannot be called")
        reset = _seconds(self, "reset_timeout")
        longest = max(60.0, reset) if self.reset_timeout_max is None else _seconds(self, "reset_timeout_max")
        if longest < reset:
            raise ValueError(f"guard: reset_timeout_max={longest:g} is below reset_timeout={reset:g}")
        return {
            "fail_max": None if self.fail_max is None else _count(self, "fail_max"),
            "window": _seconds(self, "window", above=0.001),
            "calls_min": _count(self, "calls_min"),
            "failure_rate": None if self.failure_rate is None else _share(self, "failure_rate"),
            "slow_after": None if self.slow_after is None else _above_nothing(self, "slow_after"),
            "slow_rate": _share(self, "slow_rate"),
            "reset_timeout": reset,
            "reset_timeout_max": longest,
            "trials": _count(self, "trials"),
            "success_threshold": _count(self, "success_threshold"),
            "trial_timeout": _seconds(self, "trial_timeout", above=0.001),
            "attempts": self._attempts(),
            "timeout": None if self.timeout is None else _seconds(self, "timeout"),
            "wait_initial": _seconds(self, "wait_initial"),
            "wait_max": _seconds(self, "wait_max"),
            "wait_jitter": _seconds(self, "wait_jitter"),
            "wait_exp_base": _number(self, "wait_exp_base", 1.0, 1000.0),
            "retry_budget": _count(self, "retry_budget", least=0),
        }

    def _attempts(self) -> int:
        if not self.repeats:
            return 1
        return 10 if self.attempts is None else _count(self, "attempts")


def read(options: dict[str, Any]) -> Options:
    """The options by their names."""
    known = {field.name for field in fields(Options)}
    for name in options:
        if name not in known:
            raise TypeError(f"guard: there is no option {name!r}; there are {', '.join(sorted(known))}")
    return Options(**options)


def matcher(option: str, errors: Errors, broken: bool = False) -> Callable[[BaseException], Any]:
    """A test whether an exception is one of these; what a predicate answers is answered, or `broken` if it raises."""
    if isinstance(errors, (type, str)) or callable(errors):
        errors = (errors,)
    try:
        given: tuple[Any, ...] = tuple(errors)
    except TypeError:
        given = (errors,)
    classes = tuple(one for one in given if isinstance(one, type) and issubclass(one, BaseException))
    predicates = [one for one in given if not isinstance(one, type) and callable(one)]
    if len(classes) + len(predicates) != len(given):
        bad = next(one for one in given if one not in classes and one not in predicates)
        raise TypeError(f"guard: {option}: {bad!r} is neither a class of exceptions nor a function of one")

    def matches(error: BaseException) -> Any:
        if isinstance(error, classes):
            return True
        for predicate in predicates:
            try:
                answer = predicate(error)
            except Exception:
                # Whoever called wants to see what failed, not that somebody could not judge it.
                log.exception("guard: %s: the predicate %r failed", option, predicate)
                answer = broken
            # A pause of no seconds is an answer, `False` is none.
            if answer or (answer is not False and answer is not None):
                return answer
        return False

    return matches


def pause_of(answer: Any) -> float | None:
    """The pause that a predicate has chosen; `None` if it has only said yes."""
    if isinstance(answer, timedelta):
        answer = answer.total_seconds()
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        return None
    return max(0.0, float(answer))


def _nobody_repeats_unasked(options: Options) -> None:
    if options.on is None and options.timeout not in (None, Options.timeout):
        raise ValueError(f"guard: timeout={options.timeout!r} without on=: it bounds how long a call is made again, and ends none")
    if options.on is None and options.attempts not in (None, 1):
        raise ValueError(
            f"guard: attempts={options.attempts!r} without on=: say which exceptions may be followed by another call, "
            "such as on=httpx.TransportError; only you know what may run twice"
        )


def _number(options: Options, name: str, least: float, most: float) -> float:
    value = getattr(options, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"guard: {name}={value!r} is no number")
    if not least <= value <= most:
        raise ValueError(f"guard: {name}={value!r}: give {least:g} to {most:g}")
    return float(value)


def _seconds(options: Options, name: str, above: float = 0.0) -> float:
    value = getattr(options, name)
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"guard: {name}={value!r} is no number of seconds")
    if not (above <= seconds <= _SPAN_MAX) or math.isnan(seconds):
        raise ValueError(f"guard: {name}={value!r}: give {above:g} seconds to a year")
    return float(seconds)


def _above_nothing(options: Options, name: str) -> float:
    seconds = _seconds(options, name)
    if seconds == 0:
        raise ValueError(f"guard: {name}=0 would find every call slow; give seconds above 0, or None")
    return seconds


def _count(options: Options, name: str, least: int = 1) -> int:
    value = getattr(options, name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"guard: {name}={value!r} is no whole number")
    if not least <= value <= 1_000_000:
        raise ValueError(f"guard: {name}={value!r}: give {least} to 1000000")
    return value


def _share(options: Options, name: str) -> float:
    value = getattr(options, name)
    if isinstance(value, (int, float)) and not 0 <= value <= 1:
        raise ValueError(f"guard: {name}={value!r}: give a share of calls above 0 and up to 1, as 0.5 for half of them")
    value = _number(options, name, 0.0, 1.0)
    if value == 0:
        raise ValueError(f"guard: {name}=0 would open at every call; give a share of calls above 0 and up to 1, or None")
    return value
