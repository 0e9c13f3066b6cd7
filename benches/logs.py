"""How fast logs are read: `seawall logs` and `seawall doctor` beside ripgrep, which searches for the same words in one run.

`make bench-logs`, or `python3 benches/logs.py target/release/seawall [--rounds N] [--megabytes N] [--json]`. Plain text is
generated, with one failed call in a thousand lines; everybody is kept on one core, and has a turn in every round. Nothing but
Python's own library is needed, and ripgrep.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

# One failed call in so many lines.
RARE = 1_000

# What applications write all day. Words that clients write too ("Connection", "timeout", "closed") stand in them.
CALM = [
    "INFO [django.request] request finished in {a} ms",
    "INFO [uvicorn.access] 10.0.{b}.{b}:{a} - \"GET /api/v1/items/{a} HTTP/1.1\" 200",
    "DEBUG [app.views] user {a} opened the cart, {b} items",
    "INFO [celery.worker] Task app.tasks.send_mail[{c}] succeeded in 0.0{a}s: None",
    "DEBUG [sqlalchemy.engine] query returned {a} rows in {b} ms",
    "INFO [uvicorn.error] closing connection after {a} requests, keepalive timeout",
    "WARNING [app.stock] item {a} is not available, timeout while waiting for stock of server {b}",
    "WARNING [urllib3.pool] retry scheduled in {b} s: Error 503 from upstream, Connection kept",
    "DEBUG [app.session] cache miss for session {c}, loading it from the database",
    "INFO [app.billing] invoice {c} written to /var/spool/invoices/{a}.pdf",
]

FAILED = [
    "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.",
    "redis.exceptions.TimeoutError: Timeout reading from cache:6379",
    "redis.exceptions.ConnectionError: Connection closed by server.",
]

# In front of a log of several services: with them every rule's words are searched for.
OTHERS = [
    "9:M 22 Nov 2026 00:00:00.000 * Ready to accept connections",
    "Nov 22 00:00:00 host kernel: Linux version 6.18",
]


@dataclasses.dataclass
class Turn:
    wall: float
    processor: float
    peak_mb: float


def main() -> int:
    arguments = parse()
    rg = shutil.which("rg")
    if rg is None:
        print("bench-logs: there is no ripgrep: apt-get install ripgrep, or cargo install --locked ripgrep", file=sys.stderr)
        return 2
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    words = folder / "words"
    words.write_bytes(subprocess.run([arguments.seawall, "logs", "--words"], check=True, capture_output=True).stdout)
    alone, mixed = texts(folder, arguments.megabytes * 1_000_000)
    contenders = {
        "seawall logs": [arguments.seawall, "logs", alone],
        "seawall doctor": [arguments.seawall, "doctor", alone],
        "seawall logs, several services": [arguments.seawall, "logs", mixed],
        "rg -c -F -f words": [rg, "-c", "-F", "-f", words, mixed],
        "rg -c -f words (as patterns)": [rg, "-c", "-f", escaped(words), mixed],
    }
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(arguments.rounds + 1):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            turn = run([str(word) for word in contenders[name]])
            # The first brings the file into memory.
            if number > 0:
                turns[name].append(turn)
    size = mixed.stat().st_size
    report = {
        "machine": machine(),
        "ripgrep": subprocess.run([rg, "--version"], check=True, capture_output=True, text=True).stdout.split("\n")[0],
        "words": len(words.read_bytes().splitlines()),
        "bytes": size,
        "core": core,
        "rounds": arguments.rounds,
        "rows": {name: row(all_of, size) for name, all_of in turns.items()},
    }
    print(json.dumps(report, indent=2) if arguments.json else table(report))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-logs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seawall", help="the program, as it is shipped")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each that count")
    parser.add_argument("--megabytes", type=int, default=600, help="so much text")
    parser.add_argument("--folder", default="target/bench-logs", help="where the text is put")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def texts(folder: pathlib.Path, size: int) -> tuple[pathlib.Path, pathlib.Path]:
    """An application's log, and one of several services; kept from run to run."""
    alone, mixed = folder / f"application-{size}.log", folder / f"services-{size}.log"
    if not mixed.exists():
        write(alone, size)
        unfinished = folder / "unfinished"
        with alone.open("rb") as text, unfinished.open("wb") as both:
            both.write("".join(line + "\n" for line in OTHERS).encode())
            shutil.copyfileobj(text, both, 1 << 20)
        unfinished.rename(mixed)
    return alone, mixed


def write(path: pathlib.Path, size: int) -> None:
    chance = random.Random(1)
    at = datetime.datetime(2026, 11, 22)
    written = number = 0
    with path.open("w") as text:
        while written < size:
            number += 1
            at += datetime.timedelta(milliseconds=chance.randint(1, 60))
            stamp = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03}"
            if number % RARE == 0:
                line = "ERROR " + chance.choice(FAILED)
            else:
                several = {"a": chance.randint(1, 9999), "b": chance.randint(1, 99), "c": f"{chance.getrandbits(32):08x}"}
                line = chance.choice(CALM).format(**several)
            written += text.write(f"{stamp} {line} request={chance.getrandbits(64):016x}\n")


def escaped(words: pathlib.Path) -> pathlib.Path:
    """The same words as regular expressions."""
    special = str.maketrans({letter: "\\" + letter for letter in "\\.+*?()|[]{}^$#&-~"})
    path = words.with_name("patterns")
    path.write_text(words.read_text().translate(special))
    return path


def run(command: list[str]) -> Turn:
    began = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere, stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - began
    # 1: calls failed; that is what is looked for.
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"bench-logs: {command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return Turn(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def row(turns: list[Turn], size: int) -> dict[str, float]:
    processor = statistics.median(turn.processor for turn in turns)
    return {
        "wall_s": statistics.median(turn.wall for turn in turns),
        "processor_s": processor,
        "processor_least_s": min(turn.processor for turn in turns),
        "processor_most_s": max(turn.processor for turn in turns),
        "mb_a_second": size / 1e6 / processor,
        "peak_mb": max(turn.peak_mb for turn in turns),
    }


def machine() -> str:
    model = next((line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    load = os.getloadavg()[0]
    return f"{model.partition(':')[2].strip()}, {os.cpu_count()} cores, Linux {os.uname().release}, load {load:.1f} after the run"


def table(report: dict) -> str:
    lines = [
        f"{report['machine']}; {report['ripgrep']}",
        f"{report['bytes'] / 1e6:.0f} MB of text, one failed call in {RARE} lines, {report['words']} words; on core"
        f" {report['core']}, {report['rounds']} rounds",
        f"  {'':32} {'MB/s a core':>11} {'processor':>10} {'least - most':>14} {'wall':>7} {'peak':>8}",
    ]
    for name, of in report["rows"].items():
        spread = f"{of['processor_least_s']:.2f} - {of['processor_most_s']:.2f}"
        lines.append(
            f"  {name:32} {of['mb_a_second']:>11.0f} {of['processor_s']:>8.2f} s {spread:>14} {of['wall_s']:>5.2f} s"
            f" {of['peak_mb']:>5.0f} MB"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
