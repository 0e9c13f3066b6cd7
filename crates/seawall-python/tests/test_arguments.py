"""Arguments of every type, held against redis-py: sent as the same bytes, or refused with the same error.

Against redis-py as it is without hiredis, whose packer refuses more (an ``IntEnum``), and in other words.
"""

from __future__ import annotations

import array
import asyncio
import ctypes
import datetime
import decimal
import enum
import fractions
import uuid

import pytest
import redis
import redis.asyncio
import seawall
import seawall.asyncio
from redis._parsers.encoders import Encoder
from redis.connection import PythonRespSerializer


class Text(str):
    pass


class Bytes(bytes):
    pass


class Number(int):
    pass


class NumberWithItsOwnWord(int):
    def __repr__(self):
        return "mine"


class Real(float):
    pass


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 7


class Name(str, enum.Enum):
    FIRST = "first"


class Pretender:
    def __str__(self):
        return "text"

    def __bytes__(self):
        return b"text"

    def __int__(self):
        return 1


VALUES = {
    "empty bytes": b"",
    "bytes": b"\x00\xff\r\n$5\r\n",
    "large bytes": b"x" * 200_000,
    "bytes subclass": Bytes(b"sub"),
    "bytearray": bytearray(b"array\r\n"),
    "empty bytearray": bytearray(),
    "memoryview": memoryview(b"view"),
    "memoryview slice": memoryview(b"0123456789")[2:7],
    "empty memoryview": memoryview(b""),
    "memoryview of bytearray": memoryview(bytearray(b"view")),
    "memoryview of signed bytes": memoryview(array.array("b", [1, -2, 3])),
    "text": "text",
    "empty text": "",
    "text beyond ASCII": "é ü € 🦀 \x00",
    "text subclass": Text("sub"),
    "text enum": Name.FIRST,
    "int": 7,
    "negative int": -1,
    "zero": 0,
    "64 bits": 2**63 - 1,
    "more than 64 bits": 2**64 + 1,
    "hugely negative": -(10**40),
    "int subclass": Number(5),
    "int with its own word": NumberWithItsOwnWord(5),
    "int enum": Level.HIGH,
    "float": 1.5,
    "whole float": 3.0,
    "negative zero": -0.0,
    "large float": 1e22,
    "small float": 1e-7,
    "third": 1 / 3,
    "infinity": float("inf"),
    "no number": float("nan"),
    "float subclass": Real(2.5),
    "True": True,
    "False": False,
    "None": None,
    "object": object(),
    "list": ["a"],
    "tuple": ("a",),
    "dict": {"a": 1},
    "set": {1},
    "enum": Colour.RED,
    "Decimal": decimal.Decimal("1.1"),
    "Fraction": fractions.Fraction(1, 3),
    "UUID": uuid.UUID(int=5),
    "date": datetime.date(2026, 1, 1),
    "complex": 1j,
    "range": range(3),
    "array": array.array("b", [1]),
    "C bytes": (ctypes.c_char * 2)(),
    "pretender": Pretender(),
    "class": str,
    "surrogate": "\ud800",
}


def plain_redis_py(url, encoding="utf-8", errors="strict"):
    encode = Encoder(encoding, errors, False).encode
    packer = PythonRespSerializer(6000, encode)
    return redis.Redis.from_url(url, encoding=encoding, encoding_errors=errors, command_packer=packer)


def outcome(call, look):
    try:
        call()
    except Exception as error:
        # What is refused is refused in the same words.
        return [base for base in type(error).__mro__ if base.__module__.split(".")[0] in ("redis", "builtins")][0], str(error)
    return look()


def in_all_places(client, value):
    """The value as an argument of a command, of a pipeline and of a transaction, among a mapping's, and as a key."""
    yield "value", lambda: client.set("k", value), lambda: client.get("k")
    yield "pipeline", lambda: client.pipeline(transaction=False).set("k", value).execute(), lambda: client.get("k")
    yield "transaction", lambda: client.pipeline().set("k", value).execute(), lambda: client.get("k")
    yield "mapping", lambda: client.hset("h", mapping={"f": value}), lambda: client.hget("h", "f")
    yield "script", lambda: client.set("k", client.eval("return ARGV[1]", 0, value)), lambda: client.get("k")
    yield "channel", lambda: client.publish("news", value), lambda: None
    if isinstance(value, (bytes, str, int, float)):
        yield "key", lambda: client.set(value, "v"), lambda: client.keys("*")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_an_argument_is_sent_or_refused_as_redis_py_does(url, value):
    theirs, native = plain_redis_py(url), seawall.Redis.from_url(url)
    pooled = redis.Redis(connection_pool=seawall.ConnectionPool.from_url(url))

    def all_of(client):
        outcomes = {}
        for place, call, look in in_all_places(client, value):
            client.flushdb()
            outcomes[place] = outcome(call, look)
        return outcomes

    expected = all_of(theirs)
    assert all_of(native) == expected
    assert all_of(pooled) == expected

    async def of(client):
        await client.flushdb()
        try:
            await client.set("k", value)
            return await client.get("k")
        except Exception as error:
            return [base for base in type(error).__mro__ if base.__module__.split(".")[0] in ("redis", "builtins")][0]
        finally:
            await client.aclose()

    ours = asyncio.run(of(seawall.asyncio.Redis.from_url(url)))
    assert ours == asyncio.run(of(redis.asyncio.Redis.from_url(url)))
    for client in (theirs, native, pooled):
        client.close()


@pytest.mark.parametrize("errors", ["strict", "ignore", "replace", "surrogatepass", "backslashreplace"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "ascii"])
def test_text_is_encoded_as_it_was_asked_for(url, encoding, errors):
    theirs = plain_redis_py(url, encoding, errors)
    ours = seawall.Redis.from_url(url, encoding=encoding, encoding_errors=errors)
    raw = redis.Redis.from_url(url)
    for text in ("plain", "é", "€", "🦀", "\ud800", ""):
        outcomes = []
        for client in (theirs, ours):
            raw.flushdb()
            outcomes.append(outcome(lambda: client.set(b"k", text), lambda: raw.get("k")))
            raw.flushdb()
            outcomes[-1] = outcomes[-1], outcome(lambda: client.pipeline().set(b"k", text).execute(), lambda: raw.get("k"))
        assert outcomes[0] == outcomes[1], text


@pytest.mark.parametrize("name", ["get", "GeT", b"GET", "CONFIG GET", "config get", b"CLIENT ID", "", " ", "G ET"], ids=repr)
def test_a_commands_name_is_taken_as_redis_py_takes_it(url, name):
    def of(client):
        client.set("maxmemory", "v")
        try:
            answer = client.execute_command(name, "maxmemory") if name != b"CLIENT ID" else bool(client.execute_command(name))
        except Exception as error:
            return type(error).__name__
        return answer

    assert of(seawall.Redis.from_url(url)) == of(plain_redis_py(url))


def test_a_buffer_that_changes_after_the_call_was_sent_as_it_was(url):
    client = seawall.Redis.from_url(url)
    buffer = bytearray(b"before")
    pipe = client.pipeline().set("k", buffer)
    client.set("now", buffer)
    buffer[:] = b"after!"
    assert client.get("now") == b"before"
    # Kept until the pipeline is executed, as redis-py does.
    pipe.execute()
    assert client.get("k") == b"after!"
    client.close()
