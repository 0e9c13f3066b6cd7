"""What a connection asks of the engine follows its attributes, which others change after it was made.

Fails where what they came to at first is kept whatever becomes of them.
"""

from __future__ import annotations

from typing import Any

import pytest
import seawall
import seawall.asyncio
from redis.driver_info import DriverInfo
from seawall import _config

PLAIN = {
    "_attempts": 2,
    "username": "user",
    "password": "word",
    "db": 3,
    "client_name": "name",
    "protocol": 2,
    "driver_info": DriverInfo(name="other", lib_version="1"),
    "host": "elsewhere",
    "port": 1,
    "socket_keepalive": False,
}
OF_THREADS = {**PLAIN, "_socket_timeout": 7.0, "_socket_connect_timeout": 0.3}
OF_TASKS = {**PLAIN, "socket_timeout": 7.0, "socket_connect_timeout": 0.3}
OF_TLS = {"ca_certs": "/ca", "certfile": "/cert", "keyfile": "/key", "check_hostname": False}


class EqualToAll:
    """A provider of credentials whose class compares by what it was made of."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def asked(connection: Any) -> tuple[Any, ...]:
    return _config.spec_of(connection, connection._ours).key


@pytest.mark.parametrize(
    ("connection", "attributes"),
    [
        (seawall.Connection(), OF_THREADS),
        (seawall.asyncio.Connection(), OF_TASKS),
        (seawall.SSLConnection(), {**OF_THREADS, **OF_TLS}),
        (seawall.UnixDomainSocketConnection(path="/before"), {"path": "/after"}),
    ],
    ids=["threads", "tasks", "tls", "unix"],
)
def test_a_changed_attribute_reaches_the_next_lease(connection, attributes):
    assert asked(connection) == asked(connection)
    for name, value in attributes.items():
        before = asked(connection)
        setattr(connection, name, value)
        assert asked(connection) != before, name


def test_so_does_a_name_that_is_added_to_those_of_its_library():
    connection = seawall.Connection(driver_info=DriverInfo(name="framework", lib_version="1"))
    before = asked(connection)
    connection.driver_info.add_upstream_driver("other", "2.0")
    assert asked(connection) != before


def test_a_provider_of_credentials_is_part_of_it():
    connection = seawall.Connection()
    before = asked(connection)
    for _ in range(2):
        connection.credential_provider = EqualToAll()
        assert asked(connection) != before
        before = asked(connection)
