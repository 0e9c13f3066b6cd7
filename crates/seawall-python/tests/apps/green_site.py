"""A site whose requests wait for Redis: behind gunicorn's gevent worker, for test_green.py."""

from __future__ import annotations

import os
from typing import Any

import seawall

# Made, and used, before gunicorn patches anything if it preloads.
r = seawall.Redis.from_url(os.environ["REDIS_URL"])
if os.environ.get("PING"):
    r.ping()


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    _, what, name = environ["PATH_INFO"].split("/")
    status, answer = "200 OK", ""
    try:
        if what == "count":
            answer = str(r.incr(name))
        elif what == "wait":
            came = r.blpop(name, 60)
            answer = came[1].decode() if came else ""
        elif what == "echo":
            with r.pipeline(transaction=False) as pipe:
                answer = b".".join(pipe.echo(name).echo(name).execute()).decode()
    except seawall.errors.SeawallError as error:
        status, answer = "503 Service Unavailable", f"{error.cause} {error.may_have_run}"
    start_response(status, [("content-type", "text/plain"), ("x-worker", str(os.getpid()))])
    return [answer.encode()]
