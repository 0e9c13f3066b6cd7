"""The end of the interpreter with calls in flight: no crash, no hang, the right exit code, nothing said.

How each can fail: a thread that comes back for the interpreter's lock while it is being taken down is ended inside Rust,
which aborts the process (so did every second of the runs with a credential provider before ``src/calls.rs``); one that
keeps the interpreter waits for its thread; a finalizer that fails says ``Exception ignored``.

A process that was aborted leaves its core, and the test tells the stacks in it, where there is a gdb.
"""

from __future__ import annotations

import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from sync_world import PATIENCE

HERE = os.path.dirname(__file__)

BEGIN = """
import atexit, gc, os, sys, threading, time
sys.path.insert(0, sys.argv[1])
url = sys.argv[2]
import logging, redis, seawall
logging.getLogger("seawall").addHandler(logging.NullHandler())
from sync_world import native, pooled

class Slow:
    '''Lets the interpreter's end take its time, so that threads wake up in the middle of it.'''
    def __del__(self, sleep=time.sleep):
        sleep(0.35)

def in_threads(*calls):
    started = []
    for call in calls:
        ready = threading.Event()
        def run(call=call, ready=ready):
            ready.set()
            call()
        threading.Thread(target=run, daemon=True).start()
        ready.wait()
    time.sleep(0.1)
"""

#: What the program does, the code that it must end with, what it prints.
ENDS = {
    "daemon threads inside blocking calls": (
        """
        client, other = native(url), pooled(url)
        keep = Slow()
        in_threads(lambda: client.blpop("never", timeout=0), lambda: client.blpop("never", timeout=30),
                   lambda: other.blpop("never", timeout=0), lambda: list(client.pubsub().listen()),
                   lambda: client.pipeline(transaction=False).blpop("never", timeout=0).execute())
        print("end")
        """,
        0,
        "end\n",
    ),
    "daemon threads that never stop calling": (
        """
        client, other = native(url), pooled(url)
        keep = Slow()
        def go_on(call):
            while True:
                call()
        in_threads(*[lambda: go_on(lambda: client.get("k"))] * 3,
                   *[lambda: go_on(lambda: other.pipeline().get("k").execute())] * 3)
        print("end")
        """,
        0,
        "end\n",
    ),
    "daemon threads inside guarded functions": (
        """
        guard = seawall.guard(fail_max=None, failure_rate=None)
        sleeps = guard(lambda: time.sleep(0.001))
        counts = guard(lambda: sum(range(1000)))
        @guard
        def fails():
            time.sleep(0.001)
            raise ValueError
        def go_on(call):
            while True:
                try:
                    call()
                except ValueError:
                    pass
        keep = Slow()
        in_threads(*[lambda call=call: go_on(call) for call in (sleeps, counts, fails) * 2])
        print("end")
        """,
        0,
        "end\n",
    ),
    "daemon threads whose calls fail": (
        """
        client = native("redis://127.0.0.1:1/0", ride_out=0.001)
        keep = Slow()
        def go_on():
            while True:
                try:
                    client.get("k")
                except redis.RedisError:
                    pass
        in_threads(go_on, go_on, go_on, go_on)
        print("end")
        """,
        0,
        "end\n",
    ),
    "daemon threads inside callbacks": (
        """
        client = native(url)
        client.set_response_callback("ECHO", lambda reply, **options: time.sleep(0.2))
        keep = Slow()
        def go_on():
            while True:
                client.pipeline(transaction=False).echo("x").execute()
        in_threads(go_on, go_on)
        print("end")
        """,
        0,
        "end\n",
    ),
    "daemon threads inside Python code that is asked by the engine": (
        """
        import seawall._greenlets
        seawall._greenlets.find = lambda sleep=time.sleep: sleep(0.2)
        class Number(int):
            def __repr__(self, sleep=time.sleep):
                sleep(0.2)
                return "7"
        client = native(url)
        keep = Slow()
        in_threads(lambda: client.set("k", Number(7)), lambda: client.get("k"))
        print("end")
        """,
        0,
        "end\n",
    ),
    "a daemon thread that starts the thread for events": (
        """
        started = threading.Thread.start
        def slowly(thread):
            if thread.name == "seawall-events":
                time.sleep(0.4)
            started(thread)
        threading.Thread.start = slowly
        keep = Slow()
        in_threads(lambda: native(url).get("k"))
        print("end")
        """,
        0,
        "end\n",
    ),
    "daemon threads that make clients": (
        """
        keep = Slow()
        def go_on():
            number = 0
            while True:
                number += 1
                with native(url, client_name=f"n{number % 7}") as client:
                    client.ping()
        in_threads(go_on, go_on, go_on)
        print("end")
        """,
        0,
        "end\n",
    ),
    "a subscription's own thread": (
        """
        client = native(url)
        pubsub = client.pubsub()
        pubsub.subscribe(news=lambda message: None)
        thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True)
        keep = Slow()
        time.sleep(0.1)
        print("end")
        """,
        0,
        "end\n",
    ),
    "atexit handlers that call": (
        """
        client = native(url)
        client.set("k", "v")
        in_threads(lambda: client.blpop("never", timeout=0))
        @atexit.register
        def goodbye():
            assert client.get("k") == b"v"
            assert client.pipeline().get("k").execute() == [b"v"]
            client.close()
            assert client.get("k") == b"v"
            print("goodbye")
        print("end")
        """,
        0,
        "end\ngoodbye\n",
    ),
    "sys.exit in a thread": (
        """
        client = native(url)
        def leave():
            client.ping()
            sys.exit(5)
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
        client.ping()
        print("end")
        sys.exit(3)
        """,
        3,
        "end\n",
    ),
    "os._exit in a thread": (
        """
        client = native(url)
        def leave():
            client.ping()
            print("end", flush=True)
            os._exit(4)
        threading.Thread(target=leave).start()
        client.blpop("never", timeout=0)
        """,
        4,
        "end\n",
    ),
    "an exception with calls in flight": (
        """
        client = native(url)
        in_threads(lambda: client.blpop("never", timeout=0))
        print("end")
        raise SystemExit(9)
        """,
        9,
        "end\n",
    ),
    "clients held by globals, cycles and finalizers": (
        """
        import builtins
        class Holder:
            def __init__(self):
                self.me, self.client = self, native(url)
                self.client.ping()
                self.pipe = self.client.pipeline()
                self.pipe.watch("k")
                self.pubsub = self.client.pubsub()
                self.pubsub.subscribe("news")
            def __del__(self):
                # The interpreter may be half gone: an answer or an exception, no crash.
                try:
                    self.client.get("k")
                except Exception:
                    pass
        builtins.held = Holder()
        globals_too = Holder()
        sys.modules["redis"].held = Holder()
        keep = Slow()
        print("end")
        """,
        0,
        "end\n",
    ),
    "locks, pipelines and connections left open": (
        """
        client = native(url)
        lock = client.lock("door", timeout=1)
        lock.acquire()
        connection = client.connection_pool.get_connection()
        connection.send_command("BLPOP", "never", 0)
        single = native(url, single_connection_client=True)
        single.ping()
        monitor = client.monitor()
        monitor.__enter__()
        print("end")
        """,
        0,
        "end\n",
    ),
    "an outage under way": (
        """
        client = native("redis://127.0.0.1:1/0", socket_timeout=20, ride_out=20)
        keep = Slow()
        in_threads(lambda: client.get("k"), lambda: client.pipeline().get("k").execute())
        print("end")
        """,
        0,
        "end\n",
    ),
    "a credential provider that is asked late": (
        """
        class Provider(redis.CredentialProvider):
            def get_credentials(self):
                time.sleep(0.3)
                return ("default", "")
        client = native(url, credential_provider=Provider(), socket_timeout=20)
        keep = Slow()
        in_threads(lambda: client.get("k"))
        print("end")
        """,
        0,
        "end\n",
    ),
    "asyncio left with calls and a daemon thread": (
        """
        import asyncio
        client = seawall.asyncio.Redis.from_url(url)
        async def main():
            await client.ping()
            await asyncio.gather(*(client.get("k") for _ in range(10)), client.blpop("never", timeout=0))
        keep = Slow()
        in_threads(lambda: asyncio.run(main()))
        blocking = native(url)
        in_threads(lambda: blocking.blpop("never", timeout=0))
        print("end")
        """,
        0,
        "end\n",
    ),
}


