"""Our own: `seawall.Redis` from threads, `seawall.asyncio.Redis` in tasks."""

import asyncio

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


def line_of(event):
    """The lab's line for what the package tells its listeners; empty if the lab does not ask for that."""
    cause = event.cause or "-"
    if event.name == "outage.start":
        return f"event outage-start cause={cause}\n"
    if event.name == "outage.end":
        restarted = event.facts.get("restarted")
        more = f" restarted={restarted}" if restarted in ("yes", "no") else ""
        return f"event outage-end cause={cause} lasted_ms={round(event.facts['lasted'] * 1000)}{more}\n"
    if event.name == "connection.lost":
        return f"event lost cause={cause}\n"
    if event.name == "name.stale":
        return "event name-stale\n"
    return ""


class Client(with_redis.Client):
    def __init__(self, settings):
        self.client = seawall.Redis(**options_of(settings))

    def run(self, call):
        with seawall.deadline(call.left()):
            return super().run(call)

    def failure(self, error):
        return failure(error)

    def watch(self, say):
        seawall.on_event(lambda event: say(line_of(event)))

    def farewell(self):
        stats = self.client.connection_pool.stats()
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
        loop = asyncio.get_running_loop()
        # Listeners run on a thread of Seawall's.
        seawall.on_event(lambda event: loop.call_soon_threadsafe(say, line_of(event)))

    farewell = Client.farewell
