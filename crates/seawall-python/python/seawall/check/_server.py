"""What a server says of itself, through one connection that is closed afterwards. It writes nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

import seawall

from ._target import Target

CONFIGS = (
    "timeout",
    "tcp-keepalive",
    "maxclients",
    "maxmemory",
    "maxmemory-policy",
    "client-output-buffer-limit",
    "databases",
    "stop-writes-on-bgsave-error",
)


@dataclasses.dataclass(frozen=True)
class Trouble:
    """Why nobody answered."""

    cause: str
    text: str
    hint: str


@dataclasses.dataclass
class Server:
    """One server, as one login sees it."""

    target: Target
    #: Why it could not be asked; ``None`` if it answered.
    trouble: Trouble | None = None
    #: INFO, or ``None`` where it was refused.
    info: dict[str, str] | None = None
    #: CONFIG's values, as far as they were told.
    config: dict[str, str] = dataclasses.field(default_factory=dict)
    #: What was refused: ``INFO``, ``CONFIG``.
    refused: list[str] = dataclasses.field(default_factory=list)
    #: Whether HELLO is not known to it, and it was asked by RESP2.
    without_hello: bool = False
    #: Why its database cannot be selected.
    db_trouble: str | None = None

    @property
    def answered(self) -> bool:
        return self.trouble is None

    def number(self, name: str) -> int | None:
        """A number from CONFIG or INFO, where one was told."""
        text = self.config.get(name, (self.info or {}).get(name.replace("-", "_")))
        try:
            return None if text is None else int(text)
        except ValueError:
            return None

    def text(self, name: str) -> str | None:
        return self.config.get(name, (self.info or {}).get(name.replace("-", "_")))

    @property
    def kind(self) -> str:
        """Its name and version, for people."""
        info = self.info or {}
        if "valkey_version" in info:
            return f"Valkey {info['valkey_version']}"
        return f"Redis {info['redis_version']}" if "redis_version" in info else "a Redis server"


#: By an ACL; by a managed service that has renamed the command away; by a proxy that closes the connection.
_REFUSALS = (NoPermissionError, redis.ResponseError, redis.ConnectionError)


def look(target: Target, deadline: float) -> Server:
    """Asks a server; every question ends by the deadline."""
    server = _look(target, deadline, protocol=3)
    if server.trouble and server.trouble.cause == "command-error":
        again = _look(target, deadline, protocol=2)
        if again.answered:
            again.without_hello = True
            return again
    return server


def _look(target: Target, deadline: float, protocol: int) -> Server:
    server = Server(target)
    try:
        with _client(target, deadline, protocol) as client:
            _ask(client, server)
    except (redis.RedisError, ValueError, TypeError, OSError) as error:
        # Without a cause: redis-py's own under SEAWALL=off, or settings that do not fit, such as a file that is not there.
        theirs = isinstance(error, redis.RedisError) and not isinstance(error, redis.DataError)
        cause = getattr(error, "cause", "unclear" if theirs else "bad-settings")
        text = _reason(error) if cause == "bad-settings" else _first_line(error)
        server.trouble = Trouble(cause, text, getattr(error, "hint", ""))
    return server


def _client(target: Target, deadline: float, protocol: int) -> seawall.Redis:
    kwargs: dict[str, Any] = {
        "username": target.username,
        "password": target.password,
        "socket_timeout": deadline,
        "socket_connect_timeout": deadline,
        "client_name": "seawall-check",
        "protocol": protocol,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": True,
        "server_hints": "off",
        "ride_out": 0.001,
    }
    if target.path is not None:
        return seawall.Redis(unix_socket_path=target.path, **kwargs)
    if target.tls:
        kwargs["ssl"] = True
        for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"):
            if (value := target.option(name)) is not None:
                kwargs[name] = value.removeprefix("CERT_").lower() if name == "ssl_cert_reqs" else value
        for ours, name in (
            ("tls_ca_file", "ssl_ca_certs"),
            ("tls_cert_file", "ssl_certfile"),
            ("tls_key_file", "ssl_keyfile"),
        ):
            if (value := target.option(ours)) is not None:
                kwargs[name] = value
        if (value := target.option("ssl_check_hostname", "tls_check_name")) is not None:
            kwargs["ssl_check_hostname"] = value.lower() not in ("0", "f", "false", "n", "no", "off")
        if target.option("tls_verify") == "none":
            kwargs["ssl_cert_reqs"] = "none"
    return seawall.Redis(host=target.host or "localhost", port=target.port, **kwargs)


def _ask(client: seawall.Redis, server: Server) -> None:
    try:
        client.execute_command("PING")
    except NoPermissionError:
        pass  # It was let in: that is what PING is for here.
    try:
        server.info = _parsed(client.execute_command("INFO", NEVER_DECODE=True))
    except _REFUSALS:
        server.refused.append("INFO")
    for name in CONFIGS:
        try:
            # One by one: before 7.0 CONFIG GET takes one name.
            answer = client.execute_command("CONFIG GET", name)
        except _REFUSALS:
            server.refused.append("CONFIG")
            break
        if isinstance(answer, dict) and name in answer:
            server.config[name] = str(answer[name])
    if server.target.db:
        try:
            client.execute_command("SELECT", server.target.db)
        except NoPermissionError:
            pass
        except redis.ResponseError as error:
            server.db_trouble = str(error)


def _parsed(answer: Any) -> dict[str, str]:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    if isinstance(text, dict):
        return {str(name): str(value) for name, value in text.items()}
    pairs = (line.partition(":") for line in str(text).splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def _reason(error: BaseException) -> str:
    """Which setting is wrong, and what was expected."""
    _, found, rest = str(error).partition("\n  caused by: ")
    return rest.partition("\n")[0] if found else _first_line(error)


def _first_line(error: BaseException) -> str:
    # `PING did not run: the reason (endpoint)`: the question was ours, and the endpoint is said beside it.
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    for asked in ("PING", "INFO", "CONFIG GET", "CONFIG", "SELECT"):
        line = line.removeprefix(f"{asked} did not run: ").removeprefix(f"{asked} may have run: ")
    return line.rpartition(" (")[0] if line.endswith(")") and " (" in line else line
