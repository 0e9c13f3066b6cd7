# What people do here; `make` alone lists it. Each target installs what it needs, or says in one line what to install.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
export PATH := $(PATH):$(HOME)/.cargo/bin

target := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help setup demo test lint format clippy docs tidy deny bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## check for Rust, and fetch a server into .venv if none is installed
	@scripts/setup.sh

demo: setup ## break a real Redis under load, and show what the callers saw (one minute)
	@cargo build --locked --profile profiling --package seawall-cli
	@$(target)/profiling/seawall lab run --demo

test: setup ## run every test
	@scripts/test.sh

lint: format clippy docs tidy deny ## formatting, clippy, docs, house rules, dependencies

format:
	cargo fmt --all --check -- -l

clippy:
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --lib --no-deps --quiet

tidy:
	cargo xtask tidy

deny:
	scripts/deny.sh

bench: setup ## measure beside the peers (minutes)
	cargo bench --locked --manifest-path benches/Cargo.toml
