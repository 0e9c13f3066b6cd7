#!/usr/bin/env bash
# Runs every test, and ends with the runner's summary and one line: `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$HOME/.cargo/bin

folder=$(mktemp -d)
said=$folder/said
touch "$said"
# Whoever interrupts us leaves no tests behind, nor their servers.
end() {
    local rest
    rest=$(jobs -p)
    [ -z "$rest" ] || { kill -INT $rest; sleep 2; kill $rest; } 2>/dev/null || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM
[ -t 1 ] && export CARGO_TERM_COLOR="${CARGO_TERM_COLOR-always}"

failed=0
run() { "$@" </dev/null 2>&1 | tee -a "$said" || failed=1; }

# Tests wait more than they compute. Those that are run beside others are heard once the others have ended.
beside() {
    "$@" </dev/null >"$folder/$((${#lanes[@]} + 1))" 2>&1 &
    lanes+=($!)
}
lanes=()
rejoin() {
    local lane
    for lane in "${!lanes[@]}"; do
        wait "${lanes[lane]}" || failed=1
        tee -a "$said" <"$folder/$((lane + 1))"
    done
}

if cargo nextest --version >/dev/null 2>&1; then
    # nextest leaves examples in docs out; they go first, so that its summary comes last.
    run cargo test --locked --workspace --doc --no-fail-fast --quiet
    # They wait more than they compute.
    run cargo nextest run --locked --workspace --no-fail-fast --test-threads $((2 * $(nproc)))
else
    run cargo test --locked --workspace --no-fail-fast --quiet
fi

# The Python package, through its own interpreter.
if run scripts/python.sh && [ -x .venv/bin/python ]; then
    # redis-py's own tests through ours; `make suite` runs them in every way.
    beside .venv/bin/python crates/seawall-python/tests/suite/run.py --quick --processes 2
    # The frameworks in a process of their own: they leave threads, and clients that look for servers which are gone.
    beside .venv/bin/python -m pytest -q crates/seawall-python/tests/apps
    run .venv/bin/python -m pytest -q crates/seawall-python/tests --ignore crates/seawall-python/tests/apps
    rejoin
fi

# `test result: ok. 3 passed; 0 failed; ..` of cargo test, `Summary [..] 9 tests run: 8 passed, 1 failed, ..` of nextest,
# `1 failed, 8 passed, 2 errors in 3.21s` of pytest.
summaries() { sed 's/\x1b\[[0-9;]*m//g' "$said" | grep -E '^test result: |^ *Summary \[|^[0-9]+ [a-z]+(, [0-9]+ [a-z]+)* in [0-9.]+s'; }
count() { { summaries | grep -oE "[0-9]+ ($1)" || true; } | awk '{ sum += $1 } END { print sum + 0 }'; }
not_passed=$(count 'failed|timed out|errors?')
if [ $failed = 1 ] && [ "$not_passed" = 0 ]; then
    echo "not all tests could be built and run, which counts as one failure: see above"
    not_passed=1
fi
echo "$(count passed) passed, $not_passed failed"
[ "$not_passed" = 0 ]
