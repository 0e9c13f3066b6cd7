"""RQ: its worker and its children on Seawall's connections."""

from __future__ import annotations

import collections
import pathlib
import threading
import time
from typing import Any

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.connections import parse_connection

import seawall
from apps_support import joins, wait_until

HERE = pathlib.Path(__file__).parent


@joins("RQ", "once", "cause", "restart")
@pytest.mark.parametrize("command", [("worker", "--worker-class", "rq.SimpleWorker"), ("worker",), ("worker-pool",)])
def test_jobs_are_queued_once_and_run_while_the_server_is_killed_and_restarted(
    command: tuple[str, ...], run: Any, make_server: Any, tmp_path: pathlib.Path
) -> None:
    server = make_server("--appendfsync", "no", save=True)
    notes = tmp_path / "notes.txt"


    def start() -> Any:
        # A worker may wait for the server; what RQ does between two jobs ends it otherwise.
        return run(
            "rq.cli", *command, "--connection-class", "seawall.Redis", "--url", f"{server.url}?ride_out=30s", "work",
            cwd=HERE, NOTES=str(notes), PYTHONWARNINGS="ignore",
        )  # fmt: skip

    workers = [start()]
    # As systemd does: RQ ends its worker where the outcome of a transaction between two jobs is unknown.
    supervised = threading.Event()

    def supervise() -> None:
        while not supervised.wait(0.1):
            if not workers[-1].alive:
                workers.append(start())

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    queue = Queue("work", connection=seawall.Redis.from_url(server.url))
    queued, refused, unknown = [], [], []
    stop = threading.Event()

    def enqueue() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                queue.enqueue("rq_jobs.note", str(number), job_id=f"job-{number}")
            except seawall.errors.SeawallError as error:
                (unknown if error.may_have_run else refused).append(str(number))
                time.sleep(0.01)
            else:
                queued.append(str(number))
            time.sleep(0.01)

    thread = threading.Thread(target=enqueue)
    thread.start()
    try:
        for _ in range(2):
            before = len(queued)
            wait_until(lambda: len(queued) > before + 30, "thirty jobs")
            server.kill()
            time.sleep(1)
            server.start()
        before = len(queued)
        wait_until(lambda: len(queued) > before + 30, "thirty jobs after the restart")
    finally:
        stop.set()
        thread.join()

    def noted() -> list[str]:
        return notes.read_text().split() if notes.exists() else []

    try:
        wait_until(lambda: len(set(queued) - set(noted())) <= 2, "every job but those that were under way")
    finally:
        supervised.set()
        supervisor.join()
    runs = collections.Counter(noted())
    print(f"queued {len(queued)} refused {len(refused)} unknown {len(unknown)} missing {set(queued) - set(runs)} workers {len(workers)}")
    assert [number for number, times in runs.items() if times > 1] == []
    assert set(runs) <= set(queued) | set(unknown)
    # No more than one end for each loss.
    assert len(workers) <= 3


def test_a_child_makes_the_client_again_from_the_pools_arguments(url: str) -> None:
    client = seawall.Redis.from_url(f"{url}?ride_out=3s", decode_responses=False)
    kind, connection_class, kwargs = parse_connection(client)
    assert kind is seawall.Redis and connection_class is seawall.Connection
    again = kind(connection_pool=redis.ConnectionPool(connection_class=connection_class, **kwargs))
    assert again.set("key", "value")
    assert again.get("key") == b"value"


def test_the_timeout_that_a_worker_writes_into_the_arguments_is_the_one_that_counts(url: str) -> None:
    client = seawall.Redis.from_url(url)
    assert client.ping()
    worker = SimpleWorker(["work"], connection=client)
    asked = client.connection_pool.connection_kwargs["socket_timeout"]
    assert asked == worker.connection_timeout
    with client.pipeline() as pipe:
        assert pipe.ping().execute() == [True]
    connection = client.connection_pool.get_connection()
    assert connection.socket_timeout == asked
    client.connection_pool.release(connection)
