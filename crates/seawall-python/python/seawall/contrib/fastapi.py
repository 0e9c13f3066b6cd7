"""FastAPI and Starlette: 503 where Redis cannot be used, and a client for the application's lifetime::

    app = FastAPI(lifespan=seawall.contrib.fastapi.lifespan("redis://localhost:6379/0"))
    seawall.contrib.fastapi.install(app)

    @app.get("/")
    async def visits(request: Request):
        return await request.state.redis.incr("visits")
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from .. import asyncio as _asyncio
from . import _unavailable

__all__ = ["Unavailable", "install", "lifespan"]


class Unavailable:
    """ASGI middleware: an error of Redis's that nobody has caught is answered with 503, ``Retry-After`` and
    ``X-Seawall-Cause``, unless the response has begun."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as exception:
            error = _unavailable.reason(exception)
            if error is None or begun:
                raise
        else:
            return
        _unavailable.note(error, f"{scope['method']} {scope['path']}")
        body = json.dumps({"detail": "Redis is unavailable", "cause": _unavailable.cause_of(error)}).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        headers.update(_unavailable.headers_of(error))
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 503, "headers": encoded})
        await send({"type": "http.response.body", "body": body})


def install(app: Any) -> None:
    """Adds :class:`Unavailable` to a FastAPI or Starlette application, around what was added before."""
    app.add_middleware(Unavailable)


def lifespan(url: str, **options: Any) -> Callable[[Any], Any]:
    """A lifespan that opens ``request.state.redis``, a ``seawall.asyncio.Redis``, and closes it at the end.

    The server need not be there at the start: nothing is dialled before the first command.
    """

    @contextlib.asynccontextmanager
    async def live(app: Any) -> AsyncIterator[dict[str, Any]]:
        client = _asyncio.Redis.from_url(url, **options)
        try:
            yield {"redis": client}
        finally:
            await client.aclose()

    return live
