"""What redis-py's own clients do over a pool of ours, as Django, django-redis and RQ make them, counts as calls.

Fails where what is said over a lent connection is not counted: all is zero then, but what failed for want of a connection.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
import redis.asyncio
import seawall
import seawall.asyncio
from sync_world import Path

COUNTS = ("calls", "answered", "retried", "may_have_run")


def counts(pool: Any) -> dict[str, Any]:
    told = pool.stats()
    return {name: told[name] for name in COUNTS} | {"failed": sum(told["failed"].values())}


class Both:
    """The same words to redis-py's client of threads and of tasks."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        options = {"client_name": f"calls-{kind}"}
        if kind == "threads":
            self.pool: Any = seawall.ConnectionPool.from_url(url, **options)
            self.client: Any = redis.Redis(connection_pool=self.pool)
        else:
            self.loop = asyncio.new_event_loop()
            self.pool = seawall.asyncio.ConnectionPool.from_url(url, **options)
            self.client = redis.asyncio.Redis(connection_pool=self.pool)

    def do(self, call: Any) -> Any:
        if self.kind == "threads":
            return call()

        async def awaited() -> Any:
            return await call()

        return self.loop.run_until_complete(awaited())

    def counts(self) -> dict[str, Any]:
        if self.kind == "threads":
            return counts(self.pool)

        async def asked() -> dict[str, Any]:
            return counts(self.pool)

        return self.loop.run_until_complete(asked())

    def __enter__(self) -> Both:
        return self

    def __exit__(self, *_: object) -> None:
        if self.kind == "tasks":
            self.do(self.client.aclose)
            self.do(self.pool.disconnect)
            self.loop.close()
        else:
            self.pool.disconnect()


@pytest.fixture(params=["threads", "tasks"])
def kind(request) -> str:
    return request.param


def test_each_command_and_each_pipeline_is_one(url, kind):
    with Both(kind, url) as both:
        for _ in range(5):
            both.do(lambda: both.client.incr("n"))
        with pytest.raises(redis.ResponseError):
            both.do(lambda: both.client.lpush("n", 1))
        pipeline = both.client.pipeline()
        pipeline.incr("n")
        pipeline.get("n")
        assert both.do(pipeline.execute) == [6, b"6"]
        assert both.do(lambda: both.client.blpop("nothing", timeout=0.01)) is None
        assert both.counts() == {"calls": 8, "answered": 8, "retried": 0, "may_have_run": 0, "failed": 0}


def test_a_subscription_is_none(url, kind):
    with Both(kind, url) as both:
        subscription = both.client.pubsub()
        both.do(lambda: subscription.subscribe("channel"))
        assert both.do(lambda: subscription.get_message(timeout=10))["type"] == "subscribe"
        both.do(lambda: both.client.publish("channel", "word"))
        assert both.do(lambda: subscription.get_message(timeout=10))["data"] == b"word"
        both.do(subscription.close if kind == "threads" else subscription.aclose)
        assert both.counts() == {"calls": 1, "answered": 1, "retried": 0, "may_have_run": 0, "failed": 0}


def test_what_the_server_refuses_for_its_own_state_has_failed(make_server, kind):
    server = make_server("--maxmemory", "100kb", "--maxmemory-policy", "noeviction")
    with Both(kind, server.url) as both:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            both.do(lambda: both.client.set("word", "x"))
        both.do(lambda: both.client.get("word"))
        seen = both.counts()
        assert seen == {"calls": 2, "answered": 1, "retried": 0, "may_have_run": 0, "failed": 1}


def test_a_lost_call_is_in_doubt_and_one_that_was_sent_again_is_answered(shared_server, kind):
    with Path(shared_server.port) as relay:
        with Both(kind, relay.url) as both:
            both.do(lambda: both.client.set("n", 1))
            relay.lose_reply_to = b"INCR"
            with pytest.raises(seawall.errors.ConnectionError) as caught:
                both.do(lambda: both.client.incr("n"))
            assert caught.value.may_have_run is True
            relay.lose_reply_to = b"GET"
            assert both.do(lambda: both.client.get("n")) == b"2"
            assert relay.lost == 2
            assert both.counts() == {"calls": 3, "answered": 2, "retried": 1, "may_have_run": 1, "failed": 1}


def test_what_is_given_up_half_way_has_failed(shared_server, kind):
    with Path(shared_server.port) as relay:
        with Both(kind, relay.url) as both:
            both.do(lambda: both.client.set("n", 1))
            relay.silent = True
            with seawall.deadline(0.3), pytest.raises(redis.TimeoutError):
                both.do(lambda: both.client.incr("n"))
            relay.silent = False
            both.do(lambda: both.client.get("n"))
            assert both.counts() == {"calls": 3, "answered": 2, "retried": 0, "may_have_run": 1, "failed": 1}
