"""Processes that fork while they talk to Redis: parent and children go on, each with sockets of its own.

``SEAWALL_TRY=redis-py``: a child that was forked while a thread held the pool's lock hangs in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import pytest
import redis
import seawall
import seawall.asyncio
from sync_world import PATIENCE, Path, alone, every_way, native, pooled, until

HERE = os.path.dirname(__file__)


@contextlib.contextmanager
def patient_child(seconds=30):
    """In a forked child: ends it, with a code, whatever happens inside."""
    signal.alarm(seconds)
    code = 1
    try:
        yield
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def fork():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def wait_for(*children):
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * len(children)


def talk(client, name, rounds=20):
    """Says what only this process says, in every way, and checks what it hears."""
    for number in range(rounds):
        mine = f"{name}:{number}"
        assert client.echo(mine) == mine
        assert client.set(f"of:{name}", mine) is True
        assert client.get(f"of:{name}") == mine
        assert client.pipeline().echo(mine).echo(mine * 100).execute() == [mine, mine * 100]
        with client.lock(f"lock:{name}", timeout=10):
            pass


def sockets():
    """The network sockets that this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            name = os.readlink(f"/proc/self/fd/{number}")
            if name.startswith("socket:"):
                found.add(name)
    return found


@every_way
def test_children_and_parent_go_on_with_sockets_of_their_own(server, connected):
    others = sockets()
    client = connected(server.url, decode_responses=True, client_name="forked")
    pubsub = client.pubsub() if client.connection is None else None
    if pubsub:
        pubsub.subscribe("news")
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"
    talk(client, "before", 2)
    theirs = sockets() - others
    children = []
    for number in range(4):
        child = fork()
        if child == 0:
            with patient_child():
                talk(client, f"child{number}")
                mine = sockets() - others
                assert mine, "it has a connection"
                # Nor does it keep the parent's open: the server would not see them end.
                assert not mine & theirs, (mine, theirs)
        children.append(child)
    talk(client, "parent")
    wait_for(*children)
    talk(client, "after")
    if pubsub:
        client.publish("news", "still here")
        assert pubsub.get_message(timeout=5)["data"] == "still here"
        pubsub.close()
    client.close()


def test_a_connection_that_the_parent_closes_is_closed_though_a_child_lives_on(server):
    client = native(server.url, client_name="of-the-parent")
    client.ping()
    client.pipeline().get("k").execute()
    reads, writes = os.pipe()
    child = fork()
    if child == 0:
        with patient_child():
            os.close(writes)
            os.read(reads, 1)
    os.close(reads)
    admin = server.admin()
    assert any(one["name"] == "of-the-parent" for one in admin.client_list())
    client.close()
    until(lambda: not any(one["name"] == "of-the-parent" for one in admin.client_list()), "the connection's end")
    os.close(writes)
    wait_for(child)


