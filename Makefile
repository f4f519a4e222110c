# Relais. `make help` lists what there is.
#
# One target directory outside the clone is shared by every clone and command, and one profile does everything, so that
# RocksDB (over ten minutes of C++ on two slow cores) is compiled once.

CARGO_TARGET_DIR ?= $(HOME)/.cache/relais/target
export CARGO_TARGET_DIR

# mail-parser declares Rust 1.98 and compiles on 1.95; newer toolchains need no persuasion.
RUST_MINOR := $(shell rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
IGNORE_RUST_VERSION := $(shell [ "$(RUST_MINOR)" -lt 98 ] 2>/dev/null && echo --ignore-rust-version)

CARGO_FLAGS = --release --locked $(IGNORE_RUST_VERSION)
export CARGO_FLAGS

.PHONY: help deps build demo test lint bench fuzz

help:
	@echo "make demo    build, start a server on loopback, send mail through it, show what happened"
	@echo "             (ARGS=--once ends after the account)"
	@echo "make test    everything the tests need, then all tests"
	@echo "make build   the release binary, in $(CARGO_TARGET_DIR)/release/relais"
	@echo "make lint    formatting, clippy, licences and bans of dependencies"
	@echo "make fuzz    each fuzz target for TIME seconds (30)"
	@echo "make bench   Relais beside Postfix + Dovecot (PEERS=folder of the load generator);"
	@echo "             ARGS=--large: a mailbox of 1,000,000 messages, and 20,000 mailboxes"
	@echo "             ARGS=--beside: resynchronisation and searches, also beside other IMAP servers"
	@echo "             ARGS=--relay: 10,000 messages to 100 domains, beside Postfix"

deps:
	@scripts/deps

build: deps
	@scripts/first-build-notice
	cargo build $(CARGO_FLAGS) --workspace --bins

demo: build
	@"$(CARGO_TARGET_DIR)/release/relais-demo" $(ARGS)

test:
	@scripts/deps
	@scripts/first-build-notice
	@scripts/test

lint: deps
	@scripts/lint

bench: build
	@scripts/bench

fuzz: deps
	@scripts/fuzz $(TIME)
