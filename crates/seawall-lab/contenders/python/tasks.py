"""A client of asyncio: a task for each call. A call that is given up is a task that is cancelled."""

import asyncio
import collections
import os
import sys

import lines
from lines import say


class Contender:
    def __init__(self, client):
        self.client = client
        self.tasks = {}
        self.pauses = {}
        self.listeners = set()

    async def call(self, call):
        try:
            return lines.ok(call.number, await self.client.run(call))
        except Exception as error:
            return lines.fail(call.number, lines.failure_of(self.client, error))

    def begin(self, call):
        task = asyncio.get_running_loop().create_task(self.call(call))
        self.tasks[call.number] = task
        task.add_done_callback(lambda task: self.ended(call.number, task))

    def ended(self, number, task):
        """Not in the task: one that is cancelled before its first step runs none of its own lines."""
        del self.tasks[number]
        if task.cancelled():
            say(lines.fail(number, lines.Failure("cancelled", cause="cancelled")))
        else:
            say(task.result())

    def subscribe(self, number, channels):
        pauses = self.pauses[number] = collections.deque()

        async def pause():
            """Keeps the consumer busy with something else, if the lab says so."""
            while pauses:
                await asyncio.sleep(pauses.popleft())

        listening = self.client.listen(number, channels, pause, say)
        self.listeners.add(asyncio.get_running_loop().create_task(listening))

    async def serve(self):
        """Takes orders until the lab says stop; false if it is gone."""
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader(limit=1 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while line := (await orders.readline()).decode().rstrip("\n"):
            word, *fields = line.split(" ")
            if word == "call":
                self.begin(lines.call_of(line))
            elif word == "cancel" and fields[0] in self.tasks:
                self.tasks[fields[0]].cancel()
            elif word == "subscribe":
                self.subscribe(fields[0], lines.channels_of(fields))
            elif word == "pause":
                self.pauses[fields[0]].append(int(fields[1]) / 1000)
            elif word == "stop":
                return True
        return False


async def contend(kind, settings, ready):
    async with kind(settings) as client:
        contender = Contender(client)
        client.watch(say)
        say(ready)
        if await contender.serve():
            say(client.farewell() + "bye\n")
        # Tasks that hang are left behind, and so is what the client would do in good order.
        sys.stdout.flush()
        os._exit(0)
