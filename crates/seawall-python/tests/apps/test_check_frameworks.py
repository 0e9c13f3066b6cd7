"""`seawall check` reads the settings of real frameworks: each application here is imported in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import seawall
import seawall.check
from apps_support import EXAMPLES
from seawall.check._command import main

SECRET = "s3cret-of-this-test"


def checked(folder: pathlib.Path, *words: str, **env: str) -> dict[str, Any]:
    """What the check says of an application in this folder: its report, as JSON."""
    kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    done = subprocess.run(
        [sys.executable, "-m", "seawall", "check", "--json", *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**kept, **env},
    )
    assert SECRET not in done.stdout + done.stderr
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def found(report: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in report["findings"]}


def write(folder: pathlib.Path, name: str, text: str) -> None:
    (folder / name).write_text(textwrap.dedent(text))


def django(folder: pathlib.Path, url: str, options: str = "", more: str = "") -> None:
    write(
        folder,
        "settings_here.py",
        f"""
        SECRET_KEY = {SECRET!r}
        CACHES = {{"default": {{
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": {url!r},
            "OPTIONS": {{{options}}},
        }}}}
        {more}
        """,
    )


def test_django_as_it_is_often_found_falls_short(url: str, tmp_path: pathlib.Path) -> None:
    session = 'SESSION_ENGINE = "django.contrib.sessions.backends.cache"'
    django(tmp_path, url, more=session)
    report = checked(tmp_path, "--django", "settings_here")
    assert found(report) >= {"django-cache-on-redis-py", "django-middleware-missing", "django-sessions-in-cache"}
    sessions = next(finding for finding in report["findings"] if finding["code"] == "django-sessions-in-cache")
    assert sessions["severity"] == "error"
    assert sessions["fix"] == 'SESSION_ENGINE = "seawall.contrib.django.sessions"'
    assert found(checked(tmp_path, DJANGO_SETTINGS_MODULE="settings_here")) == found(report)


def test_settings_of_django_that_are_not_there_exit_with_2(tmp_path: pathlib.Path) -> None:
    words = [sys.executable, "-m", "seawall", "check", "--django", "no_such_settings"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    assert "no module named 'no_such_settings'" in done.stderr and "Traceback" not in done.stderr


def said(folder: pathlib.Path, *words: str) -> tuple[int, str, str]:
    words = (sys.executable, "-m", "seawall", "check", *words)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=folder)
    return done.returncode, done.stdout, done.stderr


def test_djangos_package_instead_of_its_settings_is_told_where_they_are(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shop").mkdir()
    write(tmp_path, "shop/__init__.py", "")
    code, _, err = said(tmp_path, "--django", "shop")
    assert code == 2 and "there are none in it" in err and "--django shop.settings" in err


def test_settings_without_redis_are_named(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "settings_here.py", "DEBUG = False")
    code, _, err = said(tmp_path, "--django", "settings_here")
    assert code == 2 and "nothing to look at: settings_here names no Redis" in err


def test_an_application_in_which_nothing_was_found_is_not_called_well(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "api.py", "from fastapi import FastAPI\napp = FastAPI()")
    code, out, _ = said(tmp_path, "--app", "api:app")
    assert code == 2 and out.endswith("nothing was looked at\n")


def test_the_lines_that_it_says_make_django_well(url: str, tmp_path: pathlib.Path) -> None:
    lines = (
        'SESSION_ENGINE = "seawall.contrib.django.sessions"; '
        'MIDDLEWARE = ["seawall.contrib.django.Unavailable", "django.middleware.common.CommonMiddleware"]'
    )
    django(tmp_path, url, '"pool_class": "seawall.ConnectionPool"', lines)
    assert found(checked(tmp_path, "--django", "settings_here")) == set()


def test_django_redis_that_ignores_errors_under_sessions_falls_short(url: str, tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        "settings_here.py",
        f"""
        CACHES = {{"default": {{
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": {url!r},
            "OPTIONS": {{"CONNECTION_POOL_CLASS": "seawall.ConnectionPool"}},
        }}}}
        DJANGO_REDIS_IGNORE_EXCEPTIONS = True
        SESSION_ENGINE = "django.contrib.sessions.backends.cache"
        MIDDLEWARE = ["seawall.contrib.django.Unavailable"]
        """,
    )
    assert found(checked(tmp_path, "--django", "settings_here")) == {
        "django-errors-ignored",
        "django-sessions-in-cache",
    }


def test_a_cache_that_is_cleared_over_the_brokers_messages_is_found(url: str, tmp_path: pathlib.Path) -> None:
    django(
        tmp_path, url, '"pool_class": "seawall.ConnectionPool"', 'MIDDLEWARE = ["seawall.contrib.django.Unavailable"]'
    )
    celery(tmp_path, url)
    report = checked(tmp_path, "--django", "settings_here", "--celery", "tasks_here:app")
    assert "cache-clear-empties-more" in found(report)
    celery(tmp_path, url.replace("/0", "/1"))
    report = checked(tmp_path, "--django", "settings_here", "--celery", "tasks_here:app")
    assert "cache-clear-empties-more" not in found(report)


def test_a_replica_that_django_only_reads_from_is_well(make_server: Any, tmp_path: pathlib.Path) -> None:
    primary, replica = make_server(), make_server()
    replica.admin().replicaof("127.0.0.1", primary.port)
    lines = 'MIDDLEWARE = ["seawall.contrib.django.Unavailable"]'
    django(tmp_path, f"{primary.url},{replica.url}", '"pool_class": "seawall.ConnectionPool"', lines)
    assert found(checked(tmp_path, "--django", "settings_here")) == set()
    django(tmp_path, f"{replica.url},{primary.url}", '"pool_class": "seawall.ConnectionPool"', lines)
    assert found(checked(tmp_path, "--django", "settings_here")) == {"server-is-replica"}


def test_a_channel_layer_is_read_with_its_hosts(url: str, tmp_path: pathlib.Path) -> None:
    def layer(backend: str) -> set[str]:
        write(
            tmp_path,
            "settings_here.py",
            f"""
            CHANNEL_LAYERS = {{"default": {{"BACKEND": {backend!r}, "CONFIG": {{"hosts": [{url!r}]}}}}}}
            """,
        )
        return found(checked(tmp_path, "--django", "settings_here"))

    assert "channels-on-redis-py" in layer("channels_redis.core.RedisChannelLayer")
    assert layer("seawall.contrib.channels.RedisChannelLayer") == set()


def test_a_broker_that_is_no_redis_is_said_to_be_unseen(url: str, tmp_path: pathlib.Path) -> None:
    celery(tmp_path, "memory://", "app.conf.result_backend = 'cache+memory://'")
    report = checked(tmp_path, "--celery", "tasks_here:app")
    assert "timeout-missing" not in found(report)
    assert sum("no redis:// URL" in line for line in report["unseen"]) == 2


def celery(folder: pathlib.Path, url: str, more: str = "", first: str = "") -> None:
    write(
        folder,
        "tasks_here.py",
        f"""
        from celery import Celery
        {first}
        app = Celery("here", broker={url!r}, backend={url!r})
        {more}

        @app.task(name="long")
        def long(): ...
        """,
    )


def test_celery_as_delivered_falls_short(url: str, tmp_path: pathlib.Path) -> None:
    celery(tmp_path, url)
    report = checked(tmp_path, "--celery", "tasks_here:app")
    assert found(report) == {
        "celery-on-redis-py", "celery-retry-on-startup", "celery-gives-up", "timeout-missing", "timeout-long",
    }  # fmt: skip
    missing = next(finding for finding in report["findings"] if finding["code"] == "timeout-missing")
    assert missing["where"].startswith("broker_url") and "broker_transport_options" in missing["fix"]
    slow = next(finding for finding in report["findings"] if finding["code"] == "timeout-long")
    assert "120 s" in slow["what"] and slow["fix"] == "redis_socket_timeout = 5"


def test_the_lines_that_it_says_make_celery_well(url: str, tmp_path: pathlib.Path) -> None:
    lines = (
        "app.conf.update(broker_connection_retry_on_startup=True, broker_connection_max_retries=None, "
        "redis_socket_timeout=5)"
    )
    celery(tmp_path, url, lines, "import seawall.celery; seawall.celery.install()")
    assert found(checked(tmp_path, "--celery", "tasks_here:app")) == set()
    assert found(checked(tmp_path, "--app", "tasks_here:app")) == set()


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("celery", ["--celery", "tasks"]),
        ("django", ["--app", "shop:application"]),
        ("fastapi", ["--app", "visits:app"]),
    ],
)
def test_the_examples_have_nothing_to_change(folder: str, words: list[str], url: str) -> None:
    assert checked(EXAMPLES / folder, *words, REDIS_URL=url)["findings"] == []


def test_settings_of_celery_that_contradict_are_found_in_the_application_that_has_them(
    url: str, tmp_path: pathlib.Path
) -> None:
    long = "task_time_limit=7200"
    options = "broker_transport_options={'visibility_timeout': 14400, 'socket_timeout': 5}"
    settings = {
        "too_long": (long, "celery-visibility-timeout"),
        "late": ("task_acks_late=True", "celery-late-without-limit"),
        "impatient": ("broker_connection_retry_on_startup=False", "celery-retry-on-startup"),
        "well": (f"{long}, {options}, broker_connection_retry_on_startup=True", None),
    }
    for name, (line, _) in settings.items():
        celery(tmp_path, url, f"app.conf.update({line})")
        (tmp_path / "tasks_here.py").rename(tmp_path / f"{name}.py")
    report = checked(tmp_path, *[word for name in settings for word in ("--celery", f"{name}:app")])
    for name, (_, code) in settings.items():
        told = {finding["code"] for finding in report["findings"] if finding["where"].endswith(f"{name}:app")}
        assert code is None or code in told, name
        if name == "well":
            assert not told & {"celery-visibility-timeout", "celery-retry-on-startup", "timeout-missing"}


def test_workers_of_celery_count_against_maxclients(make_server: Any, tmp_path: pathlib.Path) -> None:
    server = make_server("--maxclients", "100")
    celery(tmp_path, server.url, "app.conf.worker_concurrency = 64")
    assert "maxclients-too-low" in found(checked(tmp_path, "--celery", "tasks_here:app"))


def test_a_server_is_judged_once_and_by_those_who_use_it(make_server: Any, tmp_path: pathlib.Path) -> None:
    small, large = make_server("--maxclients", "100", "--tcp-keepalive", "0"), make_server()
    celery(
        tmp_path, large.url, f"app.conf.update(worker_concurrency=64, result_backend={large.url.replace('/0', '/1')!r})"
    )
    report = checked(tmp_path, small.url, "--celery", "tasks_here:app")
    assert "maxclients-too-low" not in found(report)
    celery(
        tmp_path, small.url, f"app.conf.update(worker_concurrency=64, result_backend={small.url.replace('/0', '/1')!r})"
    )
    report = checked(tmp_path, large.url, "--celery", "tasks_here:app")
    for code in ("maxclients-too-low", "server-without-keepalive"):
        told = [finding["where"] for finding in report["findings"] if finding["code"] == code]
        assert told == [f"redis://127.0.0.1:{small.port}"]


def test_a_queue_that_may_be_evicted_is_found(make_server: Any, tmp_path: pathlib.Path) -> None:
    server = make_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    celery(tmp_path, server.url)
    assert "evicts-what-must-stay" in found(checked(tmp_path, "--celery", "tasks_here:app"))
    assert "evicts-what-must-stay" in found(checked(tmp_path, server.url, "--uses", "locks"))
    assert "evicts-what-must-stay" not in found(checked(tmp_path, server.url, "--uses", "cache"))


def test_rq_and_flask_as_they_are_often_found_fall_short(
    url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def codes(name: str) -> set[str]:
        return {finding.code for finding in seawall.check.run(apps=[name])}

    write(
        tmp_path,
        "app_here.py",
        f"""
        import redis, rq, seawall
        from flask import Flask

        queue = rq.Queue(connection=redis.Redis.from_url({url!r}))
        good_queue = rq.Queue(connection=seawall.Redis.from_url({url!r}))
        client = redis.Redis.from_url({url!r}, socket_timeout=None)
        flask = Flask("here")
        flask.config.update(
            CACHE_TYPE="RedisCache", CACHE_REDIS_URL={url!r},
            SESSION_TYPE="redis", SESSION_REDIS=redis.Redis.from_url({url!r}),
        )
        """,
    )
    write(
        tmp_path,
        "good_here.py",
        f"""
        import seawall
        from fastapi import FastAPI
        from flask import Flask

        flask = Flask("here")
        flask.config.update(
            CACHE_TYPE="seawall.contrib.flask.RedisCache", CACHE_REDIS_URL={url!r}, CACHE_KEY_PREFIX="cache:",
            SESSION_TYPE="redis", SESSION_REDIS=seawall.Redis.from_url({url!r}),
        )
        fast = FastAPI()
        """,
    )
    assert codes("good_here:flask") == set()
    assert any("good_here:fast" in line for line in seawall.check.examine(apps=["good_here:fast"]).unseen)
    assert "rq-on-redis-py" in codes("app_here:queue")
    assert codes("app_here:good_queue") == set()
    assert {"client-on-redis-py", "timeout-missing"} <= codes("app_here:client")
    assert {
        "flask-caching-on-redis-py", "flask-session-on-redis-py", "cache-clear-empties-more", "client-on-redis-py",
    } <= codes("app_here:flask")  # fmt: skip


def test_clients_that_stand_in_an_applications_modules_are_found_once_each(url: str, tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        "stores_here.py",
        f"""
        import redis, redis.asyncio, seawall
        tasks = redis.asyncio.Redis.from_url({url!r})
        pool = redis.ConnectionPool.from_url({url!r})
        ours = seawall.Redis.from_url({url!r})
        """,
    )
    write(
        tmp_path,
        "site_here.py",
        f"""
        import redis
        from fastapi import FastAPI
        from flask import Flask, request
        from stores_here import ours, pool, tasks

        client = redis.Redis(connection_pool=pool)
        flask = Flask("here")
        fast = FastAPI()
        fast.state.redis = tasks
        """,
    )

    def plain(name: str) -> set[str]:
        report = checked(tmp_path, "--app", f"site_here:{name}")
        return {finding["where"] for finding in report["findings"] if finding["code"] == "client-on-redis-py"}

    assert plain("flask") == {"stores_here:tasks", "stores_here:pool"}
    write(tmp_path, "hidden_here.py", f"import redis, flask\napp = flask.Flask('here')\napp.redis = redis.Redis.from_url({url!r})")
    report = checked(tmp_path, url, "--app", "hidden_here:app")
    assert any("clients of hidden_here:app" in line for line in report["unseen"])
    assert plain("fast") == {"site_here:fast.state.redis", "stores_here:pool"}


def test_what_is_no_module_or_no_whole_client_ends_no_check(url: str, tmp_path: pathlib.Path) -> None:
    write(
        tmp_path,
        "odd_here.py",
        f"""
        import sys, redis
        from flask import Flask

        class Refuses:
            def __getattr__(self, name):
                raise RuntimeError({SECRET!r})

        class Client(redis.Redis):
            connection_pool = property(lambda self: 1 / 0, lambda self, pool: None)

        sys.modules["odd_here.none"] = None
        sys.modules["odd_here.number"] = sys.modules[5] = 5
        sys.modules["settings"] = Refuses()
        half = redis.Redis.__new__(redis.Redis)
        strange = Client.__new__(Client)
        client = redis.Redis.from_url({url!r})
        primary = redis.Sentinel([("192.0.2.1", 26379)]).master_for("primary", password={SECRET!r})
        app = Flask("here")
        """,
    )
    report = checked(tmp_path, "--app", "odd_here:app")
    assert [server.split(": ")[0] for server in report["servers"]] == [url]
    for name in ("half", "strange", "primary"):
        assert any(f"odd_here:{name}" in line for line in report["unseen"]), name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--celery", "no_such_module:app"], "no module named 'no_such_module'"),
        (["--celery", "raises_here:app"], "RuntimeError at "),
        (["--app", "raises_here"], "not of the form module:object"),
        (["--app", "os:nothing"], "os has no 'nothing'"),
        (["--app", "os:sep"], "has no settings of Redis's"),
        (["--app", "whole_here.py:app"], "whole_here.py is a file"),
        (["--app", "unreadable_here:app"], "unreadable_here.py:2"),
        (["--celery", "os:path"], "a module is no Celery application"),
    ],
)
def test_an_application_that_cannot_be_read_exits_with_2_and_shows_no_words_of_its_own(
    words: list[str],
    said: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path, "raises_here.py", f"raise RuntimeError({SECRET!r})")
    write(tmp_path, "whole_here.py", "app = None")
    write(tmp_path, "unreadable_here.py", f"one = 1\nif {SECRET!r}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    log = logging.getLogger("seawall")
    level = log.level
    try:
        assert main(words) == 2
    finally:
        log.setLevel(level)
    done = capsys.readouterr()
    assert said in done.err and SECRET not in done.out + done.err
    assert "Traceback" not in done.err
