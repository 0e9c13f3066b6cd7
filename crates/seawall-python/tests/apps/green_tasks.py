"""Tasks that wait for Redis: in Celery's gevent pool, for test_green.py."""

from __future__ import annotations

import os

import seawall
import seawall.celery
from celery import Celery

seawall.celery.install()

url = os.environ["REDIS_URL"]
app = Celery("tasks", broker=url, backend=url)
r = seawall.Redis.from_url(url)


@app.task
def wait(name: str) -> str:
    came = r.blpop(name, 60)
    return came[1].decode() if came else ""


@app.task
def count(name: str) -> int:
    return r.incr(name)
