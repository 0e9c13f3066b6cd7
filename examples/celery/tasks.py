"""A Celery application whose broker may go away and come back. Start a worker with `celery -A tasks worker`."""

import os

import seawall.celery
from celery import Celery

seawall.celery.install()

url = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
app = Celery("tasks", broker=url, backend=url)
app.conf.update(
    broker_connection_retry_on_startup=True,  # a worker waits for its broker at the start as well
    broker_connection_max_retries=None,  # and for as long as it takes
    redis_socket_timeout=5,  # seconds for the result backend; 120 as delivered
)


@app.task
def note(line):
    """Appends a line to a file: how often it ran can be seen afterwards."""
    with open(os.environ.get("NOTES", "notes.txt"), "a") as notes:
        notes.write(f"{line}\n")
    return line
