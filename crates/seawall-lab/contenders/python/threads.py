"""A client that blocks, used from threads: as many calls at a time as the lab gives workers."""

import queue
import sys
import threading
import time

import lines


class Contender:
    def __init__(self, client, workers):
        self.client = client
        self.pauses = {}
        self.calls = queue.SimpleQueue()
        self.lines = queue.SimpleQueue()
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()
        for _ in range(workers):
            threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        client, put = self.client, self.lines.put
        while True:
            call = self.calls.get()
            if time.monotonic() > call.ends:
                put(lines.fail(call.number, lines.Failure("never got a worker", sent="no", attempts=0)))
                continue
            try:
                put(lines.ok(call.number, client.run(call)))
            except Exception as error:
                put(lines.fail(call.number, lines.failure_of(client, error)))

    def subscribe(self, number, channels):
        pauses = self.pauses[number] = queue.SimpleQueue()

        def pause():
            """Keeps the consumer busy with something else, if the lab says so."""
            while not pauses.empty():
                time.sleep(pauses.get())

        listen = threading.Thread(target=self.client.listen, args=(number, channels, pause, self.lines.put), daemon=True)
        listen.start()

    def write(self):
        out = sys.stdout
        while (line := self.lines.get()) is not None:
            out.write(line)
            if self.lines.empty():
                out.flush()
        out.flush()

    def serve(self):
        """Takes orders until the lab says stop; false if it is gone."""
        for line in sys.stdin:
            word, *fields = line.rstrip("\n").split(" ")
            if word == "call":
                self.calls.put(lines.call_of(line.rstrip("\n")))
            elif word == "subscribe":
                self.subscribe(fields[0], lines.channels_of(fields))
            elif word == "pause":
                self.pauses[fields[0]].put(int(fields[1]) / 1000)
            elif word == "stop":
                return True
        return False


def contend(kind, settings, ready):
    client = kind(settings)
    contender = Contender(client, settings["workers"])
    client.watch(contender.lines.put)
    contender.lines.put(ready)
    if contender.serve():
        contender.lines.put(client.farewell() + "bye\n")
        contender.lines.put(None)
        contender.writer.join(timeout=2)
