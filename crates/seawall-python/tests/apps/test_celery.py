"""Celery and kombu: broker and result backend on Seawall's connections, URLs unchanged."""

from __future__ import annotations

import base64
import collections
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

import seawall
import seawall.celery
from apps_support import EXAMPLES, free_port, joins, wait_until

seawall.celery.install()

from celery import Celery  # noqa: E402
from kombu import Connection  # noqa: E402
from kombu.exceptions import OperationalError  # noqa: E402


def application(url: str, **settings: Any) -> Celery:
    app = Celery("tasks", broker=url, backend=url, set_as_current=False)
    app.conf.update(**settings)
    return app


CONCURRENCY = 2


def commands_in(server: Any) -> Iterator[list[bytes]]:
    """What the server has run and kept, in order."""
    for path in sorted(server.folder.glob("appendonlydir/*.incr.aof")):
        with path.open("rb") as file:
            while line := file.readline():
                if line.startswith(b"*"):
                    yield [file.read(int(file.readline()[1:]) + 2)[:-2] for _ in range(int(line[1:]))]


def pushes_in(server: Any) -> tuple[collections.Counter[str], collections.Counter[str]]:
    """How often each task was queued, and how often put back."""
    queued: collections.Counter[str] = collections.Counter()
    put_back: collections.Counter[str] = collections.Counter()
    for name, *rest in commands_in(server):
        if name.upper() in (b"LPUSH", b"RPUSH") and rest[0] == b"celery":
            message = json.loads(rest[1])
            number = json.loads(base64.b64decode(message["body"]))[0][0]
            (put_back if message["headers"].get("redelivered") else queued)[number] += 1
    return queued, put_back


