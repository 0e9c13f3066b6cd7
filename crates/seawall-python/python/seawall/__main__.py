"""The ``seawall`` command line, also as ``python -m seawall``."""

from __future__ import annotations

import os
import signal
import sys

from . import _ext, _mode


def main() -> int:
    """Runs what was typed, and returns the exit code: 0 all is well, 1 something fell short, 2 it could not run."""
    words = ["seawall", *sys.argv[1:]]
    if words[1:2] == ["check"]:
        if _mode.MODE != _mode.ON:
            # It asks servers through the engine: it alone says why one does not answer.
            again = {**os.environ, "SEAWALL": _mode.ON, "SEAWALL_CHECK_MODE": _mode.MODE}
            os.execve(sys.executable, [sys.executable, "-m", *words], again)
        from .check._command import main as check

        return check(words[2:])
    # Ctrl-C ends it as it ends any program: Python's own handler would only take note while Rust runs.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Never the system's own Python: the lab may install a server into the environment.
    inside = sys.prefix != sys.base_prefix
    venv = sys.prefix if inside else ".venv"
    # Outside of an environment nobody knows that the Python which the lab finds has this package.
    faces = ["python", "asyncio", "blocking"] if inside else ["blocking"]
    return _ext.command_line(words, [sys.executable, "-m", "seawall"], venv, faces)


if __name__ == "__main__":
    sys.exit(main())
