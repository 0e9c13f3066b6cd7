"""Pipelines in one native call answer what redis-py's do, and are as careful as any call."""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import seawall
from asyncio_world import Relay
from redis._parsers.base import BaseParser
from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from seawall import _ext, _pipelines, pipeline
from seawall.contrib import _unavailable


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
    return next(kind for kind in type(error).__mro__ if not issubclass(kind, seawall.errors.SeawallError))


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


# -- what the server says of its own state --


def full(make_server: Any) -> Any:
    """A server without room."""
    server = make_server("--maxmemory-policy", "noeviction")
    server.admin().mset({"k": "v", "word": "x"})
    server.admin().config_set("maxmemory", "100kb")
    return server


def replica(make_server: Any) -> Any:
    return make_server("--replicaof", "127.0.0.1 1")


def unsaved(make_server: Any) -> Any:
    """A server whose last save failed."""
    server = make_server("--save", "3600 1")
    shutil.rmtree(server.folder)
    admin = server.admin()
    admin.set("k", "v")
    admin.bgsave()
    while admin.info("persistence")["rdb_last_bgsave_status"] == "ok":
        time.sleep(0.01)
    return server


def narrow(make_server: Any) -> Any:
    """A server that lets nobody count."""
    server = make_server()
    server.admin().acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-incrby"])
    return server


def lonely(make_server: Any) -> Any:
    """A server that wants a replica, and has none."""
    return make_server("--min-replicas-to-write", "1")


STATES = [
    (full, "out-of-memory", redis.exceptions.OutOfMemoryError),
    (replica, "read-only", redis.exceptions.ReadOnlyError),
    (unsaved, "save-failed", redis.ResponseError),
    (lonely, "no-replicas", redis.ResponseError),
    (narrow, "permission-denied", redis.exceptions.NoPermissionError),
]


def raised(client: Any, transaction: bool, *fill: Any) -> Any:
    """The error of a pipeline."""
    pipe = client.pipeline(transaction=transaction)
    for words in fill:
        pipe.execute_command(*words)
    with pytest.raises(redis.RedisError) as caught:
        pipe.execute()
    return caught.value


def check_said(error: Any, theirs: Any, cause: str, kind: type) -> None:
    """It is redis-py's error, says more, and gives nothing away."""
    assert isinstance(error, kind) and redis_kind(error) is type(theirs) and str(error) == str(theirs)
    assert str(error).startswith("Command # ") and " of pipeline caused error: " in str(error)
    assert isinstance(error, seawall.errors.ServerStateError) and (error.cause, error.attempts) == (cause, 1)
    assert error.hint and error.endpoint and error.provenance == "replying" and 0 < error.elapsed < 10
    assert _unavailable.reason(error) is error
    said = str({**vars(error), "__notes__": getattr(error, "__notes__", "")})
    assert "secret" in str(error) and "secret" not in said
    if sys.version_info >= (3, 11):
        assert f"{error.command} was refused: " in said and error.hint in said


@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize(("make", "cause", "kind"), STATES)
def test_a_server_that_refuses_for_its_state_says_so_in_a_pipeline(
    make_server: Any, make: Any, cause: str, kind: type, transaction: bool
) -> None:
    server = make(make_server)
    asked = ("GET", "secret"), ("INCRBY", "secret", "1")
    theirs = raised(redis.Redis(port=server.port), transaction, *asked)
    error = raised(seawall.Redis(port=server.port), transaction, *asked)
    check_said(error, theirs, cause, kind)
    # Of a transaction nothing ran. Else the GET did.
    assert error.may_have_run is not transaction
    assert server.admin().get("secret") is None


def test_a_pipeline_of_which_nothing_ran_says_so(make_server: Any) -> None:
    server = full(make_server)
    asked = ("INCRBY", "n", 1), ("append", "k", "x"), ("SET", "k", "w")
    error = raised(seawall.Redis(port=server.port), False, *asked)
    assert (error.provenance, error.may_have_run) == ("replying", False)
    # A script may have written before it came to what was refused.
    script = "redis.call('INCR', 'n')"
    other = full(make_server)
    error = raised(seawall.Redis(port=other.port), False, ("INCRBY", "n", 1), ("EVAL", script, 0))
    assert (error.cause, error.command, error.may_have_run) == ("out-of-memory", "INCRBY", True)


