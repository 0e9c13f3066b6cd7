#!/usr/bin/env bash
# Runs the Python package's tests with other versions of Python: `scripts/pythons.sh python3.10 /opt/python/bin/python3.13`.
# What is tested is one wheel, the same for all of them, in an environment for each under target/pythons.
# `SEAWALL_TESTS=..` has others run than all but redis-py's own.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tests=crates/seawall-python/tests

stop() { echo "pythons: $*" >&2 && exit 2; }

[ $# -gt 0 ] || stop 'say which: make test-pythons PYTHONS="python3.10 python3.12"'

# Which version it is; fails with a word where it is none that the package is for.
version() {
    "$1" -c 'import sys, sysconfig
if sys.version_info < (3, 10):
    sys.exit("Python 3.10 or later is needed")
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit("a wheel for the stable ABI does not install on a free-threaded Python")
print("%d.%d.%d" % sys.version_info[:3])'
}
for python in "$@"; do
    version "$python" >/dev/null || stop "$python cannot be tested"
done

scripts/python.sh
rm -rf "$target/pythons/wheel"
.venv/bin/maturin build --quiet --locked --profile profiling --out "$target/pythons/wheel" >/dev/null
failed=0 summary=()
for python in "$@"; do
    number=$(version "$python")
    venv=$target/pythons/$number
    [ -x "$venv/bin/pip" ] || "$python" -m venv "$venv" || stop "$python has no venv module"
    for wanted in requirements-python.txt requirements-apps.txt; do
        if ! cmp -s scripts/$wanted "$venv/$wanted"; then
            echo "pythons: installing $wanted into $venv" >&2
            "$venv/bin/pip" install --quiet --disable-pip-version-check -r scripts/$wanted </dev/null
            cp scripts/$wanted "$venv/$wanted"
        fi
    done
    "$venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps "$target"/pythons/wheel/*.whl
    said=$(mktemp)
    # As in scripts/test.sh, the frameworks in a process of their own.
    for part in ${SEAWALL_TESTS:-"$tests" "$tests/apps"}; do
        ignored=()
        [ "$part" != "$tests" ] || ignored=(--ignore "$tests/apps" --ignore "$tests/suite")
        # The programs of the environment come first: tests that start one mean its own.
        PATH=$venv/bin:$PATH "$venv/bin/python" -m pytest -q -p no:cacheprovider "$part" "${ignored[@]}" </dev/null 2>&1 |
            tee "$said" || failed=1
        summary+=("Python $number, $part: $(tail -n 1 "$said")")
    done
    rm -f "$said"
done
printf '%s\n' "" "${summary[@]}"
exit $failed
