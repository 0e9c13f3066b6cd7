"""Runs kombu's and django-redis' own tests through Seawall's classes, and compares with redis-py alone.

    python crates/seawall-python/tests/suite/others.py [kombu] [django-redis]

Each way in is the line that docs/python/celery.md and docs/python/django-redis.md tell their users to add. A test that passes
with redis-py alone and not with it must stand in ``DIFFERENCES``; what stands there must differ. The tests are downloaded,
once; what django-redis' tests want beside Django is installed into a folder of their own.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from run import HERE, REPOSITORY, TARGET, die_with_parent, find_server, outcomes, refuse_other_peoples_server

FOLDER = TARGET / "others"
SOURCES = REPOSITORY / "scripts" / "requirements-others.txt"
#: What django-redis' tests want.
EXTRAS = ["pytest-mock==3.17.0", "lz4==4.4.5", "pyzstd==0.20.0", "backports.zstd==1.8.0"]
#: Each is a process: Django is set up once in one.
SETTINGS = [
    f"sqlite{kind}"
    for kind in ("", "_gzip", "_herd", "_json", "_lz4", "_msgpack", "_sentinel", "_sentinel_opts", "_sharding")
    + ("_usock", "_zlib", "_zstd")
]
TESTS = {"kombu": ["t/integration/test_redis.py", "t/integration/test_redis_brpop_qos.py"], "django-redis": ["tests"]}
#: What is swapped; see ``others_plugin.py``.
WAYS = {"kombu": ["install"], "django-redis": ["pool", "client"]}
PARTS = {"kombu": [""], "django-redis": SETTINGS}
_KOMBU = "t/integration/test_redis.py::"
_MOCK = "dialling is the engine's: a mock of redis-py's does not reach it"
DIFFERENCES = {
    "kombu": {
        f"{_KOMBU}test_RedisBasicFunctionality::test_failed_connection__ConnectionError": "the class is a subclass of redis-py's",
        f"{_KOMBU}test_failed_health_check_raises_connection_error": "a connection that died at rest is replaced",
        f"{_KOMBU}test_RedisConnectTimeout": _MOCK,
        f"{_KOMBU}test_RedisConnection_check_hostname": _MOCK,
    },
    "django-redis": {},
}


def source(name: str) -> pathlib.Path:
    """A project with its tests, unpacked, without its package: the tests are to meet the installed one."""
    wanted = re.search(rf"^{name}==(\S+) .*$", SOURCES.read_text(), re.MULTILINE)
    module = name.replace("-", "_")
    folder = FOLDER / f"{module}-{wanted[1]}"
    if folder.exists():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        only = pathlib.Path(scratch) / "requirements.txt"
        only.write_text(wanted[0])
        pip("download", "--no-deps", "--no-binary", name, "--dest", scratch, "--requirement", str(only))
        with tarfile.open(next(pathlib.Path(scratch).glob("*.tar.gz"))) as tar:
            tar.extractall(scratch, filter="data")
        unpacked = pathlib.Path(scratch) / folder.name
        (unpacked / module).rename(unpacked / f"{module}.not-this-one")
        unpacked.rename(folder)
    return folder


def pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", words[0], "--quiet", "--disable-pip-version-check", *words[1:]], check=True)


def extras() -> pathlib.Path:
    folder = FOLDER / "extras"
    if not folder.exists():
        pip("install", "--no-deps", "--target", str(folder), *EXTRAS)
    return folder


def run(name: str, way: str, part: str, tests: list[str], processes: int) -> dict[str, str]:
    """What became of each test."""
    label = "-".join(filter(None, (name, way or "alone", part)))
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-p", "swap", "-p", "others_plugin", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
        command += ["-o", "addopts=", "--timeout", "60", "--tb", "short", "-rfE", "-n", str(processes)]
        command += [f"--junitxml={report}", "-o", "junit_family=xunit1", *tests]
        environment = dict(os.environ, SEAWALL_SUITE="direct", SEAWALL_SUITE_SERVER=find_server())
        environment |= {"SEAWALL_OTHERS": way, "SEAWALL_OTHERS_SETTINGS": part}
        environment["PYTHONPATH"] = os.pathsep.join([str(HERE), str(extras()), environment.get("PYTHONPATH", "")])
        with (TARGET / f"others-{label}.log").open("wb") as log:
            done = subprocess.run(
                command,
                cwd=source(name),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )
        # 1: some failed.
        if done.returncode not in (0, 1) or not report.exists():
            sys.exit(f"others: pytest ended with {done.returncode}: see {log.name}")
        return outcomes(report, log.name)


def passed(name: str, way: str) -> set[str]:
    """Those that passed, at the second try if need be: they assert times, and share a server."""

    def of(part: str) -> set[str]:
        found = run(name, way, part, TESTS[name], 4 if len(PARTS[name]) == 1 else 0)
        doubtful = sorted(test for test, outcome in found.items() if outcome in ("failure", "error"))
        again = run(name, way, part, doubtful, 0) if doubtful else {}
        well = {test for test, outcome in (found | again).items() if outcome == "passed"}
        return {f"{test}" if not part else f"{part}: {test}" for test in well}

    with ThreadPoolExecutor(4) as parts:
        return set().union(*parts.map(of, PARTS[name]))


def main() -> int:
    names = sys.argv[1:] or list(TESTS)
    unknown = [name for name in names if name not in TESTS]
    if unknown:
        sys.exit(f"others: no project {unknown[0]!r}: there are {', '.join(TESTS)}")
    refuse_other_peoples_server()
    began, count, wrong = time.monotonic(), 0, 0
    for name in names:
        source(name), extras()
        alone = passed(name, "")
        for way in WAYS[name]:
            ours = passed(name, way)
            differ, listed = alone - ours, DIFFERENCES[name]
            print(f"others: {name}, {way}: {len(ours)} passed; redis-py alone: {len(alone)}; {len(differ)} differ", flush=True)
            for test in sorted(differ - set(listed)):
                print(f"others: {name}, {way}: {test} passes with redis-py alone")
            for test in sorted(set(listed) - differ):
                print(f"others: {name}, {way}: {test} does not differ any more: take it out of DIFFERENCES")
            count += len(ours)
            wrong += len(differ ^ set(listed))
    print(f"{count} passed, {wrong} failed in {time.monotonic() - began:.1f}s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