#: Threads that come back when the interpreter is gone and the process is not: its end waits for somebody to close its
#: standard input.
LATE = """
import ctypes
libc = ctypes.CDLL(None)
libc.__cxa_atexit(libc.getchar, None, None)
client, other = native(url), pooled(url)
client.set_response_callback("ECHO", lambda reply, **options: time.sleep(1.0))
in_threads(lambda: client.blpop("late", timeout=0), lambda: client.blpop("never", timeout=1),
           lambda: other.blpop("late", timeout=0), lambda: list(client.pubsub().listen()),
           lambda: client.pipeline(transaction=False).blpop("late", timeout=0).execute(),
           lambda: client.pipeline(transaction=False).echo("x").execute(),
           lambda: native(url, retry=None).blpop("late", timeout=0))
print("end")
"""


def started(folder: pathlib.Path, program: str, url: str, *options: str) -> subprocess.Popen[str]:
    def may_leave_a_core() -> None:
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))

    return subprocess.Popen(
        [sys.executable, *options, "-c", BEGIN + program, HERE, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        preexec_fn=may_leave_a_core,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its code, what it printed, and what it complained of."""
    try:
        printed, complained = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, printed, complained


def stacks(folder: pathlib.Path, code: int) -> str:
    """Of every thread, where a signal ended the process."""
    if code >= 0:
        return ""
    cores, gdb = sorted(folder.glob("core*")), shutil.which("gdb")
    if not cores or gdb is None:
        return f"{signal.Signals(-code).name}; to be told where: install gdb, have /proc/sys/kernel/core_pattern say `core`"
    asked = [gdb, "-batch", "-ex", "thread apply all backtrace 40", sys.executable, str(cores[0])]
    return subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout


@pytest.mark.parametrize("strictly", [False, True], ids=["", "dev"])
@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_quietly(shared_server, tmp_path, end, strictly):
    code, expected, said = ENDS[end]
    options = ["-X", "dev", "-W", "error"] if strictly else []
    # redis-py itself leaves sockets, and says so in its finalizers.
    outcome = ended(started(tmp_path, textwrap.dedent(code), shared_server.url, *options))
    assert outcome == (expected, said, ""), stacks(tmp_path, outcome[0])


def test_threads_that_come_back_after_the_interpreters_end_harm_nothing(shared_server, tmp_path):
    process = started(tmp_path, LATE, shared_server.url)
    said = process.stdout.readline()
    shared_server.admin().rpush("late", *range(8))
    time.sleep(1.5)
    code, more, complained = ended(process)
    assert (code, said + more, complained) == (0, "end\n", ""), stacks(tmp_path, code)
