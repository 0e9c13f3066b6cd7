"""Django's cache backend, django-redis and cache-backed sessions, in this process."""

from __future__ import annotations

import collections
import threading
import time
from typing import Any

import django
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

import seawall
from apps_support import joins, wait_until

if not settings.configured:
    settings.configure(
        SECRET_KEY="a test's",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    )
    django.setup()

from django.core.cache import caches  # noqa: E402

DJANGO = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "OPTIONS": {"pool_class": "seawall.ConnectionPool"},
}
POOL = {
    "BACKEND": "django_redis.cache.RedisCache",
    "OPTIONS": {"CONNECTION_POOL_CLASS": "seawall.ConnectionPool"},
}
CLIENT = {
    "BACKEND": "django_redis.cache.RedisCache",
    "OPTIONS": {"CONNECTION_POOL_CLASS": "seawall.ConnectionPool", "REDIS_CLIENT_CLASS": "seawall.Redis"},
}
EACH = pytest.mark.parametrize("backend", [DJANGO, POOL, CLIENT], ids=["django", "django-redis", "django-redis-client"])


def cache_of(backend: dict[str, Any], url: str, **options: Any) -> Any:
    """A cache with settings of its own, as Django would make it."""
    made = {**backend, "LOCATION": url, "OPTIONS": {**backend["OPTIONS"], **options}}
    with override_settings(CACHES={"default": made}):
        return caches.create_connection("default")


def pool_of(cache: Any) -> Any:
    client = cache._cache.get_client() if hasattr(cache, "_cache") else cache.client.get_client()
    return client.connection_pool


@EACH
def test_the_cache_uses_our_pool_and_connections(backend: dict[str, Any], server: Any) -> None:
    cache = cache_of(backend, server.url)
    assert isinstance(pool_of(cache), seawall.ConnectionPool)
    cache.set("key", {"a": 1}, 60)
    assert cache.get("key") == {"a": 1}
    assert cache.add("key", 2) is False
    cache.set_many({"b": 1, "c": 2}, 60)
    assert cache.get_many(["b", "c", "d"]) == {"b": 1, "c": 2}
    assert cache.incr("b") == 2
    assert cache.touch("b", 5) is True
    cache.delete_many(["b", "c"])
    assert cache.has_key("b") is False
    assert cache.get_or_set("e", lambda: 5) == 5
    cache.clear()
    assert cache.get("key") is None


@joins(["Django cache", "django-redis", "django-redis, client"], "once", "mismatch", "cause", "restart")
@EACH
def test_nothing_is_counted_twice_while_the_server_is_killed_and_restarted(
    backend: dict[str, Any], make_server: Any
) -> None:
    server = make_server("--appendfsync", "no", save=True)
    cache = cache_of(backend, server.url)
    cache.set("count", 0, None)
    for name in range(4):
        cache.set(f"key-{name}", name, None)
    counts: collections.Counter[str] = collections.Counter()
    mismatches: list[AssertionError] = []
    stop = threading.Event()

    def use(name: int) -> None:
        while not stop.is_set():
            try:
                assert cache.get(f"key-{name}") == name
                cache.incr("count")
                cache.set_many({"many": 1}, None)
            except seawall.errors.SeawallError as error:
                counts["failed"] += 1
                assert error.cause != "unclear", error
                time.sleep(0.005)
            except AssertionError as error:
                mismatches.append(error)
            else:
                counts["done"] += 1

    threads = [threading.Thread(target=use, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = counts["done"]
            wait_until(lambda: counts["done"] > before + 100, "a hundred rounds")
            server.kill()
            before = counts["failed"]
            wait_until(lambda: counts["failed"] > before, "a failure")
            server.start()
        before = counts["done"]
        wait_until(lambda: counts["done"] > before + 100, "a hundred rounds after the restart")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert mismatches == []
    assert counts["done"] <= cache.get("count") <= counts["done"] + counts["failed"]


@joins(["Django cache", "django-redis", "django-redis, client"], "deadline", "cause")
@EACH
def test_a_frozen_server_ends_a_call_at_its_timeout_with_the_cause(backend: dict[str, Any], server: Any) -> None:
    option = {"socket_timeout": 0.5} if backend is DJANGO else {"SOCKET_TIMEOUT": 0.5}
    cache = cache_of(backend, server.url, **option)
    cache.set("key", 1)
    server.freeze()
    try:
        with pytest.raises(seawall.errors.TimeoutError) as caught:
            cache.get("key")
    finally:
        server.thaw()
    assert caught.value.cause in ("server-unresponsive", "reply-timeout", "deadline-exceeded")


# -- the middleware and the sessions, for what the example site does not show --


def look(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.session.get("things", 0)))


def put(request: HttpRequest) -> HttpResponse:
    request.session["things"] = request.session.get("things", 0) + 1
    if broken := request.GET.get("break"):
        BREAK[broken]()
    return HttpResponse("put")


async def look_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await request.session.aget("things", 0)))


def mistake(request: HttpRequest) -> HttpResponse:
    raise ValueError("the application's own")


BREAK: dict[str, Any] = {}
urlpatterns = [path("look", look), path("put", put), path("mistake", mistake), path("look-async", look_async)]


def site(url: str) -> Any:
    return override_settings(
        CACHES={"default": {**DJANGO, "LOCATION": url}},
        MIDDLEWARE=[
            "seawall.contrib.django.Unavailable",
            "django.contrib.sessions.middleware.SessionMiddleware",
        ],
        SESSION_ENGINE="seawall.contrib.django.sessions",
    )


@joins("Django sessions", "cause")
def test_a_session_that_cannot_be_saved_is_a_503_as_well(server: Any) -> None:
    BREAK["server"] = server.kill
    with site(server.url):
        visitor = Client(raise_request_exception=False)
        assert visitor.get("/put").status_code == 200
        gone = visitor.get("/put?break=server")
    assert gone.status_code == 503
    assert gone.headers["X-Seawall-Cause"]
    assert int(gone.headers["Retry-After"]) >= 1


def test_the_engine_can_be_changed_in_a_running_site(server: Any) -> None:
    visitor = Client()
    with site(server.url):
        visitor.get("/put")
        with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.cache"):
            assert visitor.get("/look").content == b"1"
            visitor.get("/put")
        assert visitor.get("/look").content == b"2"


def test_settings_of_ours_go_into_the_options_of_the_cache(server: Any) -> None:
    cache = cache_of(DJANGO, server.url, ride_out=30)
    cache.set("key", 1)
    server.kill()
    threading.Timer(1.5, server.start).start()
    assert cache.get("key") is None


def test_with_django_s_own_engine_the_same_visitor_is_logged_out(make_server: Any) -> None:
    server = make_server("--appendfsync", "no", save=True)
    with site(server.url), override_settings(SESSION_ENGINE="django.contrib.sessions.backends.cache"):
        visitor = Client(raise_request_exception=False)
        visitor.get("/put")
        server.kill()
        assert visitor.get("/look").content == b"0"


async def test_asynchronous_views_are_answered_503_too(server: Any) -> None:
    from django.test import AsyncClient

    with site(server.url):
        visitor = AsyncClient(raise_request_exception=False)
        await visitor.get("/put")
        server.kill()
        gone = await visitor.get("/look-async")
    assert gone.status_code == 503
    assert gone.headers["X-Seawall-Cause"] == "connection-refused"


def test_other_errors_stay_the_applications_own(server: Any) -> None:
    with site(server.url):
        assert Client(raise_request_exception=False).get("/mistake").status_code == 500
