"""Flask: 503 where Redis cannot be used::

    app = Flask(__name__)
    seawall.contrib.flask.install(app)

and a cache for Flask-Caching whose ``CACHE_REDIS_URL`` makes Seawall's client: ``CACHE_TYPE =
"seawall.contrib.flask.RedisCache"``.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from ..client import Redis
from . import _unavailable

__all__ = ["RedisCache", "install"]


def install(app: Flask) -> None:
    """An error of Redis's that no handler of the application has caught is answered with 503, ``Retry-After`` and
    ``X-Seawall-Cause``; also one that comes after the view, from a session that cannot be saved."""
    theirs = app.handle_exception

    def handle_exception(exception: Exception) -> Any:
        error = _unavailable.reason(exception)
        return theirs(exception) if error is None else _answer(error)

    app.handle_exception = handle_exception  # type: ignore[method-assign, assignment]


def _answer(error: BaseException) -> Response:
    _unavailable.note(error, f"{request.method} {request.path}")
    return Response(
        _unavailable.text_of(error) + "\n",
        status=503,
        content_type="text/plain; charset=utf-8",
        headers=_unavailable.headers_of(error),
    )


def RedisCache(app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Makes Flask-Caching's own Redis cache on Seawall's client, from the settings that it has for redis-py's."""
    from flask_caching.backends.rediscache import RedisCache as Theirs

    url = config.get("CACHE_REDIS_URL")
    if url:
        options = config.get("CACHE_OPTIONS") or {}
        db = config.get("CACHE_REDIS_DB")
        client = Redis.from_url(url, **options, **({} if db is None else {"db": db}))
    else:
        client = Redis(
            host=config.get("CACHE_REDIS_HOST") or "localhost",
            port=int(config.get("CACHE_REDIS_PORT") or 6379),
            db=int(config.get("CACHE_REDIS_DB") or 0),
            password=config.get("CACHE_REDIS_PASSWORD"),
        )
    prefix = config.get("CACHE_KEY_PREFIX")
    return Theirs(host=client, default_timeout=config.get("CACHE_DEFAULT_TIMEOUT", 300), key_prefix=prefix)
