#!/usr/bin/env bash
# Puts an environment for the Python package into .venv and builds the package into it. Says nothing if all is fresh.
# `scripts/python.sh [PROFILE [REQUIREMENTS ..]]`: built with another profile of cargo's, with more installed beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$HOME/.cargo/bin

stop() { echo "python: $*" >&2 && exit 2; }

python_is_enough() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

python_is_enough || stop "install Python 3.10 or later: apt install python3 python3-venv"
if [ ! -x .venv/bin/pip ]; then
    python3 -m venv .venv >/dev/null 2>&1 || { rm -rf .venv && stop "install Python's venv module: apt install python3-venv"; }
fi
# Optimised as while we work: a test under load must not wait for the compiler's lack of effort.
profile=${1:-profiling}
for wanted in requirements-python.txt requirements-apps.txt "${@:2}"; do
    if ! cmp -s scripts/$wanted .venv/$wanted; then
        echo "python: installing $wanted into .venv" >&2
        .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/$wanted </dev/null
        cp scripts/$wanted .venv/$wanted
    fi
done
VIRTUAL_ENV=$PWD/.venv .venv/bin/maturin develop --quiet --locked --profile "$profile"
