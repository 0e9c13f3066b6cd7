"""A forked child drops the connections that it inherited, and its parent goes on with them."""

from __future__ import annotations

import os
import threading
import warnings
from typing import Any

import seawall


def close_in_a_child(connection: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            connection.disconnect()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_child_that_closes_an_inherited_connection_leaves_the_parents_alone(url: str) -> None:
    pool = seawall.ConnectionPool.from_url(url)
    connection = pool.get_connection()
    close_in_a_child(connection)
    connection.send_command("PING")
    assert connection.read_response() == b"PONG"
    pool.release(connection)


def test_a_child_that_closes_it_during_a_call_does_not_end_the_parents_call(url: str) -> None:
    pool = seawall.ConnectionPool.from_url(url)
    connection = pool.get_connection()
    connection.send_command("CLIENT", "ID")
    client_id = connection.read_response()
    came: list[Any] = []

    def wait() -> None:
        connection.send_command("BLPOP", "jobs", 20)
        try:
            came.append(connection.read_response())
        except Exception as error:
            came.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    admin = seawall.Redis.from_url(url)
    while not any(client["id"] == str(client_id) and client["cmd"] == "blpop" for client in admin.client_list()):
        thread.join(0.01)
    close_in_a_child(connection)
    admin.rpush("jobs", "one")
    thread.join()
    assert came == [[b"jobs", b"one"]]
    pool.release(connection)
