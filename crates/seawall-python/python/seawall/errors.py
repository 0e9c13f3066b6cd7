"""The exceptions of Seawall: each is one that users of redis-py catch already, and says more.

Every exception that a failing connection, server or pool causes is a :class:`SeawallError` besides being the class of
``redis.exceptions`` that redis-py would have raised. Errors about the command itself (``WRONGTYPE``, a wrong number of
arguments) are redis-py's own, unchanged.
"""

from __future__ import annotations

from typing import Any

from redis import exceptions as _redis
from redis._parsers.base import BaseParser as _BaseParser

from . import _ext

__all__ = [
    "AuthenticationError",
    "ConnectionError",
    "GuardOpenError",
    "PoolExhaustedError",
    "SeawallError",
    "ServerStateError",
    "SettingsError",
    "TimeoutError",
]


class SeawallError(Exception):
    """What is known of a failure. Mixed into the classes of redis-py; never raised by itself."""

    #: The stable name of the cause, such as ``"connection-refused"``: see docs/causes.md.
    cause: str = "unclear"
    #: A second cause that was seen on the way, if any.
    also: str | None = None
    #: Whether the command may have run. ``False`` is a proof that it did not. Raised by a pipeline: whether any of its commands.
    may_have_run: bool = False
    #: How far the request got: ``queued``, ``offered``, ``partly``, ``written``, ``replying``.
    provenance: str = "queued"
    #: How often it was sent.
    attempts: int = 0
    #: Seconds from the call's start to this error.
    elapsed: float = 0.0
    #: Seconds for which the connection had been idle before the request; ``None`` without a connection.
    idle: float | None = None
    #: Seconds for which the connection had been established; ``None`` without a connection.
    age: float | None = None
    #: The id by which the server's log and CLIENT LIST know the connection.
    client_id: int | None = None
    #: Seconds until it is worth trying again, if the endpoint is down.
    retry_after: float | None = None
    #: The command's name.
    command: str = ""
    #: The endpoint it was for.
    endpoint: str = ""
    #: What to look at or do next.
    hint: str = ""


class ConnectionError(SeawallError, _redis.ConnectionError):
    """No connection could be had, or the connection ended before the reply came."""


class TimeoutError(SeawallError, _redis.TimeoutError):
    """The deadline came first."""


class AuthenticationError(SeawallError, _redis.AuthenticationError):
    """The server refused the user name or password. Not retried."""


class SettingsError(SeawallError, _redis.ConnectionError, _redis.DataError):
    """A setting is wrong, or names a file that cannot be read: only a person can mend it.

    redis-py finds some of these as a ``DataError``, others when it connects.
    """


class PoolExhaustedError(SeawallError, _redis.MaxConnectionsError):
    """Every connection stayed in use until the deadline, or too many waited already."""


class GuardOpenError(SeawallError):
    """A :func:`seawall.guard` did not let a call through. What was called before and failed is ``__cause__``."""

    cause = "guard-open"
    #: The guard's name.
    name: str = ""
    #: ``open``, ``half-open`` (somebody else's call is the trial) or ``isolated``.
    state: str = "open"


class ServerStateError(SeawallError):
    """The server refused the command for its own state (LOADING, READONLY, OOM, ..).

    Mixed into redis-py's class for that error.
    """

    def __reduce__(self) -> Any:
        # Its class is made here, and stands nowhere by a name.
        return _unpickled, (type(self).__bases__[1], self.args, self.__dict__)


_TIMEOUTS = frozenset({"deadline-exceeded", "connect-timeout", "reply-timeout", "server-unresponsive", "idle-swallowed"})
_AUTH = frozenset({"auth-failed", "auth-required"})
_POOL = frozenset({"pool-exhausted", "too-many-waiting"})
_BY_CAUSE: dict[str, str] = {
    "loading": "LOADING Redis is loading the dataset in memory",
    "read-only": "READONLY You can't write against a read only replica.",
    "out-of-memory": "OOM command not allowed when used memory > 'maxmemory'.",
    "save-failed": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "master-down": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "cluster-down": "CLUSTERDOWN The cluster is down",
    "no-replicas": "NOREPLICAS Not enough good replicas to write.",
}

_mixed: dict[type, type] = {}


def _unpickled(kind: type, args: tuple[Any, ...], facts: dict[str, Any]) -> Exception:
    error: Exception = _mix(kind).__new__(_mix(kind), *args)
    error.args = args
    error.__dict__.update(facts)
    return error


def _mix(kind: type) -> type:
    """The subclass of a class of redis-py that is a :class:`ServerStateError` too."""
    mixed = _mixed.get(kind)
    if mixed is None:
        mixed = type(kind.__name__, (ServerStateError, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})
        _mixed[kind] = mixed
    return mixed


def _closed(*, may_have_run: bool) -> ConnectionError:
    """Makes the exception for a connection that its own user has closed."""
    error = ConnectionError("Connection closed")
    error.cause = "client-closed"
    error.may_have_run = may_have_run
    return error


def _failure(message: str, facts: dict[str, Any]) -> Exception:
    """Makes the exception for a failure of the engine's."""
    reply = facts.pop("reply", None)
    kind = facts.pop("kind")
    cause = facts["cause"]
    error: Exception
    if reply is not None:
        error = _BaseParser.parse_error(reply)
        if cause == "command-error":
            return error
        error.__class__ = _mix(type(error))
        _note(error, message)
    elif cause in _AUTH:
        error = AuthenticationError(message)
    elif cause in _POOL:
        error = PoolExhaustedError(message)
    elif kind == "timed-out" or cause in _TIMEOUTS:
        error = TimeoutError(message)
    elif kind == "refused" and cause in _BY_CAUSE:
        # The server said so to somebody else; this command was not sent.
        error = _BaseParser.parse_error(_BY_CAUSE[cause])
        error.args = (f"{error.args[0]}\n{message}",)
        error.__class__ = _mix(type(error))
    elif kind == "settings" and cause == "bad-settings":
        error = SettingsError(message)
    else:
        error = ConnectionError(message)
    error.__dict__.update(facts)
    return error


def _refused(error: Exception, facts: dict[str, Any]) -> None:
    """Makes redis-py's error for a reply one that says what the server's state was: in place, and its text stays."""
    said = " ".join(str(part) for part in (getattr(error, "status_code", None), *error.args[:1]) if part)
    error.__class__ = _mix(type(error))
    error.__dict__.update(facts)
    _note(error, f"{facts['command']} was refused: {said} ({facts['endpoint']})\n  hint: {facts['hint']}")


def _note(error: Exception, text: str) -> None:
    """Adds a note that tracebacks show (Python 3.11 and later)."""
    add_note = getattr(error, "add_note", None)
    if add_note is not None:
        add_note(text)


_ext.install(_failure, _BaseParser.parse_error, _redis.DataError)
