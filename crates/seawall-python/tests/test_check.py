"""`seawall check` against real servers: well, refusing, silent, of another kind."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import logging
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import redis
import trustme

import seawall
import seawall.check
from seawall.check import CheckError, Finding, Severity, _target
from seawall.check._command import main

SECRET = "s3cret-of-this-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


@dataclasses.dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def command(*words: str, **env: str) -> Done:
    """The command line, in this process; what it says never has the secret in it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    out, err = io.StringIO(), io.StringIO()
    log = logging.getLogger("seawall")
    level = log.level
    try:
        with (
            mock.patch.dict(os.environ, {**kept, **env}, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(list(words))
    finally:
        log.setLevel(level)
    assert SECRET not in out.getvalue() + err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


def process(*words: str, **env: str) -> Done:
    """The same as a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    done = subprocess.run(
        [sys.executable, "-m", "seawall", "check", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**kept, **env},
    )
    assert SECRET not in done.stdout + done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_healthy_server_of_defaults_has_nothing_to_change(url: str) -> None:
    assert seawall.check.run(url) == []
    done = command(url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("nothing to change\n")
    assert "primary" in done.stdout
    assert json.loads(command(url, "--json").stdout)["findings"] == []
    assert process(url) == done


def test_without_a_server_its_cause_is_the_finding() -> None:
    port = free_port()
    [finding] = seawall.check.run(f"redis://127.0.0.1:{port}/0")
    assert finding.code == "server-unreachable" and finding.severity is Severity.ERROR
    assert finding.where == f"redis://127.0.0.1:{port}"
    assert "connection-refused" in finding.what and finding.fix
    assert command(f"redis://127.0.0.1:{port}/0").returncode == 1


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_where_seawall_is_switched_off_the_check_says_so_and_still_knows_the_cause(mode: str, url: str) -> None:
    done = process(url, "--json", SEAWALL=mode)
    assert [finding["code"] for finding in json.loads(done.stdout)["findings"]] == ["seawall-switched-off"]
    away = process(f"redis://127.0.0.1:{free_port()}/0", "--json", SEAWALL=mode)
    assert "connection-refused" in away.stdout
    assert away.stderr == ""


def test_a_refused_password_is_named_and_not_shown(make_server: Any) -> None:
    server = make_server("--requirepass", "right")
    done = command(f"redis://:{SECRET}@127.0.0.1:{server.port}/0", "--json")
    assert done.returncode == 1
    [finding] = json.loads(done.stdout)["findings"]
    assert finding["code"] == "server-refuses-login" and "auth-failed" in finding["what"]
    assert codes(seawall.check.run(server.url)) == ["server-refuses-login"]
    assert seawall.check.run(f"redis://:right@127.0.0.1:{server.port}/0") == []


def test_the_password_of_redis_url_is_not_shown_either(make_server: Any) -> None:
    server = make_server("--requirepass", SECRET)
    done = command(REDIS_URL=f"redis://:{SECRET}@127.0.0.1:{server.port}/0?password={SECRET}&max_idle={SECRET}")
    assert done.returncode == 1
    assert "url-option-refused" in done.stdout and "max_idle" in done.stdout


def test_a_url_with_which_no_client_can_be_made_is_found(url: str) -> None:
    [finding] = seawall.check.run(f"{url}?retry=3")
    assert finding.code == "url-option-refused" and "`retry`" in finding.what and "attempts=3" in finding.fix


def test_a_variable_with_a_wrong_value_is_named_with_what_was_expected(url: str) -> None:
    done = process(url, "--json", SEAWALL_JOURNAL_BYTES="lots")
    [finding] = json.loads(done.stdout)["findings"]
    assert "`SEAWALL_JOURNAL_BYTES` cannot be" in finding["what"] and "docs/settings.md" in finding["fix"]


def test_a_user_without_info_and_config_learns_what_that_costs(make_server: Any) -> None:
    server = make_server()
    server.admin().execute_command("ACL", "SETUSER", "app", "on", f">{SECRET}", "~*", "+@all", "-info", "-config")
    done = command(f"redis://app:{SECRET}@127.0.0.1:{server.port}/0", "--workers", "1", "--json")
    assert done.returncode == 0, "notices are no shortfall"
    found = json.loads(done.stdout)["findings"]
    assert {finding["severity"] for finding in found} == {"notice"}
    assert {finding["code"] for finding in found} == {"server-keeps-silent"}
    assert any("+info" in finding["fix"] for finding in found) and any(
        "+config|get" in finding["fix"] for finding in found
    )


def test_a_user_without_any_right_was_let_in_all_the_same(make_server: Any) -> None:
    server = make_server()
    server.admin().execute_command("ACL", "SETUSER", "app", "on", f">{SECRET}", "-@all")
    found = seawall.check.run(f"redis://app:{SECRET}@127.0.0.1:{server.port}/2")
    assert set(codes(found)) == {"server-keeps-silent"}


def test_a_node_of_a_cluster_is_told_from_a_single_server(make_server: Any) -> None:
    server = make_server("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    found = seawall.check.run(server.url)
    assert codes(found) == ["server-is-cluster-node"]
    assert "db-out-of-range" in codes(seawall.check.run(f"redis://127.0.0.1:{server.port}/3"))


def test_a_name_service_that_keeps_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60) and [])
    monkeypatch.setattr(_target, "NAME_WITHIN", 0.1)
    began = time.monotonic()
    assert _target.is_local(_target.parse("redis://cache.example.org/0", "the test")) is None
    assert time.monotonic() - began < 30
    over.set()


def test_a_sentinel_is_told_from_a_server(server: Any, tmp_path: pathlib.Path) -> None:
    settings = tmp_path / "sentinel.conf"
    settings.write_text("")
    # A Sentinel wants its file first: it is started as a server of the test's is, by hand.
    port = free_port()
    process = subprocess.Popen(
        [server.process.args[0], str(settings), "--sentinel", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    try:
        wait_for(port)
        assert codes(seawall.check.run(f"redis://127.0.0.1:{port}/0")) == ["server-is-sentinel"]
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            threading.Event().wait(0.05)
    raise AssertionError("it did not come up in 30 s")


def test_a_replica_is_named_with_its_primary(make_server: Any) -> None:
    primary, replica = make_server(), make_server()
    replica.admin().replicaof("127.0.0.1", primary.port)
    [finding] = seawall.check.run(replica.url)
    assert finding.code == "server-is-replica"
    assert f"127.0.0.1:{primary.port}" in finding.fix


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
    """An authority's file, and the options of a server with a certificate of its."""
    made = trustme.CA()
    paths = {name: tmp_path / f"{name}.pem" for name in ("authority", "key", "certificate")}
    made.cert_pem.write_to_path(str(paths["authority"]))
    ours = made.issue_cert("localhost")
    ours.private_key_pem.write_to_path(str(paths["key"]))
    ours.cert_chain_pems[0].write_to_path(str(paths["certificate"]))
    port = free_port()
    yield (
        f"rediss://localhost:{port}/0?ssl_ca_certs={paths['authority']}",
        ["--tls-port", str(port), "--tls-cert-file", str(paths["certificate"]), "--tls-key-file", str(paths["key"]),
         "--tls-ca-cert-file", str(paths["authority"]), "--tls-auth-clients", "no"],
    )  # fmt: skip


def test_a_server_with_tls_is_well_and_an_unknown_authority_is_not(make_server: Any, authority: Any) -> None:
    url, options = authority
    server = make_server(*options)
    assert seawall.check.run(url) == []
    unknown = url.partition("?")[0]
    assert codes(seawall.check.run(unknown)) == ["server-tls"]
    # Plain to the port for TLS, and TLS to the plain port.
    assert codes(seawall.check.run(unknown.replace("rediss", "redis"))) in (["server-not-redis"], ["server-tls"])
    assert codes(seawall.check.run(server.url.replace("redis", "rediss"))) == ["server-tls"]
    assert codes(seawall.check.run(f"{unknown}?ssl_cert_reqs=none")) == ["tls-not-verified"]
    missing = seawall.check.run(f"{unknown}?ssl_ca_certs=/nowhere.pem")
    assert codes(missing) == ["server-unreachable"] and "bad-settings" in missing[0].what


def test_what_talks_http_is_no_redis() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    if peer.recv(4096):
                        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        assert codes(seawall.check.run(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")) == ["server-not-redis"]


def test_a_server_that_keeps_silent_ends_the_check_at_its_deadline(server: Any) -> None:
    server.freeze()
    try:
        found = seawall.check.run(server.url, deadline=0.5)
    finally:
        server.thaw()
    assert codes(found) == ["server-unreachable"]


def test_a_proxy_that_closes_at_what_it_does_not_know_is_told_from_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(peer: socket.socket) -> None:
            with peer, peer.makefile("rb") as lines:
                for line in lines:
                    if line.startswith(b"*"):
                        words = [(lines.readline(), lines.readline().strip().upper())[1] for _ in range(int(line[1:]))]
                        if words[0] == b"CONFIG":
                            return
                        known = {b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n", b"PING": b"+PONG\r\n"}
                        peer.sendall(known.get(words[0], b"-ERR unknown command\r\n"))

        def accept() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        found = seawall.check.run(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
    assert codes(found) == ["server-keeps-silent", "server-keeps-silent"]


def test_a_server_without_hello_is_told_from_one_that_is_away(make_server: Any) -> None:
    server = make_server("--rename-command", "HELLO", "")
    assert codes(seawall.check.run(server.url)) == ["server-without-hello"]
    assert seawall.check.run(f"{server.url}?protocol=2") == []
    # It is true.
    with pytest.raises(redis.RedisError):
        seawall.Redis.from_url(server.url).ping()
    assert seawall.Redis.from_url(f"{server.url}?protocol=2").ping()


def test_ctrl_c_ends_a_check_of_a_silent_server(server: Any) -> None:
    server.freeze()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "seawall", "check", server.url, "--deadline", "250"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connected(process.pid, server.port)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        server.thaw()
    assert process.returncode == 130
    assert stdout == "" and "Traceback" not in stderr


def connected(pid: int, port: int) -> None:
    """Waits until the process has a connection to this port."""
    for _ in range(600):
        for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            remote, state = line.split()[2:4]
            if int(remote.rpartition(":")[2], 16) == port and state == "01":
                return
        threading.Event().wait(0.05)
    raise AssertionError("it did not connect in 30 s")


def test_a_server_without_room_says_so(make_server: Any) -> None:
    server = make_server("--maxclients", "2")
    held = [server.admin() for _ in range(2)]
    for client in held:
        client.ping()
    assert codes(seawall.check.run(server.url)) == ["server-unavailable"]


def test_limits_of_the_server_are_found(make_server: Any) -> None:
    server = make_server(
        "--tcp-keepalive", "0", "--timeout", "60", "--maxclients", "50",
        "--client-output-buffer-limit", "normal", "1000000", "0", "0",
        "--client-output-buffer-limit", "pubsub", "0", "0", "0",
    )  # fmt: skip
    server.admin().execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all")
    url = f"redis://app:pw@127.0.0.1:{server.port}/0"
    found = seawall.check.run(url, workers=10, threads=4)
    assert set(codes(found)) == {
        "idle-closed-by-server", "maxclients-too-low", "server-output-limit", "server-without-keepalive",
    }  # fmt: skip
    idle = next(finding for finding in found if finding.code == "idle-closed-by-server")
    assert "max_idle=48s" in idle.fix
    # Told to the client, or asked by it: as the user `default`.
    assert "idle-closed-by-server" not in codes(seawall.check.run(f"{url}?max_idle=48s"))
    assert "idle-closed-by-server" not in codes(seawall.check.run(server.url))
    assert "idle-closed-by-server" in codes(seawall.check.run(f"{url}?max_idle=2m"))
    assert "maxclients-too-low" not in codes(seawall.check.run(url, workers=10, pool=2))


def test_a_check_leaves_no_connection_and_writes_nothing(make_server: Any) -> None:
    server = make_server()
    before = server.admin().info("commandstats")
    seawall.check.run(f"redis://127.0.0.1:{server.port}/3", workers=4)
    admin = server.admin()
    for _ in range(600):
        if not any(client["name"] == "seawall-check" for client in admin.client_list()):
            break
        threading.Event().wait(0.05)
    else:
        raise AssertionError("its connection is still there after 30 s")
    ran = set(admin.info("commandstats")) - set(before)
    allowed = {"hello", "ping", "info", "config|get", "select", "client|list", "client|setname", "client|setinfo"}
    assert ran <= {f"cmdstat_{name}" for name in allowed}, ran


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1", "does not begin with redis://"),
        ("redis://127.0.0.1:port/0", "cannot be read"),
        ("redis://127.0.0.1/zero", "no number"),
        (f"redis://:{SECRET}@[::1/0", "cannot be read"),
        (f"redis://app:12#{SECRET}@127.0.0.1/0", "cannot be read"),
        (f"redis://app:12?{SECRET}@127.0.0.1/0", "cannot be read"),
        (f"redis://app:12/{SECRET}@127.0.0.1/0", "cannot be read"),
        ("unix://", "names no socket"),
        ("", "no URL"),
    ],
)
def test_a_url_that_cannot_be_read_is_said_without_its_text(url: str, said: str) -> None:
    with pytest.raises(CheckError, match=said) as caught:
        seawall.check.run(url)
    assert SECRET not in str(caught.value) and caught.value.hint
    assert command(url).returncode == 2


def test_what_cannot_run_exits_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in ([], ["--workers", "0"], ["--unknown"], ["redis://127.0.0.1", "--gunicorn", "/nowhere.py"]):
        done = command(*words)
        assert done.returncode == 2, words
        assert "Traceback" not in done.stderr
    assert command("--help").returncode == 0


def test_gunicorn_and_uwsgi_say_how_many_they_are(url: str, tmp_path: pathlib.Path) -> None:
    gunicorn = tmp_path / "gunicorn.conf.py"
    gunicorn.write_text("workers = 3000\nthreads = 4\ntimeout = 5\nprint('words of the file')\n")
    done = command(url, "--gunicorn", str(gunicorn), "--json")
    found = {finding["code"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert set(found) == {"maxclients-too-low", "timeout-beyond-worker"}
    assert "3000 x 8" in found["maxclients-too-low"]["what"]
    uwsgi = tmp_path / "uwsgi.ini"
    uwsgi.write_text("[uwsgi]\nprocesses = 4\nthreads = 2\nharakiri = 3\n")
    assert codes(seawall.check.run(url, uwsgi=str(uwsgi))) == ["timeout-beyond-worker"]
    assert seawall.check.run(f"{url}?socket_timeout=1", uwsgi=str(uwsgi)) == []


def test_a_settings_file_that_raises_is_told_by_its_line_and_not_by_its_words(url: str, tmp_path: pathlib.Path) -> None:
    gunicorn = tmp_path / "gunicorn.conf.py"
    gunicorn.write_text(f"\nraise RuntimeError('{SECRET}')\n")
    done = command(url, "--gunicorn", str(gunicorn))
    assert done.returncode == 2
    assert f"RuntimeError at {gunicorn}:2" in done.stderr


def test_a_reader_that_has_gone_is_no_failure_of_the_check(url: str) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall", "check", url], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(reader)
    os.close(writer)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0 and stderr == ""


def test_it_is_there_as_an_attribute_of_the_package() -> None:
    code = "import seawall, sys; assert 'seawall.check' not in sys.modules; seawall.check.run"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_urls_are_refused_and_not_repeated(url: str) -> None:
    done = command(url, f"redis://:{SECRET}@127.0.0.1:1/0")
    assert done.returncode == 2 and "one URL at a time" in done.stderr
    assert SECRET not in done.stderr


def test_a_server_that_wants_a_password_is_told_in_our_words(make_server: Any) -> None:
    server = make_server("--requirepass", SECRET)
    (finding,) = seawall.check.run(server.url)
    assert (finding.code, finding.what) == ("server-refuses-login", "the server wants a password and got none (auth-required)")


def test_a_variable_that_an_application_misses_is_named(url: str, tmp_path: pathlib.Path) -> None:
    gunicorn = tmp_path / "gunicorn.conf.py"
    gunicorn.write_text("import os\nworkers = os.environ['SHOP_WORKERS']\n")
    done = command(url, "--gunicorn", str(gunicorn))
    assert done.returncode == 2
    assert f"KeyError at {gunicorn}:2" in done.stderr and "set the variable SHOP_WORKERS" in done.stderr
