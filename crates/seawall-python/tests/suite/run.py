"""Runs redis-py's own test suite through Seawall's classes, and compares with redis-py's.

    python crates/seawall-python/tests/suite/run.py [--quick] [FACE..] [-- pytest's arguments]

A face is what is swapped (see ``swap.py``) and the protocol, such as ``client-3`` or ``apool-2``. A test that passes with
redis-py alone on the same server and not with a face is a difference, and must stand in ``differences.toml`` with its
reason; what stands there must differ. With ``--quick`` only some faces run, and redis-py alone only what did not pass.

The tests are not in this repository: they are downloaded with redis-py's source, once.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
#: redis-py's source distribution with its hash.
SOURCE = REPOSITORY / "scripts" / "requirements-suite.txt"
PR_SET_PDEATHSIG = 1

#: What needs a cluster, a server with modules or a replica, certificates of a container, or a cloud service.
MARKS = "not onlycluster and not multidb_integration and not redismod and not ssl and not replica and not cp_integration"
#: Of what a client of ours has no part in: clusters and several databases (redis-py's own classes), modules that no
#: server here has, services that break things on demand.
LEFT_OUT = {
    "sync": [
        "tests/test_asyncio",
        "tests/test_multidb",
        "tests/test_scenario",
        "tests/test_search.py",
        "tests/test_vsets.py",
        "tests/maint_notifications/test_async_maint_notifications_handling.py",
        "tests/maint_notifications/test_async_cluster_maint_notifications_handling.py",
        "tests/maint_notifications/test_cluster_maint_notifications_handling.py",
        "tests/test_cluster.py",
        "tests/test_cluster_transaction.py",
    ],
    "asyncio": [
        "tests/test_asyncio/test_multidb",
        "tests/test_asyncio/test_scenario",
        "tests/test_asyncio/test_search.py",
        "tests/test_asyncio/test_vsets.py",
        "tests/test_asyncio/test_cluster.py",
        "tests/test_asyncio/test_cluster_transaction.py",
    ],
}
ROOTS = {
    "sync": ["tests"],
    "asyncio": ["tests/test_asyncio", "tests/maint_notifications/test_async_maint_notifications_handling.py"],
}


@dataclass(frozen=True)
class Face:
    """One way to run the tests."""

    mode: str
    protocol: str
    #: ``sync`` or ``asyncio``.
    family: str
    #: Whether the clients of most tests take a connection for each command; redis-py's tests let them keep one.
    pooled: bool = False

    @property
    def alone(self) -> Face:
        """The same with redis-py alone."""
        return Face("direct", self.protocol, self.family, self.pooled)

    def __str__(self) -> str:
        return f"{self.mode}-{self.family}{'-pooled' if self.pooled else ''}-{self.protocol}"


FACES = {
    f"{name}-{protocol}": Face(mode, protocol, family, pooled)
    for name, mode, family, pooled in [
        ("client", "client", "sync", True),
        ("single", "client", "sync", False),
        ("pool", "pool", "sync", False),
        ("aclient", "aclient", "asyncio", False),
        ("apool", "apool", "asyncio", False),
    ]
    for protocol in "32"
}
#: What `make test` runs; the others differ from these in one thing each.
QUICK = ["client-3", "pool-2", "aclient-3", "apool-2"]


def find_server() -> str:
    sys.path.insert(0, str(HERE.parent))
    from real_servers import find_server as find

    return find()


def source() -> pathlib.Path:
    """redis-py's source with its tests, unpacked in the target folder."""
    target = TARGET / "redis-py"
    version = re.search(r"^redis==(\S+)", SOURCE.read_text(), re.MULTILINE)[1]
    folder = target / f"redis-{version}"
    if (folder / "tests" / "conftest.py").exists():
        return folder
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            + ["--no-binary", "redis", "--dest", scratch, "--requirement", str(SOURCE)],
            check=True,
        )
        archive = next(pathlib.Path(scratch).glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        unpacked = pathlib.Path(scratch) / f"redis-{version}"
        # The tests are to meet the installed package, whose version is the same.
        shutil.rmtree(unpacked / "redis")
        # pytest reads the conftest of what is left out, which wants more packages.
        for left_out in ("test_scenario", "test_asyncio/test_scenario"):
            shutil.rmtree(unpacked / "tests" / left_out)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def run(face: Face, tests: list[str], more: list[str], processes: int) -> dict[str, str]:
    """What became of each test: ``passed``, ``failure``, ``error`` or ``skipped``; of all but a few if none is named."""
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        names = pathlib.Path(scratch) / "tests"
        names.write_text("\n".join(tests))
        command = [sys.executable, "-m", "pytest", "-p", "swap", "-q", "-p", "no:cacheprovider", "-p", "no:valkey", "-o", "log_cli=false"]
        command += ["--timeout", "30", "--tb", "short", "--capture", "fd", "-W", "ignore", "--protocol", face.protocol]
        command += [f"--junitxml={report}", "-o", "junit_family=xunit1", "-m", MARKS, "--no-header", "-rfE"]
        command += ["-n", str(processes), *more]
        if tests:
            command += [f"@{names}"]
        else:
            # Telling what stood in an assertion takes as long as the tests; that of the second run does.
            command += ["--assert=plain", *ROOTS[face.family]]
            command += [f"--ignore={path}" for path in LEFT_OUT[face.family]]
        environment = dict(os.environ, SEAWALL_SUITE=face.mode, SEAWALL_SUITE_SERVER=find_server())
        if face.pooled:
            environment["SEAWALL_SUITE_POOLED"] = "yes"
        environment["PYTHONPATH"] = f"{HERE}{os.pathsep}{environment.get('PYTHONPATH', '')}"
        with (TARGET / f"suite-{face}{'-some' if tests else ''}.log").open("wb") as log:
            done = subprocess.run(
                command,
                cwd=source(),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )
        if not report.exists():
            sys.exit(f"suite: pytest ended with {done.returncode} before any test: see {log.name}")
        return outcomes(report, log.name)


def outcomes(report: pathlib.Path, log: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file, name = case.get("file"), case.get("name", "")
        error = case.find("error")
        if file is None or (error is not None and error.get("message") == "collection failure"):
            sys.exit(f"suite: {name} could not be read: see {log}")
        module = file.removesuffix(".py").replace("/", ".")
        classes = case.get("classname", "").removeprefix(module).strip(".").split(".")
        identity = "::".join([file, *filter(None, classes), name])
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcome = next(iter(kinds), "passed")
        # A test whose teardown fails is there twice.
        found[identity] = outcome if found.get(identity, "passed") == "passed" else found[identity]
    return found


def matches(test: str, pattern: str) -> bool:
    """Whether it is that test, or one of those that a pattern with ``*`` means."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), test) is not None


class Listed:
    """``differences.toml``."""

    def __init__(self) -> None:
        self.entries = tomllib.loads((HERE / "differences.toml").read_text())["difference"]
        for entry in self.entries:
            wrong = [face for face in entry["faces"] if f"{face}-3" not in FACES and face not in FACES]
            if wrong or not entry["tests"] or not entry["reason"]:
                sys.exit(f"suite: differences.toml: {entry}: no face {wrong}, no tests or no reason")

    def _of(self, name: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if name in entry["faces"] or name[:-2] in entry["faces"]]

    def hanging(self, name: str) -> list[str]:
        """Those that would wait for pytest to end them."""
        return [test for entry in self._of(name) if entry.get("hangs") for test in entry["tests"]]

    def has(self, name: str, test: str) -> bool:
        return any(matches(test, pattern) for entry in self._of(name) for pattern in entry["tests"])

    def judge(self, name: str, differ: set[str], quick: bool) -> tuple[list[str], list[str]]:
        """The differences that are not listed, and what is listed and does not differ."""
        unlisted = [test for test in differ if not self.has(name, test)]
        steady = [entry for entry in self._of(name) if not entry.get("sometimes") and not (quick and entry.get("hangs"))]
        expected = [pattern for entry in steady for pattern in entry["tests"]]
        return sorted(unlisted), [
            pattern for pattern in expected if not any(matches(test, pattern) for test in differ)
        ]


@dataclass
class Result:
    """What a face did with the tests."""

    passed: set[str]
    failed: set[str]
    skipped: set[str]
    #: Passed only when they ran alone: redis-py's tests assert times, and keep state in one server.
    shaky: set[str]


def all_of(face: Face, more: list[str], processes: int, is_listed: Callable[[str], bool], but: list[str]) -> Result:
    """Runs all tests but a few, and what failed and is not listed once more."""
    # pytest knows no patterns here: the beginning of a name stands for all that begin so.
    found = run(face, [], more + [f"--deselect={test.rstrip('*')}" for test in but], processes)
    suspects = {name for name, outcome in found.items() if outcome in ("failure", "error")}
    doubtful = sorted(name for name in suspects if not is_listed(name))
    shaky: set[str] = set()
    if doubtful:
        again = run(face, doubtful, more, 1)
        shaky = {name for name in doubtful if again.get(name) == "passed"}
    return Result(
        passed={name for name, outcome in found.items() if outcome == "passed"} | shaky,
        failed=suspects - shaky,
        skipped={name for name, outcome in found.items() if outcome == "skipped"},
        shaky=shaky,
    )


class Alone:
    """redis-py alone, on the same server: what the faces are compared with."""

    def __init__(self, whole: bool, more: list[str], processes: int) -> None:
        self.whole, self.more, self.processes = whole, more, processes
        self.known: dict[Face, Result] = {}

    def passes(self, face: Face, doubtful: set[str]) -> tuple[set[str], Result | None]:
        """Those of some tests that pass."""
        alone = face.alone
        if not self.whole:
            found = run(alone, sorted(doubtful), self.more, self.processes) if doubtful else {}
            return {name for name in doubtful if found.get(name) == "passed"}, None
        if alone not in self.known:
            self.known[alone] = all_of(alone, self.more, self.processes, lambda _: False, [])
        return doubtful & self.known[alone].passed, self.known[alone]


def compare(name: str, alone: Alone, listed: Listed) -> tuple[Result, set[str]]:
    """What became of the tests with a face, and which of them differ from redis-py alone."""
    face = FACES[name]
    but = [] if alone.whole else listed.hanging(name)
    result = all_of(face, alone.more, alone.processes, lambda test: listed.has(name, test), but)
    # What is skipped with ours might not be with redis-py alone.
    differ, direct = alone.passes(face, result.failed | result.skipped)
    if direct is not None:
        # Nor may a test get lost.
        differ |= direct.passed - result.passed - result.failed - result.skipped
        also = f"; redis-py alone: {len(direct.passed)} passed, {len(direct.skipped)} skipped, {len(direct.failed)} failed"
    else:
        also = ""
    print(
        f"suite: {name}: {len(result.passed)} passed, {len(result.skipped)} skipped, {len(result.failed)} failed, "
        f"{len(differ)} of them not with redis-py alone{also}",
        flush=True,
    )
    for who, shaky in ((name, result.shaky), (f"{name}: redis-py alone", direct.shaky if direct else ())):
        for test in sorted(shaky):
            print(f"suite: {who}: {test} passed only when it ran alone")
    return result, differ


def refuse_other_peoples_server() -> None:
    """Where a network of their own cannot be had, some tests write to redis-py's usual port, whoever is there."""
    alone = subprocess.run(
        [sys.executable, "-c", "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x40000000) != 0)"]
    )
    if alone.returncode == 0:
        return
    try:
        socket.create_connection(("127.0.0.1", 6379), 1).close()
    except OSError:
        return
    sys.exit(
        "suite: a server listens at port 6379, and redis-py's tests would empty it: stop it, or run them as root, "
        "where they get a network of their own"
    )


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    words.add_argument("--processes", type=int, default=4)
    words.add_argument("faces", nargs="*", metavar="FACE", help=", ".join(FACES))
    ours, more = sys.argv[1:], []
    if "--" in ours:
        ours, more = ours[: ours.index("--")], ours[ours.index("--") + 1 :]
    given = words.parse_args(ours)
    faces = given.faces or (QUICK if given.quick else list(FACES))
    for name in faces:
        if name not in FACES:
            words.error(f"no face {name!r}: there are {', '.join(FACES)}")
    refuse_other_peoples_server()
    listed = Listed()
    alone = Alone(not given.quick, more, given.processes)
    began = time.monotonic()
    failed = passed = 0
    for name in faces:
        result, differ = compare(name, alone, listed)
        passed += len(result.passed)
        unlisted, gone = listed.judge(name, differ, given.quick)
        for test in unlisted:
            print(f"suite: {name}: {test} passes with redis-py alone")
        for test in () if more else gone:
            print(f"suite: {name}: {test} does not differ any more: take it out of differences.toml")
        failed += len(unlisted) + (0 if more else len(gone))
    # The form of pytest's own last line, which scripts/test.sh adds up.
    print(f"{passed} passed, {failed} failed in {time.monotonic() - began:.1f}s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
