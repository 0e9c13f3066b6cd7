"""Runs redis-py's own test suite through Seawall's classes, and compares with redis-py's.

    python crates/seawall-python/tests/suite/run.py [--quick] [FACE..] [-- pytest's arguments]

A face is ``client-2``, ``client-3``, ``pool-2`` or ``pool-3``: what is swapped (see ``swap.py``), and the protocol. What
does not pass is run once more, and then with redis-py alone, on the same server. What passes there is a difference, and
must stand in ``differences.toml`` with its reason; what stands there must differ.

The tests are not in this repository: they are downloaded with redis-py's source, once.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from xml.etree import ElementTree

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[3]
VERSION = "8.1.0"
FACES = ["client-3", "pool-2", "client-2", "pool-3"]
#: What `make test` runs; the other two differ from these in one thing each.
QUICK = ["client-3", "pool-2"]
#: What needs a cluster, a server with modules or a replica, certificates of a container, or a cloud service.
MARKS = "not onlycluster and not multidb_integration and not redismod and not ssl and not replica and not cp_integration"
#: Tests of the asyncio face, and of what a client of ours has no part in.
LEFT_OUT = [
    "tests/test_asyncio",
    "tests/test_multidb",
    "tests/test_scenario",
    "tests/maint_notifications/test_async_maint_notifications_handling.py",
    "tests/maint_notifications/test_async_cluster_maint_notifications_handling.py",
    "tests/maint_notifications/test_cluster_maint_notifications_handling.py",
    "tests/test_cluster.py",
    "tests/test_cluster_transaction.py",
]


def find_server() -> str:
    sys.path.insert(0, str(HERE.parent))
    from conftest import find_server as find

    return find()


def source() -> pathlib.Path:
    """redis-py's source with its tests, unpacked in the target folder."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "redis-py"
    folder = target / f"redis-{VERSION}"
    if (folder / "tests" / "conftest.py").exists():
        return folder
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            + ["--no-binary", "redis", "--dest", scratch, f"redis=={VERSION}"],
            check=True,
        )
        archive = next(pathlib.Path(scratch).glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        unpacked = pathlib.Path(scratch) / f"redis-{VERSION}"
        # The tests are to meet the installed package, whose version is the same.
        shutil.rmtree(unpacked / "redis")
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def run(mode: str, pooled: bool, protocol: str, tests: list[str], more: list[str], processes: int) -> dict[str, str]:
    """What became of each test: ``passed``, ``failed``, ``error`` or ``skipped``."""
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        names = pathlib.Path(scratch) / "tests"
        names.write_text("\n".join(tests))
        command = [sys.executable, "-m", "pytest", "-p", "swap", "-q", "-p", "no:cacheprovider", "-o", "log_cli=false"]
        command += ["--timeout", "30", "--tb", "short", "--capture", "fd", "-W", "ignore", "--protocol", protocol]
        command += [f"--junitxml={report}", "-o", "junit_family=xunit1", "-m", MARKS, "--no-header"]
        command += ["-n", str(processes), *more]
        if tests:
            command += [f"@{names}"]
        else:
            # Telling what stood in an assertion takes as long as the tests; that of the second run does.
            command += ["--assert=plain", *(f"--ignore={path}" for path in LEFT_OUT)]
        environment = dict(os.environ, SEAWALL_SUITE=mode, SEAWALL_SUITE_SERVER=find_server())
        if pooled:
            environment["SEAWALL_SUITE_POOLED"] = "yes"
        environment["PYTHONPATH"] = f"{HERE}{os.pathsep}{environment.get('PYTHONPATH', '')}"
        with (REPOSITORY / "target" / f"suite-{mode}-{protocol}{'-some' if tests else ''}.log").open("wb") as log:
            done = subprocess.run(command, cwd=source(), env=environment, stdout=log, stderr=subprocess.STDOUT)
        if not report.exists():
            sys.exit(f"suite: pytest ended with {done.returncode} before any test: see {log.name}")
        return outcomes(report)


def outcomes(report: pathlib.Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file, name = case.get("file"), case.get("name", "")
        if file is None:
            continue
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


def bad(results: dict[str, str]) -> list[str]:
    return sorted(name for name, outcome in results.items() if outcome in ("failure", "error"))


def face(name: str, more: list[str], processes: int) -> tuple[int, set[str]]:
    """How many pass, and the tests that differ from redis-py alone."""
    mode, protocol = name.split("-")
    # The native way is that of clients that keep no connection to themselves.
    pooled = mode == "client"
    results = run(mode, pooled, protocol, [], more, processes)
    suspects = bad(results)
    if suspects:
        # redis-py's tests assert times, and keep state in one server: twice is a failure.
        suspects = bad(run(mode, pooled, protocol, suspects, more, 1))
    # What is skipped with ours might not be with redis-py alone.
    doubtful = suspects + sorted(name for name, outcome in results.items() if outcome == "skipped")
    direct = run("direct", pooled, protocol, doubtful, more, 1) if doubtful else {}
    differ = {test for test in doubtful if direct.get(test) == "passed"}
    passed = sum(outcome == "passed" for outcome in results.values())
    skipped = sum(outcome == "skipped" for outcome in results.values())
    print(
        f"suite: {name}: {passed} passed, {skipped} skipped, {len(suspects)} not passed, "
        f"{len(differ)} of them pass with redis-py alone",
        flush=True,
    )
    return passed, differ


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help=f"only {' and '.join(QUICK)}")
    words.add_argument("--processes", type=int, default=4)
    words.add_argument("faces", nargs="*", metavar="FACE", choices=[*FACES, []])
    ours, more = sys.argv[1:], []
    if "--" in ours:
        ours, more = ours[: ours.index("--")], ours[ours.index("--") + 1 :]
    given = words.parse_args(ours)
    faces = given.faces or (QUICK if given.quick else FACES)
    listed = tomllib.loads((HERE / "differences.toml").read_text())["difference"]
    failed = passed = 0
    for name in faces:
        well, differ = face(name, more, given.processes)
        passed += well
        expected = [entry for entry in listed if name in entry.get("faces", FACES)]
        for entry in expected:
            if not more and not any(matches(test, entry["test"]) for test in differ):
                failed += 1
                print(f"suite: {name}: {entry['test']} does not differ any more: take it out of differences.toml")
        for test in sorted(differ):
            if not any(matches(test, entry["test"]) for entry in expected):
                failed += 1
                print(f"suite: {name}: {test} passes with redis-py alone")
    print(f"{passed} passed, {failed} failed in redis-py's own tests")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
