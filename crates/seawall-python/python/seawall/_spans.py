"""Spans for commands, where OpenTelemetry's own instrumentation of redis-py makes none: put around our clients' methods
while somebody wants them, so that they cost nothing otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Any

import redis

__all__ = ["install"]

#: Longer names are nobody's command.
_NAME_MAX = 64

#: What stood there before: class, name of the method, whether it was the class's own, and the method.
_replaced: list[tuple[type, str, bool, Any]] = []
_tracer: Any = None


def install(tracer: Any) -> None:
    """Makes spans by this tracer from now on; with ``None``, no more."""
    global _tracer
    _tracer = tracer
    if tracer is None:
        while _replaced:
            kind, name, own, method = _replaced.pop()
            if own:
                setattr(kind, name, method)
            else:
                delattr(kind, name)
    elif not _replaced:
        from . import asyncio, client, pipeline
        from .asyncio import pipeline as asyncio_pipeline

        _put(client.Redis, "_execute_command", _around_command)
        _put(pipeline.Pipeline, "immediate_execute_command", _around_command)
        _put(pipeline.Pipeline, "execute", _around_pipeline)
        _put(asyncio.Redis, "_run", _around_run)
        _put(asyncio_pipeline.Pipeline, "immediate_execute_command", _around_command_of_task)
        _put(asyncio_pipeline.Pipeline, "execute", _around_pipeline_of_task)


def _put(kind: type, name: str, around: Any) -> None:
    method = getattr(kind, name, None)
    # With SEAWALL=off the clients are redis-py's, and have none of our own.
    if method is not None:
        _replaced.append((kind, name, name in vars(kind), method))
        setattr(kind, name, functools.wraps(method)(around(method)))


def _around_command(method: Any) -> Any:
    def traced(self: Any, *args: Any, **options: Any) -> Any:
        with _span(self, _name(args), None):
            return method(self, *args, **options)

    return traced


def _around_command_of_task(method: Any) -> Any:
    async def traced(self: Any, *args: Any, **options: Any) -> Any:
        with _span(self, _name(args), None):
            return await method(self, *args, **options)

    return traced


def _around_run(method: Any) -> Any:
    async def traced(self: Any, args: Any, options: Any) -> Any:
        with _span(self, _name(args), None):
            return await method(self, args, options)

    return traced


def _around_pipeline(method: Any) -> Any:
    def traced(self: Any, *args: Any, **options: Any) -> Any:
        if not self.command_stack:
            return method(self, *args, **options)
        with _span(self, *_names(self)):
            return method(self, *args, **options)

    return traced


def _around_pipeline_of_task(method: Any) -> Any:
    async def traced(self: Any, *args: Any, **options: Any) -> Any:
        if not self.command_stack:
            return await method(self, *args, **options)
        with _span(self, *_names(self)):
            return await method(self, *args, **options)

    return traced


# -- what a span says --


def _name(args: tuple[Any, ...]) -> str:
    name = args[0] if args else ""
    if isinstance(name, (bytes, bytearray, memoryview)):
        name = bytes(name).decode("latin-1")
    name = str(name).upper()
    return name if 0 < len(name) <= _NAME_MAX and name.isprintable() else "UNKNOWN"


def _names(pipeline: Any) -> tuple[str, int]:
    """The operation of a pipeline, as OpenTelemetry's conventions for Redis have it, and how many commands it has."""
    commands = pipeline.command_stack
    names = {_name(args) for args, _ in commands}
    # The attribute of tasks' pipelines; of the others it is called as a method of theirs.
    whole = pipeline.is_transaction if hasattr(pipeline, "is_transaction") else pipeline.transaction
    kind = "MULTI" if whole or pipeline.explicit_transaction else "PIPELINE"
    return f"{kind} {names.pop()}" if len(names) == 1 else kind, len(commands)


@contextlib.contextmanager
def _span(client: Any, name: str, size: int | None) -> Iterator[None]:
    tracer = _tracer
    if tracer is None or _others_trace(client) or _is_suppressed():
        yield
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode

    attributes = _about(client)
    attributes["db.operation.name"] = name
    # One command is no batch.
    if size is not None and size > 1:
        attributes["db.operation.batch.size"] = size
    # What an exception says may be the server's own text, with the command's arguments in it: it is not recorded.
    with tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except redis.WatchError:
            # Somebody else was faster: no failure.
            raise
        except BaseException as error:
            if span.is_recording():
                kind, code = _kind(error)
                span.set_attribute("error.type", kind)
                if code is not None:
                    span.set_attribute("db.response.status_code", code)
                may_have_run = getattr(error, "may_have_run", None)
                if may_have_run is not None:
                    span.set_attribute("seawall.may_have_run", may_have_run)
                span.set_status(Status(StatusCode.ERROR, kind))
            raise
        finally:
            if span.is_recording():
                _tell_peer(span, client.connection_pool)


def _kind(error: BaseException) -> tuple[str, str | None]:
    """``error.type``, and the server's word for it."""
    code = None
    # Of the engine's errors those alone that the server answered this command with.
    if getattr(error, "provenance", "replying" if isinstance(error, redis.ResponseError) else None) == "replying":
        code = getattr(error, "status_code", None) or _first_word(str(error))
    cause = getattr(error, "cause", None)
    if isinstance(cause, str) and cause != "command-error":
        return cause, code
    return code or type(error).__qualname__, code


def _first_word(text: str) -> str | None:
    word = text.split(None, 1)[0].rstrip(":") if text.strip() else ""
    return word if word.isupper() and word.isalnum() and len(word) <= _NAME_MAX else None


def _about(client: Any) -> dict[str, Any]:
    about = client.connection_pool.connection_kwargs
    attributes: dict[str, Any] = {"db.system.name": "redis", "db.namespace": str(about.get("db") or 0)}
    path = about.get("path")
    if path is not None:
        attributes["server.address"] = str(path)
        return attributes
    host = str(about.get("host") or "localhost")
    attributes["server.address"] = host
    attributes["server.port"] = int(about.get("port") or 6379)
    return attributes


def _tell_peer(span: Any, pool: Any) -> None:
    """With which address the name was reached, if it was."""
    known = getattr(pool, "_known", None)
    link = getattr(pool, "_link_known", None) if known is None else known[1]
    peer = None if link is None else link.peer()
    if peer is not None:
        span.set_attribute("network.peer.address", peer[0])
        span.set_attribute("network.peer.port", peer[1])


def _others_trace(client: Any) -> bool:
    """Whether OpenTelemetry's instrumentation of redis-py makes a span for this command anyway."""
    if getattr(client, "_is_instrumented_by_opentelemetry", False):
        return True
    theirs = sys.modules.get("opentelemetry.instrumentation.redis")
    return theirs is not None and bool(theirs.RedisInstrumentor().is_instrumented_by_opentelemetry)


def _is_suppressed() -> bool:
    from opentelemetry import context

    key = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
    return bool(context.get_value(key) or context.get_value("suppress_instrumentation"))
