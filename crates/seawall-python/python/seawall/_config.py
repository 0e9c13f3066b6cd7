"""From redis-py's connection arguments to a link of the engine."""

from __future__ import annotations

import operator
import os
import threading
import weakref
from typing import Any
from urllib.parse import quote

from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import DataError
from redis.retry import Retry
from redis.utils import get_lib_version

from . import _drain, _ext, _registry

#: What redis-py calls itself.
_REDIS_PY = "redis-py"
#: It stands in the package's metadata, which takes longer to read from the disk than ten commands: not with each lease.
_REDIS_PY_VERSION = get_lib_version()

#: The deadline of a call where neither `deadline` nor `socket_timeout` says one.
DEADLINE = 5.0

#: Settings of the engine that may stand beside redis-py's arguments, in a URL or as keywords. docs/settings.md has them.
OURS = frozenset(
    {
        "deadline",
        "ride_out",
        "replay",
        "attempts",
        "retry_budget",
        "pool_size",
        "waiters_max",
        "max_idle",
        "max_age",
        "tcp_user_timeout",
        "server_hints",
        "reply_bytes_max",
        "journal_bytes",
        "state_dir",
    }
)

#: Of these, `None` means off.
_CAN_BE_OFF = frozenset({"max_idle", "max_age", "tcp_user_timeout", "server_hints"})

#: Arguments of redis-py that only its own TLS can honour.
_TLS_UNKNOWN = (
    "ssl_ca_path",
    "ssl_ca_data",
    "ssl_ciphers",
    "ssl_include_verify_flags",
    "ssl_exclude_verify_flags",
    "ssl_ocsp_context",
    "ssl_ocsp_expected_cert",
    "ssl_password",
)
_TLS_OFF = ("ssl_validate_ocsp", "ssl_validate_ocsp_stapled")


#: Arguments of redis-py that take an object, and which.
OBJECTS = {
    "retry": "a Retry",
    "retry_on_error": "a list of exception classes",
    "credential_provider": "a CredentialProvider",
    "connection_class": "a class of connections",
    "redis_connect_func": "a function",
    "event_dispatcher": "an EventDispatcher",
    "cache_config": "a CacheConfig",
    "cache_factory": "a CacheFactory",
    "driver_info": "a DriverInfo",
    "encoder_class": "a class of encoders",
    "command_packer": "a packer of commands",
    "queue_class": "a class of queues",
    "parser_class": "a class of parsers",
    "maint_notifications_config": "a MaintNotificationsConfig",
    "socket_keepalive_options": "a dict",
}
#: What can be said in a URL instead.
INSTEAD = {
    "retry": "attempts=3 in the URL says how often a call may be sent in all",
    "retry_on_error": "replay=reads in the URL says what may be sent again",
    "credential_provider": "redis://user:password@host is a URL that logs in",
}


#: The policy that ``redis.Redis()`` has if nobody says another: no wish of anybody's. Pools have none at all.
NO_WISH = Retry(backoff=ExponentialWithJitterBackoff(base=0.01, cap=1), retries=10)
#: As often as the engine sends anything.
_ATTEMPTS_MAX = 10
#: The `socket_connect_timeout` of who says none.
_CONNECT_OF_REDIS = 5
_POOL_SIZE_MAX = 65_535


def attempts(policy: Retry | None) -> int | None:
    """How often a call may be sent, by a retry policy that somebody chose; ``None``: nobody did."""
    if policy is None or policy == NO_WISH:
        return None
    retries = policy.get_retries()
    return _ATTEMPTS_MAX if retries < 0 else min(retries + 1, _ATTEMPTS_MAX)


def retry_unsaid(kwargs: dict[str, Any]) -> bool:
    """Whether a connection was made without a word about when to try again; to redis-py, too, an empty `retry_on_error` and a
    `retry_on_timeout` that is false are none.
    """
    return "retry" not in kwargs and not kwargs.get("retry_on_error") and not kwargs.get("retry_on_timeout")