def test_a_list_of_replies_has_each_commands_own_error(make_server: Any) -> None:
    server = full(make_server)
    pipe = seawall.Redis(port=server.port).pipeline(transaction=False)
    got, refused, wrong = pipe.get("k").incr("n").llen("k").execute(raise_on_error=False)
    assert got == b"v"
    assert isinstance(refused, redis.exceptions.OutOfMemoryError) and str(refused).startswith("command not allowed")
    assert (refused.cause, refused.may_have_run, refused.command) == ("out-of-memory", False, "INCRBY")
    assert type(wrong) is redis.ResponseError and str(wrong).startswith("WRONGTYPE")


@pytest.mark.parametrize("transaction", [False, True])
def test_an_error_about_the_command_itself_stays_redis_pys(url: str, transaction: bool) -> None:
    client = seawall.Redis.from_url(url)
    client.set("string", "x")
    for words in (("LPUSH", "string", "x"), ("NOSUCH",), ("GET",)):
        assert type(raised(client, transaction, ("GET", "k"), words)) is redis.ResponseError


@pytest.mark.parametrize("transaction", [False, True])
def test_a_server_that_is_loading_says_so_in_a_pipeline(url: str, transaction: bool) -> None:
    error = raised(seawall.Redis.from_url(url), transaction, ("EVAL", LOADING, 0), ("SET", "k", "v"))
    assert isinstance(error, redis.exceptions.BusyLoadingError)
    assert (error.cause, error.may_have_run, error.command) == ("loading", True, "EVAL")


def test_a_transaction_after_watch_says_why_it_was_refused(make_server: Any) -> None:
    server = full(make_server)
    for option in ({}, {EMPTY_RESPONSE: []}):
        with seawall.Redis(port=server.port).pipeline() as pipe:
            pipe.watch("k")
            pipe.multi()
            pipe.execute_command("INCRBY", "n", 1)
            pipe.execute_command("GET", "k", **option)
            with pytest.raises(redis.exceptions.OutOfMemoryError) as caught:
                pipe.execute()
        assert (caught.value.cause, caught.value.may_have_run) == ("out-of-memory", False)


def test_who_may_not_say_multi_has_run_the_commands(make_server: Any) -> None:
    server = make_server()
    everything_else = ["+@all", "-multi", "-exec"]
    server.admin().acl_setuser("u", enabled=True, passwords=["+p"], keys=["*"], commands=everything_else)
    error = raised(seawall.Redis(port=server.port, username="u", password="p"), True, ("SET", "k", "v"))
    assert (error.cause, error.may_have_run) == ("permission-denied", True)
    assert server.admin().get("k") == "v"


def test_a_transaction_that_exec_threw_away_says_why(url: str) -> None:
    pipe = seawall.Redis.from_url(url).pipeline()
    for why, cause in (("of: OOM command not allowed", "out-of-memory"), ("of previous errors.", None)):
        abort = BaseParser.parse_error(f"EXECABORT Transaction discarded because {why}")
        with pytest.raises(redis.exceptions.ExecAbortError) as caught:
            _pipelines.of_transaction(pipe, [(("SET", "k", "v"), {})], [b"OK", b"QUEUED", abort])
        assert getattr(caught.value, "cause", None) == cause and not getattr(caught.value, "may_have_run", False)


def test_an_error_about_a_single_command_bears_its_name(make_server: Any) -> None:
    server = replica(make_server)
    client = seawall.Redis(port=server.port, deadline=2)
    for _ in range(2):
        # Refused by the server at first, then mostly by ourselves.
        error = raised(client, False, ("APPEND", "k", "w"))
        assert error.command == "APPEND" and "PIPELINE" not in str(error)
    server.admin().acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-getex"])
    error = raised(client, False, ("GETEX", "k"))
    assert error.command == "GETEX" and error.cause == "permission-denied"
    assert not any("PIPELINE" in note for note in getattr(error, "__notes__", ()))
    server.kill()
    with pytest.raises(redis.RedisError):
        client.ping()
    error = raised(client, False, ("LLEN", "l"))
    assert error.command == "LLEN" and str(error).startswith("LLEN did not run: ")
    error = raised(client, False, ("LLEN", "l"), ("LLEN", "m"))
    assert error.command == "PIPELINE" and str(error).startswith("PIPELINE did not run: ")


def test_special_words_are_known_on_both_sides() -> None:
    """What Python leaves to redis-py the native side does too."""
    link_side = {"WATCH", "UNWATCH", "MULTI", "EXEC", "DISCARD"}
    assert pipeline._SPECIAL - {"HIMPORT SET"} == link_side
    assert EMPTY_RESPONSE == "EMPTY_RESPONSE" and NEVER_DECODE == "NEVER_DECODE"
    with pytest.raises(TypeError):
        _ext.answers([(("GET",), {})], None, [b""])  # type: ignore[arg-type]
