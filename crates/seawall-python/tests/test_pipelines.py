"""Pipelines in one native call answer what redis-py's do, and are as careful as any call."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import seawall
from asyncio_world import Relay
from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from seawall import _ext, pipeline


@pytest.fixture
def lossy(shared_server: Any, url: str) -> Iterator[Callable[[bytes], str]]:
    """The URL of a way to the server that loses the reply to the first request with these bytes in it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    relay = Relay(shared_server.port)
    asyncio.run_coroutine_threadsafe(relay.__aenter__(), loop).result(10)

    def lose(reply_to: bytes) -> str:
        relay.lose_reply_to = reply_to
        return relay.url

    yield lose
    asyncio.run_coroutine_threadsafe(relay.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


# -- the same answers --


def values(pipe: Any) -> None:
    pipe.set("k", "v", ex=60)
    pipe.get("k").get("missing").incr("n")
    pipe.hset("h", mapping={"a": 1, "b": b"\xff"}).hgetall("h")
    pipe.zadd("z", {"a": 1.5}).zrange("z", 0, -1, withscores=True)
    pipe.lpush("l", "x", "y").lrange("l", 0, -1).sadd("s", "m").smembers("s")
    pipe.exists("k").ttl("missing").type("k").time()
    pipe.config_get("maxmemory")


def names(pipe: Any) -> None:
    pipe.execute_command("set", "k", "v")
    pipe.execute_command("get", "k")
    pipe.execute_command("hgetall", "h")
    pipe.execute_command("CONFIG GET", "maxmemory")
    pipe.execute_command(b"GET", "k")


def wrong(pipe: Any) -> None:
    pipe.set("k", "v").lpush("k", 1).incr("n").execute_command("NOSUCH", "x").get("k")


def unqueued(pipe: Any) -> None:
    pipe.set("k", "v").execute_command("GET").get("k")


def alone(pipe: Any) -> None:
    pipe.execute_command("LPUSH", "string", 1)


def options(pipe: Any) -> None:
    pipe.set("k", "\xe9".encode())
    pipe.execute_command("GET", "k", **{NEVER_DECODE: True})
    pipe.execute_command("GET", "k", **{EMPTY_RESPONSE: []})
    pipe.get("k")


def session(pipe: Any) -> None:
    pipe.client_setname("somebody").client_getname().select(3).set("k", "v").select(0).get("k")


def blocking(pipe: Any) -> None:
    pipe.rpush("q", "a").blpop(["q"], timeout=1).get("k")


def empty(pipe: Any) -> None:
    pass


def unsendable(pipe: Any) -> None:
    pipe.set("k", "v").set("k2", object())


def scripts(pipe: Any) -> None:
    pipe.eval("return {1, redis.error_reply('ERR inside'), 'x'}", 0).eval("return redis.error_reply('MY no')", 0)


LOADING = "return redis.error_reply('LOADING Redis is loading the dataset in memory')"


def loading_first(pipe: Any) -> None:
    pipe.eval(LOADING, 0).set("k", "v")


def loading_later(pipe: Any) -> None:
    pipe.set("k", "v").eval(LOADING, 0)


KINDS = [loading_first, loading_later, values, names, wrong, unqueued, alone, options, session, blocking, empty, unsendable, scripts]


def outcome(client: Any, fill: Callable[[Any], None], transaction: bool, raises: bool) -> Any:
    client.flushall()
    client.set("string", "x")
    pipe = client.pipeline(transaction=transaction)
    fill(pipe)
    try:
        replies = pipe.execute(raise_on_error=raises)
    except Exception as error:
        # What cannot be sent is told in words of one's own.
        text = "" if isinstance(error, redis.DataError) else str(error)
        return redis_kind(error), text, client.get("k"), client.get("n")
    finally:
        assert len(pipe) == 0 and pipe.connection is None
    return comparable(replies), client.get("k"), client.get("n")


def redis_kind(error: BaseException) -> type:
    """The class of redis-py's that it is."""
    return next(kind for kind in type(error).__mro__ if not kind.__module__.startswith("seawall"))


def comparable(value: Any) -> Any:
    if isinstance(value, Exception):
        return redis_kind(value), str(value)
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(each, int) for each in value):
        return "a moment"
    return value


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize("fill", KINDS)
def test_a_pipeline_answers_what_redis_pys_does(url: str, fill: Any, transaction: bool, decode: bool) -> None:
    # Characters that are not UTF-8 are told of by both in the same way.
    codec = {"decode_responses": decode, "encoding_errors": "replace"}
    for protocol in (2, 3):
        theirs = redis.Redis.from_url(url, protocol=protocol, **codec)
        ours = seawall.Redis.from_url(url, protocol=protocol, **codec)
        for raises in (True, False):
            assert outcome(ours, fill, transaction, raises) == outcome(theirs, fill, transaction, raises)


