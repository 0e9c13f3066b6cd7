"""How long an attempt to connect may take, where nobody says."""

from __future__ import annotations

import pytest
import seawall
from seawall import _config


def asked(client: seawall.Redis) -> str | None:
    connection = client.connection_pool.make_connection()
    return dict(_config.spec_of(connection, {}).settings).get("connect_timeout")


@pytest.mark.parametrize("kind", [seawall.Redis, seawall.asyncio.Redis])
def test_only_a_wish_of_somebodys_is_passed_on(kind):
    url = "redis://127.0.0.1:1/0"
    assert asked(kind()) is None
    assert asked(kind.from_url(url)) is None
    assert asked(kind(socket_connect_timeout=5)) == "5000ms"
    assert asked(kind.from_url(url, socket_connect_timeout=5)) == "5000ms"
    assert asked(kind.from_url(f"{url}?socket_connect_timeout=2")) == "2000ms"


def test_a_wish_may_stand_in_its_place():
    assert asked(seawall.Redis("127.0.0.1", 1, 0, None, 3, 5)) == "5000ms"
