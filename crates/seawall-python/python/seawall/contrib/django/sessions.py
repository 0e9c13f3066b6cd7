"""Sessions in the cache that survive a failed read.

Django's own ``django.contrib.sessions.backends.cache`` takes a failed read for an empty session: the visitor is logged
out, and the cookie is deleted. Here the request fails instead, and the session is there again with the next one.
"""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.cache import KEY_PREFIX
from django.contrib.sessions.backends.cache import SessionStore as _Cache

from .._unavailable import reason

__all__ = ["KEY_PREFIX", "SessionStore"]


class SessionStore(_Cache):
    """Use as ``SESSION_ENGINE = "seawall.contrib.django.sessions"``."""

    cache_key_prefix = KEY_PREFIX

    def load(self) -> Any:
        """As Django's, but an error of Redis's is raised."""
        try:
            session = self._cache.get(self.cache_key)
        except Exception as error:
            session = _unless_redis(error)
        return self._found(session)

    async def aload(self) -> Any:
        """As `load`."""
        try:
            session = await self._cache.aget(await self.acache_key())
        except Exception as error:
            session = _unless_redis(error)
        return self._found(session)

    def _found(self, session: Any) -> Any:
        if session is not None:
            return session
        self._session_key = None
        return {}


def _unless_redis(error: Exception) -> Any:
    """Anything else is about the key, and an empty session its answer: as in Django's."""
    if reason(error) is not None:
        raise error
    return None