def notes_in(path: pathlib.Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@joins("Celery, queueing", "once", "cause", "restart")
@joins("Celery, worker", "mismatch", "restart")
@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent"])
def test_each_task_is_queued_once_and_run_while_the_broker_is_killed_and_restarted(
    pool: str, run: Any, make_server: Any, tmp_path: pathlib.Path
) -> None:
    # Without fsync: what a killed server has answered is in the file; the moment between file and answer is short.
    server = make_server("--appendfsync", "no", save=True)
    notes = tmp_path / "notes.txt"
    worker = run(
        "celery", "-A", "tasks", "worker", "--pool", pool, "--concurrency", str(CONCURRENCY), "--loglevel", "INFO",
        cwd=EXAMPLES / "celery", REDIS_URL=server.url, NOTES=str(notes),
    )  # fmt: skip
    app = application(server.url)
    wait_until(lambda: "ready." in worker.said, "the worker's start")

    queued, refused, unknown = [], [], []
    results = {}
    stop = threading.Event()

    def queue_tasks() -> None:
        number = 0
        while not stop.is_set():
            try:
                results[str(number)] = app.send_task("tasks.note", [str(number)])
            except seawall.celery.PublishUnknown as error:
                assert error.may_have_run and error.cause
                unknown.append(str(number))
            except OperationalError:
                refused.append(str(number))
            else:
                queued.append(str(number))
            number += 1
            time.sleep(0.002)

    thread = threading.Thread(target=queue_tasks)
    thread.start()
    try:
        for _ in range(2):
            before = len(queued)
            wait_until(lambda: len(queued) > before + 100, "a hundred tasks")
            server.kill()
            time.sleep(1.5)
            server.start()
        before = len(queued)
        wait_until(lambda: len(queued) > before + 100, "a hundred tasks after the restart")
    finally:
        stop.set()
        thread.join()

    wait_until(lambda: set(queued) <= set(notes_in(notes)), "every task that was queued")
    # Those of the time after the last restart: nothing was lost of them.
    for number in queued[-20:]:
        assert results[number].get(timeout=30) == number
    assert worker.alive
    runs = collections.Counter(notes_in(notes))
    # What was refused is known not to be there; what is unknown may be.
    assert set(runs) <= set(queued) | set(unknown)
    # The server's own file tells how often each message was put into the queue, and how often a worker put it back
    # because it had lost the connection before it could say that it had taken it.
    pushed, put_back = pushes_in(server)
    assert set(pushed) >= set(queued)
    assert not set(pushed) & set(refused)
    assert [number for number, times in pushed.items() if times > 1] == []
    twice = [number for number, times in runs.items() if times > 1]
    assert [number for number in twice if runs[number] > 1 + put_back[number]] == []
    # Celery puts back what its pool had taken and not begun: no more than there are processes, at each loss.
    assert len(twice) <= 2 * CONCURRENCY
    print(f"queued {len(queued)}, refused {len(refused)}, unknown {len(unknown)}, twice {twice}")


@joins("Celery, worker", "restart")
def test_a_worker_whose_channels_cannot_be_closed_for_want_of_the_broker_comes_back(
    run: Any, make_server: Any, tmp_path: pathlib.Path
) -> None:
    server = make_server("--appendfsync", "no", save=True)
    # A task waits here until somebody reads: the first is under way, the others are in the worker's hand.
    notes = tmp_path / "notes"
    os.mkfifo(notes)
    worker = run(
        "celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "1", "--loglevel", "INFO",
        cwd=EXAMPLES / "celery", REDIS_URL=server.url, NOTES=str(notes),
    )  # fmt: skip
    app = application(server.url)
    wait_until(lambda: "ready." in worker.said, "the worker's start")
    for number in range(3):
        app.send_task("tasks.note", [str(number)], ignore_result=True)
    admin = server.admin()
    wait_until(
        lambda: worker.said.count(" received") == 3
        and admin.hlen("unacked") == 2
        and admin.info("clients")["blocked_clients"] == 1,
        "two tasks that wait, and the question for more",
    )
    # It notices by the other connection, while its BRPOP is still to be read: with the broker gone neither its own channel
    # nor the one for remote control can be closed, and Celery closes them again after their connection.
    admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    server.kill()
    wait_until(lambda: "Connection to broker lost" in worker.said, "the loss")
    server.start()
    wait_until(lambda: worker.said.count("Connected to") == 2, "the worker's return")
    reader = os.open(notes, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ran = ""

        def all_ran() -> bool:
            nonlocal ran
            try:
                ran += os.read(reader, 1000).decode()
            except BlockingIOError:
                return False
            return set(ran.split()) == {"0", "1", "2"}

        wait_until(all_ran, "every task")
    finally:
        os.close(reader)


@joins("Celery, queueing", "cause")
def test_a_call_to_a_dead_broker_fails_with_the_cause_instead_of_hanging(server: Any) -> None:
    app = application(server.url)
    app.send_task("tasks.note", ["before"])
    server.kill()
    with pytest.raises((OperationalError, seawall.errors.SeawallError)) as caught:
        app.send_task("tasks.note", ["after"])
    told = caught.value if isinstance(caught.value, seawall.errors.SeawallError) else caught.value.__cause__
    assert told.cause == "connection-refused"
    server.start()
    wait_until(lambda: queues_again(app), "the first task after the restart")


def queues_again(app: Celery) -> bool:
    try:
        app.send_task("tasks.note", ["again"])
    except (OperationalError, seawall.errors.SeawallError):
        return False
    return True


@joins("Celery, queueing", "deadline", "cause")
def test_a_call_to_a_frozen_broker_fails_with_the_cause_instead_of_hanging(server: Any) -> None:
    # With Celery's own settings: its result backend would wait two minutes, several times, and kombu for ever.
    app = application(server.url)
    # Without a result: the call below is the first to subscribe, on a new connection.
    app.send_task("tasks.note", ["before"], ignore_result=True)
    server.freeze()
    caught: list[BaseException] = []

    def call() -> None:
        try:
            app.send_task("tasks.note", ["after"])
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(60)
    server.thaw()
    assert caught, "the call has not ended"
    assert isinstance(caught[0], (OperationalError, seawall.errors.SeawallError))
    told = caught[0] if isinstance(caught[0], seawall.errors.SeawallError) else caught[0].__cause__
    assert told.cause in ("server-unresponsive", "reply-timeout", "deadline-exceeded", "connect-timeout")


@joins("Celery, queueing", "once")
def test_a_publish_whose_reply_is_lost_is_not_sent_again(server: Any) -> None:
    app = application(server.url, broker_transport_options={"socket_timeout": 1})
    app.send_task("tasks.note", ["first"], ignore_result=True)
    # A frozen server's kernel takes the command; it runs when nobody waits for its reply any more.
    server.freeze()
    try:
        with pytest.raises(seawall.celery.PublishUnknown) as caught:
            app.send_task("tasks.note", ["second"], ignore_result=True)
    finally:
        server.thaw()
    assert caught.value.may_have_run
    assert isinstance(caught.value, OperationalError)
    wait_until(lambda: server.admin().llen("celery") == 2, "the second message")
    app.send_task("tasks.note", ["third"], ignore_result=True)
    assert server.admin().llen("celery") == 3


def test_a_channel_that_outlives_its_connection_raises_what_kombu_recovers_from(server: Any) -> None:
    with Connection(server.url) as connection:
        channel = connection.channel()
        transport = connection.transport
        transport.client = None
        channel._disconnect_pools()
        try:
            with pytest.raises(connection.recoverable_connection_errors) as caught:
                channel._size("celery")
        finally:
            transport.client = connection
    assert isinstance(caught.value, seawall.errors.ConnectionError)
    assert caught.value.cause == "client-closed"


def test_a_callback_that_a_worker_publishes_is_not_sent_again_either(server: Any) -> None:
    app = application(server.url, broker_transport_options={"socket_timeout": 1})
    app.send_task("tasks.note", ["first"], ignore_result=True)
    server.freeze()
    try:
        with pytest.raises(seawall.celery.OutcomeUnknown) as caught:
            # What a worker does with the next task of a chain; it repeats that after every OperationalError.
            app.amqp._retry_publish(app.send_task, "tasks.note", ["second"], ignore_result=True)
    finally:
        server.thaw()
    assert not isinstance(caught.value, OperationalError)
    wait_until(lambda: server.admin().llen("celery") == 2, "the second message")
    app.send_task("tasks.note", ["third"], ignore_result=True)
    assert server.admin().llen("celery") == 3


def test_tls_gets_our_connections_too(make_server: Any, tmp_path: pathlib.Path) -> None:
    authority, key, certificate = (tmp_path / name for name in ("authority.pem", "key.pem", "certificate.pem"))
    made = trustme.CA()
    made.cert_pem.write_to_path(str(authority))
    ours = made.issue_cert("localhost")
    ours.private_key_pem.write_to_path(str(key))
    ours.cert_chain_pems[0].write_to_path(str(certificate))
    port = free_port()
    make_server(
        "--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
        "--tls-ca-cert-file", str(authority), "--tls-auth-clients", "no",
    )  # fmt: skip
    app = application(f"rediss://localhost:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={authority}")
    app.send_task("tasks.note", ["one"])
    with app.connection_for_write() as connection:
        for pool in (connection.default_channel.pool, connection.default_channel.async_pool):
            assert issubclass(pool.connection_class, seawall.SSLConnection)
        assert connection.default_channel.client.llen("celery") == 1
    assert issubclass(app.backend.client.connection_pool.connection_class, seawall.SSLConnection)


def test_the_transport_and_the_backend_use_our_connections_under_redis_urls(server: Any) -> None:
    app = application(server.url)
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        assert connection.as_uri().startswith("redis://")
        assert isinstance(channel.pool, seawall.ConnectionPool)
        assert issubclass(channel.pool.connection_class, seawall.Connection)
        assert issubclass(channel.async_pool.connection_class, seawall.Connection)
        # kombu's own default is off.
        assert channel.pool.connection_kwargs["socket_keepalive"] is True
    assert isinstance(app.backend.client.connection_pool, seawall.ConnectionPool)
    assert issubclass(app.backend.client.connection_pool.connection_class, seawall.Connection)


def test_a_unix_socket_gets_our_connections_too(make_server: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "redis.sock"
    make_server("--unixsocket", str(path))
    app = application(f"redis+socket://{path}", task_ignore_result=True)
    app.send_task("tasks.note", ["one"])
    with app.connection_for_write() as connection:
        for pool in (connection.default_channel.pool, connection.default_channel.async_pool):
            assert issubclass(pool.connection_class, seawall.UnixDomainSocketConnection)


def test_without_install_nothing_is_changed() -> None:
    code = (
        "import seawall.celery, redis; from kombu.transport.redis import Channel; "
        "assert Channel.connection_class is redis.Connection; "
        "seawall.celery.install(); seawall.celery.install(); "
        "assert Channel.connection_class is seawall.Connection"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
