"""Django: a middleware that answers 503 where Redis cannot be used.

Put it first::

    MIDDLEWARE = ["seawall.contrib.django.Unavailable", ...]

and, for sessions in the cache, ``SESSION_ENGINE = "seawall.contrib.django.sessions"``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse

from .. import _unavailable

__all__ = ["Unavailable"]


class Unavailable:
    """An error of Redis's that no view has caught is answered with 503, ``Retry-After`` and ``X-Seawall-Cause``."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
        got_request_exception.connect(_remember, dispatch_uid="seawall.contrib.django")

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._async(request)
        return _replaced(request, self.get_response(request))

    async def _async(self, request: HttpRequest) -> Any:
        return _replaced(request, await self.get_response(request))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """What a view has raised."""
        error = _unavailable.reason(exception)
        return None if error is None else _answer(request, error)


def _remember(sender: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """What another middleware has raised: Django makes its 500 before anybody outside can see it."""
    error = _unavailable.reason(sys.exc_info()[1])
    if request is not None and error is not None:
        request._seawall_error = error  # type: ignore[attr-defined]


def _replaced(request: HttpRequest, response: Any) -> Any:
    error = getattr(request, "_seawall_error", None)
    return response if error is None or response.status_code != 500 else _answer(request, error)


def _answer(request: HttpRequest, error: BaseException) -> HttpResponse:
    _unavailable.note(error, f"{request.method} {request.path}")
    response = HttpResponse(
        _unavailable.text_of(error) + "\n",
        status=503,
        content_type="text/plain; charset=utf-8",
        headers=_unavailable.headers_of(error),
    )
    # Django would log each of them.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
