"""A Redis URL, read leniently: what is wrong with it is for checks to say."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
import threading
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ._finding import CheckError

#: Seconds that are waited for a name's addresses.
NAME_WITHIN = 2.0

SCHEMES = {"redis": False, "rediss": True, "unix": False, "redis+socket": False}


@dataclasses.dataclass(frozen=True)
class Target:
    """An endpoint and how it is logged in to. Its text forms never have the password."""

    host: str | None
    port: int
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    tls: bool = False
    options: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)

    def __str__(self) -> str:
        if self.path is not None:
            return f"{self.server}?db={self.db}" if self.db else self.server
        return f"{self.server}/{self.db}"

    @property
    def server(self) -> str:
        """Without the database: what is said of a server is said once, however many of its databases are in use."""
        if self.path is not None:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"unix:{self.path}" if self.path is not None else f"{self.host}:{self.port}"

    def option(self, *names: str) -> str | None:
        """The value of an option of the URL, by any of its names."""
        return next((value for name, value in self.options if name in names), None)

    def option_seconds(self, *names: str) -> float | None:
        """The same as seconds; ``None`` also if it makes no sense."""
        value = self.option(*names)
        return None if value is None else seconds(value)


def seconds(text: str) -> float | None:
    """``2``, ``2s``, ``250ms``, ``1m``, ``1h`` as seconds."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0), ("", 1.0)):
        if text.endswith(unit):
            try:
                return float(text.removesuffix(unit)) * factor
            except ValueError:
                continue
    return None


def parse(url: Any, where: str) -> Target:
    """Reads a URL. Never tells its text in an error: there may be a password in it."""
    if not isinstance(url, str) or not url.strip():
        raise CheckError(f"{where}: no URL", "give one, as redis://host:6379/0")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise CheckError(
            f"{where}: the URL cannot be read", "is the password percent-encoded, and the port a number?"
        ) from None
    if parts.scheme not in SCHEMES:
        raise CheckError(
            f"{where}: the URL does not begin with redis://, rediss:// or unix://",
            "give one, as redis://host:6379/0",
        )
    if parts.fragment or ("@" in f"{parts.path}{parts.query}" and "@" not in parts.netloc):
        # `redis://:a#b@host`: what stands before is the password's first half, and must not be taken for a port and shown.
        raise CheckError(
            f"{where}: the URL cannot be read", "percent-encode the password: # is %23, ? is %3F, / is %2F, @ is %40"
        )
    options = tuple(parse_qsl(parts.query, keep_blank_values=True))
    given = dict(options)
    path = None
    if parts.scheme in ("unix", "redis+socket"):
        path = unquote(f"{parts.hostname or ''}{parts.path}")
        if not path:
            raise CheckError(f"{where}: the URL names no socket", "give its path, as unix:///run/redis/redis.sock")
        db_text = given.get("db", given.get("virtual_host", "0"))
    else:
        db_text = parts.path.strip("/") or given.get("db", "0")
    try:
        db = int(db_text or 0)
    except ValueError:
        raise CheckError(
            f"{where}: the database in the URL is no number", "end it with /0, as redis://host:6379/0"
        ) from None
    return Target(
        host=None if path is not None else unquote(parts.hostname or "localhost"),
        port=port or 6379,
        path=path,
        db=db,
        username=unquote(parts.username) if parts.username else given.get("username"),
        password=unquote(parts.password) if parts.password else given.get("password"),
        tls=SCHEMES[parts.scheme],
        options=options,
    )


def of_pool(kwargs: dict[str, Any], tls: bool) -> Target:
    """The target of a client that was made already, by its connections' arguments."""
    path = kwargs.get("path")
    text = lambda value: None if value is None else str(value)  # noqa: E731
    return Target(
        host=None if path else str(kwargs.get("host") or "localhost"),
        port=int(kwargs.get("port") or 6379),
        path=text(path),
        db=int(kwargs.get("db") or 0),
        username=text(kwargs.get("username")),
        password=text(kwargs.get("password")),
        tls=tls,
        options=tuple(
            (name, str(value)) for name, value in kwargs.items() if name.startswith("ssl_") and value is not None
        ),
    )


def is_local(target: Target) -> bool | None:
    """Whether the way to it never leaves this host; ``None`` if its name is not known, or nobody says it in time."""
    if target.path is not None:
        return True
    assert target.host is not None
    found: list[set[str]] = []

    def ask() -> None:
        try:
            found.append({str(item[4][0]) for item in socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)})
        except (OSError, UnicodeError):
            pass

    # The system's resolver takes no deadline, and waits half a minute for a name service that keeps silent.
    asking = threading.Thread(target=ask, name="seawall-check-name", daemon=True)
    asking.start()
    asking.join(NAME_WITHIN)
    if not found:
        return None
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found[0])