def test_a_job_is_not_lost_on_the_connection_of_a_parent_that_died(server):
    # Its children kept the socket: the server would go on and hand jobs to it.
    code = textwrap.dedent(
        """
        import os, sys, threading, time
        sys.path.insert(0, sys.argv[1])
        from sync_world import native
        client = native(sys.argv[2])
        threading.Thread(target=lambda: client.blpop("jobs", timeout=0), daemon=True).start()
        while not client.info("clients")["blocked_clients"]:
            time.sleep(0.01)
        if os.fork() == 0:
            client.ping()
            time.sleep(60)
            os._exit(0)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", code, HERE, server.url], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.wait()
        admin = server.admin()
        until(lambda: admin.info("clients")["blocked_clients"] == 0, "the end of the dead parent's wait")
        admin.rpush("jobs", "one")
        assert admin.llen("jobs") == 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


@pytest.mark.parametrize("connected", [native, pooled], ids=lambda way: way.__name__)
def test_forks_while_threads_are_inside_calls_leave_no_child_stuck(url, connected):
    client = connected(url, decode_responses=True, max_connections=3, socket_timeout=20)
    over, failed = threading.Event(), []

    def work(place):
        number = 0
        while not over.is_set():
            number += 1
            mine = f"{place}:{number}"
            try:
                if place % 3 == 0:
                    assert client.echo(mine) == mine
                elif place % 3 == 1:
                    assert client.pipeline().echo(mine).execute() == [mine]
                else:
                    # Makes and drops links, connections, a tender's work.
                    with connected(url, client_name=f"w{number % 5}", socket_timeout=20) as other:
                        assert other.echo(mine) == mine.encode()
            except BaseException as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(6)]
    for thread in threads:
        thread.start()
    for number in range(500 if os.environ.get("SEAWALL_LONG") else 60):
        child = fork()
        if child == 0:
            with patient_child():
                assert client.echo("child") == "child"
                assert client.pipeline().echo(f"c{number}").execute() == [f"c{number}"]
        wait_for(child)
        assert not failed, failed
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert not failed
    client.close()


def test_a_child_that_exits_in_any_way_leaves_the_parents_connections_alone(server):
    with Path(server.port) as relay:
        client = native(relay.url, decode_responses=True, client_name="survivor")
        single = alone(relay.url, decode_responses=True)
        pubsub = client.pubsub()
        pubsub.subscribe("news")
        pubsub.get_message(timeout=5)
        ids = client.client_id(), single.client_id(), pubsub.connection._lease.client_id
        for way in ("exit", "close", "del", "kill", "gc", "untouched"):
            child = fork()
            if child == 0:
                if way == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                with patient_child():
                    if way == "exit":
                        with contextlib.suppress(SystemExit):
                            sys.exit(0)
                    elif way == "close":
                        client.close()
                        single.close()
                        pubsub.close()
                        client.connection_pool.disconnect()
                    elif way == "del":
                        del client, single, pubsub
                    elif way == "gc":
                        import gc

                        del client
                        single = pubsub = None
                        gc.collect()
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert code == (-signal.SIGKILL if way == "kill" else 0)
            assert (client.client_id(), single.client_id()) == ids[:2]
            client.publish("news", way)
            assert pubsub.get_message(timeout=5)["data"] == way
        assert relay.resets == 0
        pubsub.close()
        single.close()
        client.close()


def in_another_process(url, client, name, queue):
    """Module level, so that spawned processes find it."""
    try:
        if client is None:
            client = native(url, decode_responses=True)
        talk(client, name, 5)
        queue.put((name, None))
    except BaseException as error:
        queue.put((name, repr(error)))
        raise


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_of_every_kind(url, method):
    context = multiprocessing.get_context(method)
    client = native(url, decode_responses=True)
    talk(client, "parent", 2)
    queue = context.Queue()
    given = client if method == "fork" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        processes = [
            context.Process(target=in_another_process, args=(url, given, f"{method}{number}", queue)) for number in range(3)
        ]
        for process in processes:
            process.start()
    assert sorted(queue.get(timeout=PATIENCE) for _ in processes) == [(f"{method}{n}", None) for n in range(3)]
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    talk(client, "parent", 2)
    client.close()


def test_an_asyncio_client_goes_on_in_a_child_with_a_loop_of_its_own(url):
    client = seawall.asyncio.Redis.from_url(url, decode_responses=True)

    async def main(name):
        answers = await asyncio.gather(*(client.echo(f"{name}:{n}") for n in range(20)))
        assert answers == [f"{name}:{n}" for n in range(20)]
        async with client.pipeline() as pipe:
            assert await pipe.echo(name).execute() == [name]

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main("before"))

    async def forks():
        calls = [asyncio.ensure_future(client.echo(f"x{n}")) for n in range(50)]
        await asyncio.sleep(0)
        # In the middle of a loop's run, with calls under way.
        child = fork()
        if child == 0:
            with patient_child():
                asyncio._set_running_loop(None)
                asyncio.set_event_loop(None)
                asyncio.run(main("child"))
        assert await asyncio.gather(*calls) == [f"x{n}" for n in range(50)]
        await asyncio.get_running_loop().run_in_executor(None, wait_for, child)

    for _ in range(20):
        loop.run_until_complete(forks())
    loop.run_until_complete(main("after"))
    loop.run_until_complete(client.aclose())
    loop.close()


def test_children_of_children_go_on(url):
    client = native(url, decode_responses=True)
    client.ping()
    child = fork()
    if child == 0:
        with patient_child():
            talk(client, "child", 2)
            grandchild = fork()
            if grandchild == 0:
                with patient_child():
                    talk(client, "grandchild", 2)
            talk(client, "child", 2)
            wait_for(grandchild)
    talk(client, "parent", 2)
    wait_for(child)
    client.close()


def test_what_was_leased_before_a_fork_is_refused_in_the_child(url):
    client = native(url, decode_responses=True)
    with client.pipeline() as pipe:
        pipe.watch("k")
        child = fork()
        if child == 0:
            with patient_child():
                with pytest.raises(redis.RedisError):
                    pipe.get("k")
                talk(client, "child", 1)
        wait_for(child)
        pipe.multi()
        assert pipe.set("k", "v").execute() == [True]
    client.close()
