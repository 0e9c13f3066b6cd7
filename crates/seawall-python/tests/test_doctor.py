"""``seawall.doctor``: what the command says, for programs."""

from __future__ import annotations

import pathlib
import threading
import time

import pytest
import redis
import seawall
import seawall.doctor
from sync_world import until

CLOSED = (
    "9:M 23 Nov 2026 02:58:11.042 # Client id=8821 addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=9 name=metrics age=10 idle=0 flags=P "
    "db=0 sub=1 psub=0 multi=-1 qbuf=0 omem=33600000 events=rw cmd=subscribe user=default scheduled to be closed ASAP for "
    "overcoming of output buffer limits.\n"
)


def test_a_healthy_server_has_no_cause(server) -> None:
    told = seawall.doctor.diagnose(server.url)
    assert told.up is True
    assert told.cause is None
    assert str(told).startswith("DID REDIS STAY UP?  yes")


def test_a_log_proves_a_cause_and_its_path_may_be_an_object(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "redis.log"
    log.write_text(CLOSED)
    cause = seawall.doctor.diagnose(log).cause
    assert cause is not None
    assert (cause.code, cause.verdict, cause.confidence) == ("SW301", "cause", "proved")
    assert "33.6 MB" in cause.claim
    assert cause.subjects == ("id=8821 10.0.0.7:51234 (metrics)",)
    assert cause.supports[0].place == "redis.log:1"
    assert cause.fixes and cause.check


def test_what_cannot_be_read_is_told_and_loses_nothing(server, tmp_path: pathlib.Path) -> None:
    told = seawall.doctor.diagnose(tmp_path / "none.log", server.url)
    assert told.up is True
    assert len(told.unread) == 1 and "none.log" in told.unread[0]
    with pytest.raises(seawall.doctor.DoctorError, match="none.log"):
        seawall.doctor.diagnose(tmp_path / "none.log")
    with pytest.raises(seawall.doctor.DoctorError):
        seawall.doctor.diagnose("http://localhost/")
    with pytest.raises(ValueError, match="0.1 to 60"):
        seawall.doctor.diagnose(server.url, within=0)
    with pytest.raises(ValueError, match="within is '5'"):
        seawall.doctor.diagnose(server.url, within="5")  # type: ignore[arg-type]


def test_a_password_is_in_nothing_that_is_said(server, tmp_path: pathlib.Path) -> None:
    server.admin().config_set("requirepass", "planted-secret")
    try:
        told = seawall.doctor.diagnose(server.url.replace("redis://", "redis://:planted-secret@"))
        assert told.up is True
        refused = seawall.doctor.diagnose(server.url.replace("redis://", "redis://:planted-wrong@"))
        for one in (told, refused):
            assert "planted" not in f"{one} {one!r} {one.as_dict()}"
    finally:
        redis.Redis.from_url(server.url, password="planted-secret").config_set("requirepass", "")


def test_other_threads_go_on_while_a_server_is_looked_at(server) -> None:
    server.freeze()
    turns = 0
    try:
        looking = threading.Thread(target=seawall.doctor.diagnose, args=(server.url,), kwargs={"within": 1.0})
        looking.start()
        until = time.monotonic() + 10
        while looking.is_alive() and time.monotonic() < until:
            turns += 1
            time.sleep(0.01)
    finally:
        server.thaw()
    looking.join()
    assert turns >= 5, turns


def test_an_error_of_the_engines_names_who_finds_the_reason(server) -> None:
    client = seawall.Redis.from_url(server.url, client_name="waits")
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            client.blpop("jobs", timeout=20)
        except redis.RedisError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    admin = server.admin()
    until(lambda: [one for one in admin.client_list() if one["name"] == "waits" and one["cmd"] == "blpop"], "its BLPOP")
    admin.client_kill_filter(_type="normal", skipme=True)
    waiting.join()
    (error,) = errors
    assert "seawall doctor" in str(error)
