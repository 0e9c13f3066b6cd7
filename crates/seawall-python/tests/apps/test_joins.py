"""docs/python/joins.md says what the tests hold: `python test_joins.py` writes it anew."""

from __future__ import annotations

import ast
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parents[3] / "docs" / "python" / "joins.md"

ENTRIES = {
    "Django cache": '`OPTIONS={"pool_class": "seawall.ConnectionPool"}`',
    "Django sessions": '`SESSION_ENGINE = "seawall.contrib.django.sessions"`',
    "django-redis": '`CONNECTION_POOL_CLASS: "seawall.ConnectionPool"`',
    "django-redis, client": 'and `REDIS_CLIENT_CLASS: "seawall.Redis"`',
    "Celery, queueing": "`seawall.celery.install()`",
    "Celery, worker": "`seawall.celery.install()`",
    "RQ": "`--connection-class seawall.Redis`",
    "FastAPI": "`seawall.contrib.fastapi.lifespan(url)`",
    "Flask-Caching": '`CACHE_TYPE = "seawall.contrib.flask.RedisCache"`',
    "Flask-Session": "`SESSION_REDIS = seawall.Redis.from_url(url)`",
    "Channels": '`"BACKEND": "seawall.contrib.channels.RedisChannelLayer"`',
    "gunicorn --preload": "nothing: a forked child makes connections of its own",
}
GUARANTEES = {
    "deadline": "deadline",
    "once": "nothing runs twice",
    "mismatch": "no mismatch",
    "cause": "cause in the error",
    "restart": "survives restart",
}
NOT_TRIED = "Not tried through this entry point; it is the guarantee of the pool below."
NOTES = {
    ("Celery, worker", "once"): "Each task is *queued* once. Celery itself runs one twice that its pool had taken and not "
    "reported as begun when the connection was lost: it goes back to the queue.",
    ("Celery, worker", "deadline"): "A worker waits for its broker to come back. Its result backend has Celery's "
    "`redis_socket_timeout`, two minutes unless set.",
    ("Celery, worker", "cause"): "In the worker's log.",
    ("Django sessions", "once"): "A session is read and overwritten as a whole; as any two requests of one visitor, the "
    "last one counts.",
    ("Django sessions", "deadline"): "The cache's.",
    ("RQ", "deadline"): "RQ sets `socket_timeout` of its worker to the worker's TTL, 415 s. Enqueueing has the client's.",
    ("RQ", "mismatch"): NOT_TRIED,
    ("Celery, queueing", "mismatch"): NOT_TRIED,
    ("Django sessions", "mismatch"): NOT_TRIED,
    ("Flask-Session", "mismatch"): NOT_TRIED,
    ("RQ", "restart"): "RQ ends its worker where a transaction between two jobs may have run: run it under a supervisor.",
    ("Flask-Caching", "once"): "A value is made anew where the cache fails.",
    ("Flask-Caching", "cause"): "Flask-Caching logs the error and goes on without the cache.",
    ("Flask-Session", "once"): "As Django's sessions.",
    ("Channels", "once"): "A message is sent once. One that was being fetched when its connection was lost is lost, or comes "
    "twice: Channels promises neither.",
    ("gunicorn --preload", "deadline"): "The cache's or client's of the site.",
    ("gunicorn --preload", "once"): "The cache's or client's of the site.",
    ("gunicorn --preload", "mismatch"): "The cache's or client's of the site.",
}


def parsed(path: pathlib.Path) -> ast.Module:
    """The tree of a file."""
    # CPython 3.11 counts the depth of all threads in one place: where another one parses at the same time (a traceback that
    # is logged does), it refuses with a SystemError.
    for _ in range(20):
        try:
            return ast.parse(path.read_text())
        except SystemError:
            time.sleep(0.1)
    return ast.parse(path.read_text())


def held() -> dict[tuple[str, str], list[str]]:
    """Which tests hold which guarantee of which entry point, by their `@joins(..)`."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "joins":
                    entries, *guarantees = [ast.literal_eval(argument) for argument in mark.args]
                    for entry in [entries] if isinstance(entries, str) else entries:
                        for guarantee in guarantees:
                            found.setdefault((entry, guarantee), []).append(f"{path.name}: {node.name}")
    return found


def page() -> str:
    found = held()
    notes: list[str] = []
    rows = [
        "| entry point | changed line | " + " | ".join(GUARANTEES.values()) + " |",
        "|---" * (2 + len(GUARANTEES)) + "|",
    ]
    for entry, line in ENTRIES.items():
        cells = []
        for guarantee in GUARANTEES:
            cell = "tested" if (entry, guarantee) in found else "-"
            if note := NOTES.get((entry, guarantee)):
                if note not in notes:
                    notes.append(note)
                cell += f" [{notes.index(note) + 1}]"
            cells.append(cell)
        rows.append(f"| {entry} | {line} | " + " | ".join(cells) + " |")
    tests = [
        f"- {entry}, {GUARANTEES[guarantee]}: " + ", ".join(f"`{test}`" for test in sorted(set(found[entry, guarantee])))
        for entry in ENTRIES
        for guarantee in GUARANTEES
        if (entry, guarantee) in found
    ]
    return "\n".join(
        [
            "# Entry points and what they keep",
            "",
            "This page is generated from the tests in `crates/seawall-python/tests/apps`, each with a real server that is",
            "killed and restarted, or frozen: `python crates/seawall-python/tests/apps/test_joins.py`.",
            "",
            *rows,
            "",
            "*tested*: a test of that entry point holds it. *-*: not by a test of its own; the note says what is known.",
            "",
            *[f"[{number}] {note}\n" for number, note in enumerate(notes, 1)],
            "## The tests",
            "",
            *tests,
            "",
        ]
    )


def test_the_page_says_what_the_tests_hold() -> None:
    assert {entry for entry, _ in held()} <= set(ENTRIES)
    assert {guarantee for _, guarantee in held()} <= set(GUARANTEES)
    assert PAGE.read_text() == page(), f"run: python {__file__}"


def test_an_untested_guarantee_has_a_note() -> None:
    for entry in ENTRIES:
        for guarantee in GUARANTEES:
            assert (entry, guarantee) in held() or (entry, guarantee) in NOTES, (entry, guarantee)


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"wrote {PAGE}\n")
