"""``seawall check``: what was typed, and how findings are shown."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import traceback
from typing import NoReturn

from ._finding import CheckError, Finding, Severity
from ._run import USES, Report, examine


def main(words: list[str]) -> int:
    """Runs the command, and returns its exit code: 0 all is well, 1 something fell short, 2 it could not run."""
    parser = _parser()
    try:
        typed = parser.parse_args(words)
    except SystemExit as end:
        # Help is asked for, and no failure.
        return int(end.code or 0) and 2
    # What the engine says of a server that is away is said as a finding.
    logging.getLogger("seawall").setLevel(logging.CRITICAL)
    try:
        report = examine(
            typed.url,
            django=typed.django,
            celery=typed.celery,
            apps=typed.app,
            gunicorn=typed.gunicorn,
            uwsgi=typed.uwsgi,
            workers=typed.workers,
            threads=typed.threads,
            pool=typed.pool,
            uses=typed.uses,
            deadline=typed.deadline,
        )
    except CheckError as error:
        print(f"seawall: {error}", file=sys.stderr)
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception:
        # A mistake of ours: never to be taken for a finding.
        traceback.print_exc()
        return 2
    text = json.dumps(report.as_json(), indent=2) if typed.json else _text(report)
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Who read it has gone, which is no failure; nor may Python complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return report.exit_code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Repeats no URL: there may be a password in it."""
        if "unrecognized" in message and "://" in message:
            message = "one URL at a time"
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="seawall check",
        description="Looks at a server, its URL and the frameworks that use it, and says what to change. "
        "Writes nothing to the server.",
        epilog="Exit codes: 0 all is well (notices aside), 1 something fell short, 2 it could not run, or found nothing to look "
        "at. "
        "A password on a command line can be read by every user of the host: REDIS_URL cannot.",
    )
    parser.add_argument("url", nargs="?", help="the server's URL [default: REDIS_URL, if no framework brings one]")
    parser.add_argument("--django", metavar="MODULE", help="Django's settings [default: DJANGO_SETTINGS_MODULE]")
    parser.add_argument("--celery", metavar="MODULE:APP", action="append", default=[], help="a Celery application")
    parser.add_argument(
        "--app",
        metavar="MODULE:OBJECT",
        action="append",
        default=[],
        help="a Flask, Django, Celery or FastAPI application and the clients in its modules, an RQ queue, or a Redis client",
    )
    parser.add_argument("--gunicorn", metavar="FILE", help="gunicorn.conf.py: its workers, threads and timeout")
    parser.add_argument("--uwsgi", metavar="FILE", help="uwsgi.ini: its processes, threads and harakiri")
    parser.add_argument("--workers", type=_positive, metavar="N", help="processes, in all, that use the server")
    parser.add_argument(
        "--threads", type=_positive, metavar="N", default=1, help="threads of each of them [default: 1]"
    )
    parser.add_argument(
        "--pool",
        type=_positive,
        metavar="N",
        help="connections of each process, at most [default: two a thread]",
    )
    parser.add_argument("--uses", choices=USES, action="append", default=[], help="what the URL's server is for")
    parser.add_argument(
        "--deadline", type=_seconds, metavar="SECONDS", default=3.0, help="for each question to a server [default: 3]"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not 0.001 <= number <= 300:
        raise argparse.ArgumentTypeError("from 0.001 to 300 seconds")
    return number


def _text(report: Report) -> str:
    lines = []
    for finding in report.findings:
        lines += [*_shown(finding), ""]
    lines += [f"server  {line}" for line in report.servers]
    lines += [f"unseen  {line}" for line in report.unseen]
    counts = {severity: sum(finding.severity is severity for finding in report.findings) for severity in Severity}
    words = [f"{count} {severity.value}{'s' * (count > 1)}" for severity, count in counts.items() if count]
    fine = "nothing was looked at" if report.saw_nothing else "nothing to change"
    lines.append(", ".join(words) if words else fine)
    return "\n".join(lines)


def _shown(finding: Finding) -> list[str]:
    return [
        f"{finding.severity.value:<7} {finding.code}  {finding.where}",
        f"        {finding.what}",
        f"        fix: {finding.fix}",
    ]
