"""Interpreters beside the main one are refused in words, not by a crash.

Fails without the check in ``seawall/__init__.py``: the first interpreter to import the engine gets it, and the main one
is refused after that.
"""

from __future__ import annotations

import glob
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest
import redis

import seawall
from seawall import _interpreter

#: Other interpreters that happen to be here: the wheel is one for all of them.
OTHERS = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[2-9].*/bin/python")))
FOLDERS = [pathlib.Path(module.__file__).parent.parent for module in (seawall, redis)]

SUB = """
import sys
if sys.argv[1] == "main first":
    import seawall
    seawall.Redis.from_url(sys.argv[2]).ping()
code = '''
try:
    import seawall
except ImportError as error:
    assert "subinterpreter" in str(error), error
else:
    raise SystemExit("it was imported")
'''
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
kinds = ["isolated", "legacy"] if sys.version_info >= (3, 13) else [None]
for kind in kinds:
    inner = interpreters.create(kind) if kind else interpreters.create()
    # 3.13 returns what was raised, those before raise it.
    assert interpreters.run_string(inner, code) is None
    interpreters.destroy(inner)
import seawall
assert seawall.Redis.from_url(sys.argv[2]).ping()
print("well")
"""


@pytest.mark.parametrize("order", ["main first", "sub first"])
@pytest.mark.parametrize("python", [sys.executable, *OTHERS], ids=lambda path: path.split("/")[-3])
def test_a_subinterpreter_is_refused_in_words_and_harms_nothing(shared_server, python, order):
    done = subprocess.run(
        [python, "-c", SUB, order, shared_server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(folder) for folder in FOLDERS)},
    )
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr


@pytest.mark.parametrize("python", OTHERS, ids=lambda path: path.split("/")[-3])
def test_other_versions_of_python_run_the_same_module(shared_server, python):
    code = """
    import asyncio, sys, threading, seawall
    client = seawall.Redis.from_url(sys.argv[1], decode_responses=True)
    assert client.set("k", "v") and client.get("k") == "v"
    assert client.pipeline().get("k").echo("x").execute() == ["v", "x"]
    threading.Thread(target=lambda: client.blpop("never", timeout=0), daemon=True).start()
    async def main():
        async with seawall.asyncio.Redis.from_url(sys.argv[1], decode_responses=True) as client:
            assert await asyncio.gather(*(client.echo(str(n)) for n in range(20))) == [str(n) for n in range(20)]
    asyncio.run(main())
    print("well")
    """
    done = subprocess.run(
        [python, "-c", textwrap.dedent(code), shared_server.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(folder) for folder in FOLDERS)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "well\n", "")


def test_a_free_threaded_python_that_finds_the_wheels_module_is_refused_in_words(monkeypatch):
    # As such a build says of itself; none is here to be asked.
    monkeypatch.setattr(sys, "abiflags", "t")
    with pytest.raises(ImportError, match=r"free-threaded.* Use an ordinary build of Python"):
        _interpreter.refuse_without_a_global_lock()
