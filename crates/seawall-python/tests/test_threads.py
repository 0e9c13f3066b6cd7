"""Many threads over one client while the server is killed and comes back: each gets its own replies, none hangs.

With ``SEAWALL_TRY=redis-py`` 64 threads run into ``MaxConnectionsError`` (and all miss ``stats()``). A reply that reaches the
wrong thread is seen by its value, which only one thread writes.
"""

from __future__ import annotations

import os
import random
import threading
import time

import pytest
import redis
from sync_world import PATIENCE, native, pooled, until


class Work:
    """Threads that say what only they say, in every way, and note what they hear."""

    def __init__(self, client: redis.Redis, count: int) -> None:
        self.client = client
        self.over = threading.Event()
        self.wrong: list[object] = []
        self.broken: list[BaseException] = []
        self.well: dict[int, float] = {}
        self.increments = [0] * count
        self.doubts = [0] * count
        self.threads = [threading.Thread(target=self.run, args=(place,), daemon=True) for place in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, place: int) -> None:
        dice = random.Random(place)
        number = 0
        try:
            while not self.over.is_set():
                number += 1
                try:
                    self.talk(place, f"{place}:{number}", dice)
                    self.well[place] = time.monotonic()
                except redis.RedisError:
                    time.sleep(0.01)
        except BaseException as error:
            self.broken.append(error)

    def talk(self, place: int, mine: str, dice: random.Random) -> None:
        client = self.client
        kind = dice.randrange(8)
        if kind == 0:
            got, expected = client.pipeline(transaction=False).echo(mine).echo(mine * 50).execute(), [mine, mine * 50]
        elif kind == 1:
            got, expected = client.pipeline().echo(mine).set(f"of:{place}", mine).execute(), [mine, True]
        elif kind == 2:
            with client.lock(f"lock:{place % 4}", timeout=1, blocking_timeout=2, sleep=0.005):
                got, expected = client.echo(mine), mine
        elif kind == 3:
            with client.pubsub() as pubsub:
                pubsub.subscribe(mine)
                until(lambda: pubsub.get_message(timeout=1), "a confirmation")
                client.publish(mine, mine)
                message = until(lambda: pubsub.get_message(timeout=1), "a message")
                got, expected = (message["channel"], message["data"]), (mine, mine)
                if message["type"] == "subscribe":
                    # It subscribed anew: the message fell into the gap.
                    return
        elif kind == 4:
            queue = f"queue:{mine}"
            client.rpush(queue, mine)
            got, expected = list(client.blpop(queue, timeout=1) or [queue, mine]), [queue, mine]
        elif kind == 5:
            try:
                client.incr(f"count:{place}")
                self.increments[place] += 1
            except redis.RedisError as error:
                self.doubts[place] += getattr(error, "may_have_run", True)
                raise
            return
        else:
            got, expected = client.echo(mine), mine
        if got != expected:
            self.wrong.append((kind, expected, got))

    def answered_again(self) -> None:
        """Waits until every thread has been answered from now on."""
        begin = time.monotonic()
        until(lambda: self.broken or all(self.well.get(n, 0) > begin for n in range(len(self.threads))), "an answer to all")

    def end(self) -> None:
        self.over.set()
        deadline = time.monotonic() + PATIENCE
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self.threads), "a thread hangs"
        assert (self.wrong, self.broken) == ([], [])


@pytest.mark.parametrize("connected, count", [(native, 8), (pooled, 8), (native, 64)], ids=["8", "8-pooled", "64"])
def test_threads_over_one_client_get_their_own_replies_through_kills_and_restarts(make_server, connected, count):
    server = make_server(save=True)
    client = connected(server.url, decode_responses=True, socket_timeout=2, max_connections=24, client_name="of-threads")
    work = Work(client, count)
    admin = server.admin()
    for number in range(20 if os.environ.get("SEAWALL_LONG") else 2 if count == 8 else 1):
        work.answered_again()
        # 24 for plain commands, 24 for all else, and blocking commands apart: one a thread.
        assert sum(one["name"] == "of-threads" for one in admin.client_list()) <= 48 + count
        if number % 2:
            admin.client_kill_filter(_type="normal", skipme=True)
            work.answered_again()
        server.kill()
        time.sleep(0.2)
        server.start()
    work.answered_again()
    work.end()
    for place in range(count):
        ran = int(server.admin().get(f"count:{place}") or 0)
        assert work.increments[place] <= ran <= work.increments[place] + work.doubts[place]
    pool = client.connection_pool
    assert not list(pool._in_use_connections)
    until(lambda: pool.stats()["in_use"] == 0 and pool.stats()["waiting"] == 0, "an end of all calls")
    client.close()
