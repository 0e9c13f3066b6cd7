"""Our own: `seawall.Redis` from threads, `seawall.asyncio.Redis` in tasks."""

import asyncio
import threading
import time

import seawall
import with_redis
from lines import Failure
from seawall.errors import SeawallError


def options_of(settings):
    return with_redis.options_of(settings) | {
        "deadline": settings["deadline_ms"] / 1000,
        "pool_size": settings["workers"],
    }


def failure(error):
    if not isinstance(error, SeawallError):
        return with_redis.failure(error)
    # Refused by policy: the endpoint is known to be in an outage, and the answer says when to come back.
    refused = error.retry_after is not None and not error.may_have_run
    return Failure(
        error,
        sent="perhaps" if error.may_have_run else "no",
        cause=error.cause,
        refused="yes" if refused else "no",
        attempts=error.attempts,
    )


class Watch:
    """What the client's own statistics say of outages and lost connections, as the lab's events."""

    PERIOD = 0.005

    def __init__(self, stats, say):
        self.stats, self.say = stats, say
        self.outages, self.lost, self.cause = 0, {}, None

    def look(self):
        stats = self.stats()
        for cause, count in stats["lost"].items():
            for _ in range(count - self.lost.get(cause, 0)):
                self.say(f"event lost cause={cause}\n")
        self.lost = stats["lost"]
        if stats["outages"] > self.outages:
            if self.cause is not None:
                self.say(f"event outage-end cause={self.cause}\n")
            for _ in range(stats["outages"] - self.outages):
                self.say(f"event outage-start cause={stats['cause'] or '-'}\n")
            self.outages = stats["outages"]
            self.cause = "-"
        if self.cause is not None:
            if stats["cause"] is not None:
                self.cause = stats["cause"]
            else:
                self.say(f"event outage-end cause={self.cause}\n")
                self.cause = None
        return stats


class Client(with_redis.Client):

    def __init__(self, settings):
        self.client = seawall.Redis(**options_of(settings))

    def run(self, call):
        with seawall.deadline(call.left()):
            return super().run(call)

    def failure(self, error):
        return failure(error)

    def watch(self, say):
        self.watcher = Watch(self.client.connection_pool.stats, say)

        def look():
            while True:
                self.watcher.look()
                time.sleep(Watch.PERIOD)

        threading.Thread(target=look, daemon=True).start()

    def farewell(self):
        stats = self.watcher.look()
        failed = sum(stats["dials_failed"].values())
        return f"stats dials={stats['dialled']} dials-failed={failed} retries={stats['retried']}\n"


class Asyncio(with_redis.Asyncio):

    def __init__(self, settings):
        self.client = seawall.asyncio.Redis(**options_of(settings))

    async def run(self, call):
        with seawall.deadline(call.left()):
            return await super().run(call)

    def failure(self, error):
        return failure(error)

    def watch(self, say):
        self.watcher = Watch(self.client.connection_pool.stats, say)

        async def look():
            while True:
                self.watcher.look()
                await asyncio.sleep(Watch.PERIOD)

        self.watching = asyncio.get_running_loop().create_task(look())

    farewell = Client.farewell
