"""What somebody's own code looks like to a type checker. Checked by `test_types.py`, never run.

An `# type: ignore` says that an error is wanted there: one too many is an error as well.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import redis
import redis.asyncio
from typing_extensions import assert_type

import seawall
import seawall.asyncio
from seawall import errors

# -- clients: redis-py's types --

r = seawall.Redis(host="localhost", decode_responses=True, deadline=1.0)
assert_type(r, seawall.Redis)
assert_type(r.get("key"), "bytes | str | None")
assert_type(seawall.Redis.from_url("redis://localhost"), seawall.Redis)
assert_type(seawall.from_url("redis://localhost"), seawall.Redis)
assert_type(r.pipeline().get("key"), "bytes | str | None")
theirs: redis.Redis = r
pool: redis.ConnectionPool = seawall.ConnectionPool.from_url("redis://localhost")
connection: redis.Connection = seawall.Connection(host="localhost")

a = seawall.asyncio.Redis.from_url("redis://localhost")
assert_type(a, seawall.asyncio.Redis)
assert_type(a.get("key"), "Awaitable[bytes | str | None]")
theirs_too: redis.asyncio.Redis = a

r.get()  # type: ignore[call-arg]
r.get(key="key")  # type: ignore[call-arg]
r.no_such_command()  # type: ignore[attr-defined]


async def reads() -> None:
    assert_type(await a.get("key"), "bytes | str | None")
    async with seawall.guard():
        await a.get("key")


# -- the rest --

with seawall.deadline(1.0):
    pass


async def bounded() -> None:
    async with seawall.deadline(1.0):
        pass


with seawall.deadline("1s"):  # type: ignore[arg-type]
    pass
assert_type(seawall.stats(), "dict[str, Any]")
assert_type(seawall.health(), "dict[str, Any]")
assert_type(seawall.__version__, str)
assert_type(seawall.prometheus.text(), str)


@seawall.on_event(names="outage")
def hears(event: seawall.Event) -> None:
    assert_type(event.cause, "str | None")


@seawall.on_event
def hears_all(event: seawall.Event) -> None: ...


assert_type(hears_all(seawall.Event("outage.start", "localhost:6379")), None)
seawall.on_event(5)  # type: ignore[call-overload]

try:
    r.get("key")
except errors.ConnectionError as error:
    assert_type(error.cause, str)
    assert_type(error.may_have_run, bool)
    assert_type(error.attempts, int)
    assert_type(error.elapsed, float)
    assert_type(error.idle, "float | None")
    assert_type(error.retry_after, "float | None")
    assert_type(error.hint, str)
    known: redis.ConnectionError = error
except errors.GuardOpenError as refused:
    assert_type(refused.name, str)
    also: errors.SeawallError = refused
except errors.SeawallError as any_error:
    assert_type(any_error.cause, str)

# -- guard keeps signatures --


@seawall.guard
def charge(amount: int, *, currency: str = "EUR") -> str:
    return f"{amount} {currency}"


assert_type(charge(5, currency="CHF"), str)
charge("5")  # type: ignore[arg-type]
charge(5, coin="CHF")  # type: ignore[call-arg]

assert_type(seawall.guard(charge, fail_max=3)(5), str)
payments = seawall.guard(
    name="payments", fail_max=3, reset_timeout=timedelta(seconds=30), exclude=(ValueError, lambda error: error.args == ())
)
assert_type(payments, seawall.Guard)


@payments
async def refund(amount: int) -> bytes:
    return b""


async def refunds() -> None:
    assert_type(await refund(5), bytes)
    await refund("5")  # type: ignore[arg-type]
    assert_type(await payments.call(refund, 5), bytes)
    coroutine: Awaitable[bytes] = payments.call(refund, 5)
    await coroutine


class Shop:
    @payments
    def buy(self, what: str) -> int:
        return len(what)

    @classmethod
    @payments
    def open(cls) -> Shop:
        return cls()


assert_type(Shop.open().buy("bread"), int)
Shop().buy(5)  # type: ignore[arg-type]
assert_type(payments.call(charge, 5, currency="CHF"), str)
payments.call(charge, 5, coin="CHF")  # type: ignore[call-arg]
with payments as entered:
    assert_type(entered, seawall.Guard)
assert_type(payments.state, str)
assert_type(payments.stats(), "dict[str, Any]")


def told(event: seawall.GuardEvent) -> None:
    assert_type(event.guard, seawall.Guard)
    assert_type(event.error, "BaseException | None")


payments.add_listener(told)
seawall.guard(on=OSError, attempts=3, listeners=[told], fallback=lambda *_: None)
seawall.guard(fail_max="3")  # type: ignore[call-overload]
seawall.guard(no_such_option=3)  # type: ignore[call-overload]
