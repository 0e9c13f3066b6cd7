#!/usr/bin/env bash
# Builds what is handed out into dist/, of what is committed: wheels for glibc and musl, the source distribution, the static
# program. Ends with a list of what is there, what was tried out and what could not be built here, and why.
#
#   scripts/dist.sh [WHAT..] [PROCESSOR..]
#
# WHAT: `wheel` (glibc), `musl` (its wheel), `program` (static), `source` (the distribution, and `pip install .` of a clean
# clone); all four unless said. PROCESSOR: x86_64, aarch64; this machine's unless said.
#
# zig (from PyPI) links against any libc. A target whose Rust library is not installed (`rustup target add`) gets it built from
# Debian's source of it, with Debian's own compiler, both unpacked into the target folder.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$HOME/.cargo/bin
export CARGO_INCREMENTAL=0

root=$PWD out=$PWD/dist built=$PWD/${CARGO_TARGET_DIR:-target}/dist
case "${CARGO_TARGET_DIR-}" in /*) built=$CARGO_TARGET_DIR/dist ;; esac
here=$(uname -m)
processors=() what=()
for word in "$@"; do
    case $word in
        wheel | musl | program | source) what+=("$word") ;;
        x86_64 | aarch64) processors+=("$word") ;;
        *) echo "usage: scripts/dist.sh [wheel] [musl] [program] [source] [x86_64] [aarch64]" >&2 && exit 2 ;;
    esac
done
[ ${#processors[@]} -gt 0 ] || processors=("$here")
if [ ${#what[@]} = 0 ]; then
    what=(wheel musl program source)
    rm -rf dist
fi
wanted() { case " ${what[*]} " in *" $1 "*) ;; *) return 1 ;; esac; }

say() { echo "dist: $*" >&2; }
missing=() tried=()
miss() { say "not built: $*" && missing+=("$*"); }

# A clone: nothing that is not committed, and nothing that changes meanwhile.
source=$built/source
mkdir -p "$source" "$out"
git -C "$source" init --quiet
git -C "$source" fetch --quiet --depth 1 "file://$root" HEAD
git -C "$source" checkout --quiet --force --detach FETCH_HEAD
git -C "$source" clean --quiet -fdx
[ -z "$(git status --porcelain)" ] || say "what is not committed is left out"
cd "$source"

# Tools of their own: what the developer has installed is left alone.
tools=$built/tools
if ! cmp -s scripts/requirements-dist.txt "$tools/requirements-dist.txt"; then
    say "installing maturin and zig into ${tools#"$root"/}"
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r scripts/requirements-dist.txt </dev/null
    cp scripts/requirements-dist.txt "$tools/"
fi

has_std() { [ -d "$(rustc --print target-libdir --target "$1" 2>/dev/null)" ]; }

# Debian's newest compiler with the source of its library, unpacked and not installed. It is kept for browsers: `rustc-web`.
debian=$built/debian-rust
debian_rust() {
    [ ! -x "$debian/usr/bin/rustc" ] || return 0
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    say "fetching Debian's compiler and library source (150 MB, once)"
    local half=$debian.half
    rm -rf "$half" && mkdir -p "$half/archives/partial"
    apt-get -qq -y --no-install-recommends --download-only -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
        -o "Dir::Cache::archives=$half/archives" install rustc-web cargo-web rust-web-src libstd-rust-web-dev \
        </dev/null >"$built/apt.log" 2>&1 || return 1
    for package in "$half"/archives/*.deb; do dpkg -x "$package" "$half"; done
    rm -rf "$half/archives"
    [ -x "$half/usr/bin/rustc" ] && rm -rf "$debian" && mv "$half" "$debian"
}

# Runs a command with a Rust that can build for the target; `own` or `debian` is said in $rust. Fails if there is none.
rust_for() {
    if has_std "$1"; then
        rust=own
    elif debian_rust && version_is_enough; then
        rust=debian
    else
        return 1
    fi
}
version_is_enough() {
    local version
    version=$(LD_LIBRARY_PATH=$debian/usr/lib/$here-linux-gnu "$debian/usr/bin/rustc" --version | cut -d' ' -f2)
    [ "$(printf '%s\n' 1.88 "$version" | sort -V | head -n 1)" = 1.88 ]
}
with_rust() {
    if [ "$rust" = own ]; then
        PATH=$tools/bin:$PATH "$@"
    else
        # Building the library is not a stable feature; Debian's compiler is a stable one.
        PATH=$debian/usr/bin:$tools/bin:$PATH LD_LIBRARY_PATH=$debian/usr/lib/$here-linux-gnu RUSTC_BOOTSTRAP=1 \
            RUSTC=$debian/usr/bin/rustc CARGO=$debian/usr/bin/cargo CARGO_UNSTABLE_BUILD_STD=std,panic_unwind "$@"
    fi
}
why_not() { echo "no Rust library for $1: \`rustup target add $1\`, or a Debian with rustc-web 1.88 or later"; }

# zig answers `-lgcc_s` with an unwinder of its own, linked in. But a thread that glibc ends, as Python does with daemon threads
# until 3.14, is unwound by libgcc's, and the process died of a frame that was read with the other one. A library of libgcc's
# name that comes first has the wheel take it from there, as whatever cc links does.
libgcc() { # TARGET
    local folder=$built/libgcc-${1%%-*}
    mkdir -p "$folder"
    printf 'void _Unwind_%s(void) {}\n' Backtrace DeleteException FindEnclosingFunction ForcedUnwind GetCFA GetDataRelBase GetGR \
        GetIP GetIPInfo GetLanguageSpecificData GetRegionStart GetTextRelBase RaiseException Resume Resume_or_Rethrow SetGR \
        SetIP >"$folder/unwind.c"
    "$tools/bin/python" -m ziglang cc -target "${1%%-*}-linux-gnu" -shared -nostdlib -Wl,-soname,libgcc_s.so.1 \
        -o "$folder/libgcc_s.so.1" "$folder/unwind.c" && linked=(-- -C "link-arg=$folder/libgcc_s.so.1")
}

wheel() { # TARGET COMPATIBILITY RUSTFLAGS
    rust_for "$1" || { miss "the wheel for $2 on ${1%%-*}: $(why_not "$1")" && return; }
    say "building the wheel for $2 on ${1%%-*} ($rust Rust)"
    local log=$built/wheel-$1.log linked=()
    # musl ends a thread without unwinding it.
    case $1 in *-gnu) libgcc "$1" || { miss "the wheel for $2 on ${1%%-*}: no stand-in for libgcc" && return; } ;; esac
    RUSTFLAGS=$3 CARGO_TARGET_DIR=$built/wheel with_rust "$tools/bin/maturin" build --release --locked --zig --strip \
        --target "$1" --compatibility "$2" --interpreter python3 --out "$out" ${linked[@]+"${linked[@]}"} </dev/null >"$log" 2>&1 ||
        { tail -n 3 "$log" >&2 && miss "the wheel for $2 on ${1%%-*}: see ${log#"$root"/}"; }
}

program() { # TARGET
    rust_for "$1" || { miss "the static program for ${1%%-*}: $(why_not "$1")" && return; }
    say "building the static program for ${1%%-*} ($rust Rust)"
    local log=$built/program-$1.log flags=()
    # The start files are zig's where the library was built here.
    [ "$rust" = own ] || flags=(-- -C link-self-contained=no)
    CARGO_TARGET_DIR=$built/program CARGO_PROFILE_RELEASE_STRIP=symbols with_rust cargo-zigbuild rustc --locked --release \
        --package seawall-cli --bin seawall --target "$1" ${flags[@]+"${flags[@]}"} </dev/null >"$log" 2>&1 ||
        { tail -n 3 "$log" >&2 && miss "the static program for ${1%%-*}: see ${log#"$root"/}" && return; }
    cp "$built/program/$1/release/seawall" "$out/seawall-${1%%-*}-linux-static"
}

try() { # WHAT COMMAND..
    local what=$1
    shift
    if "$@" >&2; then tried+=("$what"); else miss "$what does not work: see above" && failed=1; fi
}

failed=0
for processor in "${processors[@]}"; do
    # 2.17 is what Rust itself asks for.
    if wanted wheel; then
        wheel "$processor-unknown-linux-gnu" manylinux2014 ""
        for wheel in "$out"/*manylinux*"_$here.whl"; do
            [ $processor != "$here" ] || [ ! -e "$wheel" ] || try "README's quick start from ${wheel##*/}" scripts/quick_start.py "$wheel"
        done
    fi
    if wanted musl; then
        flags="-C target-feature=-crt-static"
        has_std "$processor-unknown-linux-musl" || flags+=" -C link-self-contained=no"
        wheel "$processor-unknown-linux-musl" musllinux_1_2 "$flags"
    fi
    if wanted program; then
        program "$processor-unknown-linux-musl"
        program=$out/seawall-$here-linux-static
        [ $processor != "$here" ] || [ ! -e "$program" ] || try "the lab of ${program##*/}" "$program" lab run restart --face blocking
    fi
done

if wanted source; then
    say "making the source distribution, and installing it and the clone (minutes: pip compiles)"
    "$tools/bin/maturin" sdist --out "$out" </dev/null >"$built/sdist.log" 2>&1 || { tail -n 3 "$built/sdist.log" >&2; miss "the source distribution"; }
    export CARGO_TARGET_DIR=$built/pip
    for sdist in "$out"/*.tar.gz; do try "README's quick start from ${sdist##*/}" scripts/quick_start.py "$sdist"; done
    try "README's quick start by \`pip install .\` in a clean clone" scripts/quick_start.py .
fi

rm -f "$out/SHA256SUMS" && (cd "$out" && sha256sum -- * >"$built/sums" && mv "$built/sums" SHA256SUMS)
echo "in dist/:" && (cd "$out" && ls -sh1 | tail -n +2)
[ ${#tried[@]} = 0 ] || printf 'tried: %s\n' "${tried[@]}"
[ ${#missing[@]} = 0 ] || printf 'not built: %s\n' "${missing[@]}"
[ $failed = 0 ]