def connect_unsaid(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a client was made without a word about `socket_connect_timeout`, its sixth argument."""
    return "socket_connect_timeout" not in kwargs and len(args) < 6


def take_ours(kwargs: dict[str, Any]) -> dict[str, str]:
    """Takes Seawall's own settings out of a pool's or connection's keywords."""
    said = {name: kwargs.pop(name) for name in OURS & kwargs.keys()}
    # `None` is no wish, but for what can be switched off.
    return {name: _text(name, value) for name, value in said.items() if value is not None or name in _CAN_BE_OFF}


def refuse_texts(kwargs: dict[str, Any]) -> None:
    """Says which arguments are no objects where they must be. What stands there instead is not shown: it may be a secret."""
    for name in OBJECTS.keys() & kwargs.keys():
        value = kwargs[name]
        # redis-py takes what stands in a URL apart into its letters here.
        parts = value if name == "retry_on_error" and isinstance(value, (list, tuple)) else [value]
        if any(isinstance(part, (str, int, float)) and not isinstance(part, bool) for part in parts):
            instead = f"; {INSTEAD[name]}" if name in INSTEAD else ""
            raise DataError(
                f"{name}: it takes {OBJECTS[name]}; a text or a number is none, so no URL can carry it: give it as a keyword{instead}"
            )


def drop_ours(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Takes them out where nobody reads them, right or wrong."""
    return {name: kwargs.pop(name) for name in OURS & kwargs.keys()}


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)):
        if name in ("deadline", "ride_out", "max_idle", "max_age", "tcp_user_timeout"):
            return _span(name, value)
        if name == "retry_budget":
            return f"{value}%"
    if value is None:
        return "off"
    return str(value)


def _span(name: str, seconds: Any) -> str:
    try:
        micros = round(float(seconds) * 1_000_000)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{name}: {seconds!r} is no number of seconds") from None
    if micros <= 0:
        none = "to switch it off" if name in _CAN_BE_OFF else "for the default"
        raise DataError(f"{name}: {seconds!r} s is no time to wait; give more than 0, or None {none}")
    if micros % 1000:
        micros = max(1000, micros)
    return f"{max(1, round(micros / 1000))}ms"


class LinkSpec:
    """Everything that makes two connections the same to the engine."""

    __slots__ = ("key", "provider", "settings", "url")

    def __init__(self, url: str, settings: tuple[tuple[str, str], ...], provider: Any) -> None:
        self.url = url
        self.settings = settings
        self.provider = provider
        # A link keeps its provider alive: no other one gets its id meanwhile.
        self.key = (url, settings, None if provider is None else id(provider))


class _Known:
    """What a connection asked for the last time, and what that was in the engine's words."""

    __slots__ = ("_deciding", "last")

    def __init__(self, connection: Any) -> None:
        where = [name for name in _WHERE if hasattr(connection, name)]
        self._deciding = operator.attrgetter(*_DECIDING, *where)
        #: One value, set at once: an exception out of a signal's handler may come at any point.
        self.last: tuple[Any, LinkSpec] | None = None

    def asks(self, connection: Any) -> Any:
        info = connection.driver_info
        who = None if info is None else (info.formatted_name, info.lib_version)
        return self._deciding(connection), who


def spec_of(connection: Any, ours: dict[str, str], pool_size: int | None = None) -> LinkSpec:
    """What a connection of redis-py's asks for, in the engine's words.

    It is asked with each lease, since others change a connection's attributes after it was made: what they came to is
    kept with them.
    """
    known: _Known | None = getattr(connection, "_spec_known", None)
    if known is None:
        known = connection._spec_known = _Known(connection)
    asked = (known.asks(connection), ours, pool_size)
    last = known.last
    # Another provider is another one, whatever it says of itself.
    if last is not None and last[0] == asked and last[1].provider is connection.credential_provider:
        return last[1]
    spec = _spec_of(connection, ours, pool_size)
    known.last = (asked, spec)
    return spec


#: What decides, of a connection's attributes.
_DECIDING = (
    "_attempts", "_socket_timeout", "_socket_connect_timeout", "_connect_unsaid", "username", "password", "db", "client_name",
    "protocol",
)  # fmt: skip
#: Those of TLS and of a Unix socket not all have.
_WHERE = ("path", "host", "port", "socket_keepalive", "ca_certs", "certfile", "keyfile", "cert_reqs", "check_hostname")


def _spec_of(connection: Any, ours: dict[str, str], pool_size: int | None) -> LinkSpec:
    refuse_foreign_tls(connection._tls_asked)
    settings: dict[str, str] = {}
    if pool_size is not None:
        settings["pool_size"] = str(min(pool_size, _POOL_SIZE_MAX))
    if connection._attempts is not None:
        settings["attempts"] = str(connection._attempts)
    timeout = connection._socket_timeout
    settings["deadline"] = _span("socket_timeout", DEADLINE if timeout is None else timeout)
    connect = connection._socket_connect_timeout
    # redis-py's own default is no wish of anybody's: it takes as long as the whole call may.
    if connect is not None and not (connection._connect_unsaid and connect == _CONNECT_OF_REDIS):
        settings["connect_timeout"] = _span("socket_connect_timeout", connect)
    if connection.username:
        settings["user"] = str(connection.username)
    if connection.password:
        settings["password"] = str(connection.password)
    if connection.db:
        settings["db"] = str(int(connection.db))
    if connection.client_name:
        settings["client_name"] = str(connection.client_name)
    settings["protocol"] = str(connection.protocol)
    settings.update(_library(connection.driver_info))
    if hasattr(connection, "path"):
        path = connection.path
        if not path:
            raise DataError("unix_socket_path: it is empty; write it like unix:///run/redis/redis.sock")
        url = f"unix://{quote(os.path.abspath(path))}"
    else:
        host = _host(connection.host)
        secure = hasattr(connection, "ca_certs")
        url = f"{'rediss' if secure else 'redis'}://{host}:{connection.port}"
        if not connection.socket_keepalive:
            settings["keepalive"] = "off"
        if secure:
            settings.update(_tls(connection))
    settings.update(ours)
    return LinkSpec(url, tuple(sorted(settings.items())), connection.credential_provider)


def _host(host: Any) -> str:
    """As it stands in a URL; what stands there instead of a host is said in words, and not shown: passwords are in URLs."""
    if host is None:
        # As `getaddrinfo` has it.
        return "localhost"
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str):
        raise DataError(f"host: a {type(host).__name__} is no name and no address")
    if "://" in host:
        raise DataError("host: this is a URL; Redis.from_url(..) takes it, `host` is a name or an address alone")
    name, colon, port = host.partition(":")
    if colon and port.isdigit() and name:
        raise DataError("host: a port stands behind it; give that as `port`, and the name or address alone as `host`")
    return f"[{host}]" if colon and not host.startswith("[") else host


#: Longer ones are refused by the engine.
_LIBRARY_MAX = 512


def _library(info: Any) -> dict[str, str]:
    """What CLIENT LIST shows as ``lib-name`` and ``lib-ver``: ``seawall(redis-py_v8.1.0)``, in redis-py's own form, where
    nobody wishes something else.
    """
    if info is None:
        return {"lib_name": "off", "lib_version": "off"}
    name, version = info.formatted_name, info.lib_version
    theirs = _REDIS_PY_VERSION
    if (name, version) == (_REDIS_PY, theirs):
        ours = {"lib_name": f"seawall({_REDIS_PY}_v{theirs})", "lib_version": _ext.__version__}
        return {setting: text for setting, text in ours.items() if not os.environ.get(f"SEAWALL_{setting.upper()}")}
    return {"lib_name": _sayable(name), "lib_version": _sayable(version)}


def _sayable(text: Any) -> str:
    # What the server would refuse is not said: redis-py does not mind a refusal.
    fit = isinstance(text, str) and 0 < len(text) <= _LIBRARY_MAX and all("!" <= char <= "~" for char in text)
    return text if fit else "off"


def _tls(connection: Any) -> dict[str, str]:
    import ssl

    settings: dict[str, str] = {}
    if connection.ca_certs:
        settings["tls_ca_file"] = str(connection.ca_certs)
    if connection.certfile:
        settings["tls_cert_file"] = str(connection.certfile)
    if connection.keyfile:
        settings["tls_key_file"] = str(connection.keyfile)
    if connection.cert_reqs == ssl.CERT_NONE:
        settings["tls_verify"] = "none"
    if not connection.check_hostname:
        settings["tls_check_name"] = "off"
    return settings


def refuse_foreign_tls(kwargs: dict[str, Any]) -> None:
    """Says which arguments the engine's TLS does not know, before anything is dialled."""
    asked = [name for name in _TLS_UNKNOWN if kwargs.get(name)]
    asked += [name for name in _TLS_OFF if kwargs.get(name)]
    if asked:
        raise DataError(
            f"{', '.join(asked)}: not supported by Seawall's TLS (rustls); "
            "give the authority as a file (ssl_ca_certs), certificate and key as ssl_certfile and ssl_keyfile"
        )


_links: weakref.WeakValueDictionary[Any, _ext.Link] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def link_for(spec: LinkSpec) -> _ext.Link:
    """The process's link for these settings: everybody who asks for the same gets the same pool and the same health."""
    link = _links.get(spec.key)
    if link is not None:
        return link
    made = _ext.Link(spec.url, list(spec.settings), spec.provider)
    with _lock:
        link = _links.setdefault(spec.key, made)
    _registry.add(link)
    _drain.start()
    return link


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
