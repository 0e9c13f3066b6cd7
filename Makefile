# What people do here; `make` alone lists it. Each target installs what it needs, or says in one line what to install.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
export PATH := $(PATH):$(HOME)/.cargo/bin

target := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help setup demo diagnose lab-peers test test-apps test-pythons suite lint format format-check clippy docs tidy deny dist bench bench-python bench-logs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## check for Rust, and fetch a server into .venv if none is installed
	@scripts/setup.sh

demo: setup ## break a real Redis under load, and show what the callers saw (one minute)
	@cargo build --locked --profile profiling --package seawall-cli
	@$(target)/profiling/seawall lab run --demo

diagnose: setup ## break a real Redis in known ways, and hold what the doctor says against the truth (one minute)
	@cargo build --locked --profile profiling --package seawall-cli
	@$(target)/profiling/seawall lab diagnose

lab-peers: setup ## put Python's Redis clients through the lab, and write docs/lab-peers.md (a quarter of an hour)
	@scripts/python.sh
	@.venv/bin/pip install --quiet --disable-pip-version-check -r crates/seawall-lab/contenders/python/requirements.txt
	@cargo build --locked --profile profiling --package seawall-cli
	@.venv/bin/python scripts/lab_peers.py measure $(target)/profiling/seawall $(target)/lab-peers.json
	@.venv/bin/python scripts/lab_peers.py page $(target)/lab-peers.json

test: setup ## run every test
	@scripts/test.sh

test-apps: ## run the tests with Django, Celery, RQ, FastAPI and Flask alone (two minutes)
	@scripts/python.sh
	@.venv/bin/python -m pytest -q crates/seawall-python/tests/apps

# Not part of `test`: which versions are here is not known.
test-pythons: setup ## run the Python package's tests with others: PYTHONS="python3.10 python3.12" (ten minutes each)
	@scripts/pythons.sh $(PYTHONS)

suite: setup ## run redis-py's own tests through our classes, and compare (half an hour)
	@scripts/python.sh
	@.venv/bin/python crates/seawall-python/tests/suite/run.py

lint: format-check clippy docs tidy deny ## formatting, clippy, docs, house rules, dependencies

# Not `cargo fmt`: it does not reach files that a build script lists.
rust_files := find . -name '*.rs' -not -path './target*' -not -path '*/target/*' -not -path './.*' -print0

format: ## format every Rust file
	@$(rust_files) | xargs -0 rustfmt --edition 2024

format-check:
	@echo 'rustfmt --check'
	@bad=$$($(rust_files) | xargs -0 rustfmt --edition 2024 --check -l | sort -u) || \
		{ echo "$$bad"; echo 'not formatted: run `make format`'; exit 1; }

clippy:
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --lib --no-deps --quiet

tidy:
	cargo xtask tidy

deny:
	scripts/deny.sh

dist: ## build wheels, the source distribution and the static program into dist/ (ten minutes)
	@scripts/dist.sh

bench: setup ## measure beside the peers (minutes)
	@cargo run --locked --release --manifest-path benches/Cargo.toml --target-dir $(target)/benches

# As it is shipped: the tests' build is not linked as a whole.
bench-python: setup ## measure the Python package beside its peers (ten minutes)
	@scripts/python.sh release requirements-bench.txt
	@.venv/bin/python benches/python

bench-logs: ## measure how fast logs are read, beside ripgrep (two minutes)
	@cargo build --locked --release --quiet --package seawall-cli
	@python3 benches/logs.py $(target)/release/seawall --folder $(target)/bench-logs