def test_a_plain_pipeline_takes_no_connection_and_others_do(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = seawall.Redis.from_url(url)
    taken: list[str] = []
    real = client.connection_pool.get_connection
    monkeypatch.setattr(client.connection_pool, "get_connection", lambda *a, **k: taken.append("") or real(*a, **k))
    for transaction in (False, True):
        client.pipeline(transaction=transaction).set("k", 1).get("k").execute()
    assert not taken
    client.pipeline(transaction=False).client_setname("x").execute()
    client.pipeline(transaction=False).blpop("none", timeout=0.01).execute()
    assert len(taken) == 2


# -- nothing is lost for it --


def test_a_callback_that_raises_leaves_the_next_reply_to_the_next_call(url: str) -> None:
    client = seawall.Redis.from_url(url)
    client.set("mine", "mine")

    def explode(_: Any) -> None:
        raise ZeroDivisionError

    client.set_response_callback("GET", explode)
    with pytest.raises(ZeroDivisionError):
        client.pipeline(transaction=False).get("other").get("another").execute()
    client.set_response_callback("GET", lambda reply: reply)
    assert client.pipeline(transaction=False).get("mine").execute() == [b"mine"]


def test_a_subclass_that_reads_replies_in_its_own_way_is_asked(url: str) -> None:
    seen: list[Any] = []

    class Own(pipeline.Pipeline):
        def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
            seen.append(command_name)
            return super().parse_response(connection, command_name, **options)

        def pipeline_execute_command(self, *args: Any, **options: Any) -> Any:
            seen.append(args)
            return super().pipeline_execute_command(*args, **options)

    client = seawall.Redis.from_url(url)
    own = Own(client.connection_pool, client.response_callbacks, False, None)
    assert own.get("k").execute() == [None]
    assert ("GET", "k") in seen


def test_who_wraps_redis_pys_pipeline_sees_each_command_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    base = redis.client.Pipeline
    keep, execute = base.pipeline_execute_command, base.execute
    monkeypatch.setattr(
        base, "pipeline_execute_command", lambda self, *a, **k: seen.append(a[0]) or keep(self, *a, **k)
    )
    monkeypatch.setattr(
        base, "execute", lambda self, *a, **k: seen.append(len(self.command_stack)) or execute(self, *a, **k)
    )
    client = seawall.Redis.from_url(url)
    assert client.pipeline().set("k", 1).get("k").execute() == [True, b"1"]
    assert seen == ["SET", "GET", 2]


def test_watch_holds_over_a_transaction(url: str) -> None:
    client, other = seawall.Redis.from_url(url), redis.Redis.from_url(url)
    with client.pipeline() as pipe:
        pipe.watch("k")
        assert pipe.get("k") is None
        other.set("k", "theirs")
        pipe.multi()
        pipe.set("k", "ours")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("k") == b"theirs"
    # What is executed next is no longer watched.
    assert pipe.set("k", "ours").execute() == [True]


def test_a_script_that_the_server_has_forgotten_is_loaded(url: str) -> None:
    client = seawall.Redis.from_url(url)
    double = client.register_script("return ARGV[1] * 2")
    client.script_flush()
    pipe = client.pipeline()
    double(args=[21], client=pipe)
    assert pipe.execute() == [42]


@pytest.mark.parametrize("transaction", [False, True])
def test_a_pipeline_that_may_have_run_is_not_sent_twice(url: str, lossy: Callable[[bytes], str], transaction: bool) -> None:
    client, direct = seawall.Redis.from_url(lossy(b"INCR")), redis.Redis.from_url(url)
    client.ping()
    with pytest.raises(redis.ConnectionError) as caught:
        client.pipeline(transaction=transaction).incr("n").get("k").execute()
    assert caught.value.may_have_run
    assert direct.get("n") == b"1"
    assert client.pipeline(transaction=transaction).incr("n").execute() == [2]


def test_a_pipeline_of_reads_is_sent_again(lossy: Callable[[bytes], str]) -> None:
    client = seawall.Redis.from_url(lossy(b"twice"))
    client.ping()
    assert client.pipeline(transaction=False).get("twice").get("k").execute() == [None, None]
    assert client.connection_pool.stats()["retried"] == 1


def test_a_deadline_ends_a_pipeline(make_server: Any) -> None:
    server = make_server()
    client = seawall.Redis(port=server.port)
    client.ping()
    server.freeze()
    began = time.monotonic()
    with seawall.deadline(0.3), pytest.raises(redis.TimeoutError) as caught:
        client.pipeline().incr("n").execute()
    assert time.monotonic() - began < 5
    assert caught.value.may_have_run and caught.value.attempts == 1
    server.thaw()
    assert client.pipeline().get("k").execute() == [None]


def test_pipelines_of_many_threads_get_their_own_replies(url: str) -> None:
    client = seawall.Redis.from_url(url)
    wrong: list[Any] = []

    def work(name: int) -> None:
        for turn in range(100):
            mine = f"{name}:{turn}"
            pipe = client.pipeline(transaction=turn % 2 == 0)
            if pipe.set(f"k{name}", mine).get(f"k{name}").execute() != [True, mine.encode()]:
                wrong.append(mine)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)


def test_special_words_are_known_on_both_sides() -> None:
    """What Python leaves to redis-py the native side does too."""
    link_side = {"WATCH", "UNWATCH", "MULTI", "EXEC", "DISCARD"}
    assert pipeline._SPECIAL - {"HIMPORT SET"} == link_side
    assert EMPTY_RESPONSE == "EMPTY_RESPONSE" and NEVER_DECODE == "NEVER_DECODE"
    with pytest.raises(TypeError):
        _ext.answers([(("GET",), {})], None, [b""])  # type: ignore[arg-type]
