"""Flask, Flask-Caching and Flask-Session, in this process, with a server that is killed and restarted."""

from __future__ import annotations

import collections
import threading
from typing import Any

import pytest
from flask import Flask, session
from flask_caching import Cache
from flask_session import Session

import seawall
import seawall.contrib.flask
from apps_support import joins, wait_until


def site(url: str) -> tuple[Flask, Cache]:
    app = Flask(__name__)
    app.config.update(
        CACHE_TYPE="seawall.contrib.flask.RedisCache",
        CACHE_REDIS_URL=url,
        CACHE_KEY_PREFIX="cache:",
        SESSION_TYPE="redis",
        SESSION_REDIS=seawall.Redis.from_url(url),
    )
    cache = Cache(app)
    Session(app)
    seawall.contrib.flask.install(app)
    made: collections.Counter[str] = collections.Counter()
    app.extensions["made"] = made

    @app.get("/price/<item>")
    @cache.memoize(60)
    def price(item: str) -> str:
        made[item] += 1
        return str(len(item))

    @app.post("/basket")
    def put() -> str:
        session["things"] = session.get("things", 0) + 1
        return str(session["things"])

    @app.get("/basket")
    def basket() -> str:
        return str(session.get("things", 0))

    @app.get("/raw")
    def raw() -> str:
        return str(app.config["SESSION_REDIS"].get("raw"))

    @app.get("/mistake")
    def mistake() -> str:
        raise ValueError("the application's own")

    return app, cache


def test_flask_caching_keeps_what_it_made_and_uses_our_client(server: Any) -> None:
    app, cache = site(server.url)
    assert isinstance(cache.cache._read_client, seawall.Redis)
    visitor = app.test_client()
    assert visitor.get("/price/tea").text == visitor.get("/price/tea").text == "3"
    assert app.extensions["made"]["tea"] == 1
    assert all(key.startswith("cache:") for key in server.admin().keys())


def test_flask_caching_takes_host_and_port_as_well(server: Any) -> None:
    app = Flask(__name__)
    app.config.update(
        CACHE_TYPE="seawall.contrib.flask.RedisCache", CACHE_REDIS_HOST="127.0.0.1", CACHE_REDIS_PORT=server.port
    )
    cache = Cache(app)
    cache.set("key", {"a": 1})
    assert cache.get("key") == {"a": 1}
    assert isinstance(cache.cache._write_client, seawall.Redis)


@joins("Flask-Session", "cause", "restart")
def test_flask_session_takes_our_client_for_its_own_and_the_visitor_stays(make_server: Any) -> None:
    server = make_server("--appendfsync", "no", save=True)
    app, _ = site(server.url)
    assert app.session_interface.client is app.config["SESSION_REDIS"]
    visitor = app.test_client()
    assert visitor.post("/basket").text == "1"
    server.kill()
    gone = visitor.get("/basket")
    assert gone.status_code == 503
    assert gone.headers["X-Seawall-Cause"] == "connection-refused"
    assert int(gone.headers["Retry-After"]) >= 1
    server.start()
    wait_until(lambda: visitor.get("/basket").status_code == 200, "the site's return")
    assert visitor.get("/basket").text == "1"


@joins("Flask-Caching", "mismatch", "restart")
def test_threads_of_a_flask_site_are_answered_200_or_503_while_redis_is_killed_and_restarted(server: Any) -> None:
    app, _ = site(server.url)
    statuses: collections.Counter[int] = collections.Counter()
    wrong: list[tuple[str, str]] = []
    stop = threading.Event()

    def visit() -> None:
        visitor = app.test_client()
        while not stop.is_set():
            for path, right in (("/price/tea", "3"), ("/price/coffee", "6"), ("/raw", "None")):
                answer = visitor.get(path)
                statuses[answer.status_code] += 1
                if answer.status_code == 200 and answer.text != right:
                    wrong.append((path, answer.text))

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = statuses[200]
            wait_until(lambda: statuses[200] > before + 50, "answers of 200")
            server.kill()
            before = statuses[503]
            wait_until(lambda: statuses[503] > before, "an answer of 503")
            server.start()
        before = statuses[200]
        wait_until(lambda: statuses[200] > before + 50, "answers of 200 after the restart")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200, 503}
    assert wrong == []


@joins("Flask-Session", "deadline", "cause")
@joins("Flask-Caching", "deadline")
def test_a_frozen_server_ends_a_request_at_the_clients_timeout(server: Any) -> None:
    app, _ = site(f"{server.url}?socket_timeout=0.5")
    visitor = app.test_client()
    visitor.post("/basket")
    server.freeze()
    try:
        gone = visitor.get("/basket")
        # Flask-Caching makes the value anew where its cache fails.
        price = visitor.get("/price/tea")
    finally:
        server.thaw()
    assert gone.status_code == 503
    assert gone.headers["X-Seawall-Cause"] in ("server-unresponsive", "reply-timeout", "deadline-exceeded")
    assert price.status_code in (200, 503)


def test_other_errors_stay_the_applications_own(server: Any) -> None:
    app, _ = site(server.url)
    assert app.test_client().get("/mistake").status_code == 500


def test_an_error_of_a_command_stays_the_applications_own(server: Any) -> None:
    app, _ = site(server.url)
    app.config["SESSION_REDIS"].lpush("raw", 1)
    assert app.test_client().get("/raw").status_code == 500


def test_plain_redis_py_gets_the_503_as_well_its_cause_unclear(server: Any) -> None:
    import redis

    app = Flask(__name__)
    seawall.contrib.flask.install(app)
    client = redis.Redis(port=server.port, retry=None)
    app.add_url_rule("/", view_func=lambda: str(client.get("key")))
    server.kill()
    answer = app.test_client().get("/")
    assert answer.status_code == 503
    assert answer.headers["X-Seawall-Cause"] == "unclear"
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("handled", [redis_error for redis_error in ("ConnectionError", "SeawallError")])
def test_a_handler_of_the_application_comes_first(server: Any, handled: str) -> None:
    import redis

    app, _ = site(server.url)
    kind = {"ConnectionError": redis.ConnectionError, "SeawallError": seawall.errors.SeawallError}[handled]
    app.register_error_handler(kind, lambda error: ("mine", 418))
    server.kill()
    assert app.test_client().get("/raw").status_code == 418
