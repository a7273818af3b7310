# MemGuard's tasks. `make` lists them.
#
# The interposer is built and checked apart from everything else, always: it is a no_std cdylib, and cargo would give its
# dependencies the features that the launcher's crates ask for (std, estimators) if both were built by one command.

.DEFAULT_GOAL := help
SHELL := /bin/sh
# Steps build on each other and cargo uses all cores by itself.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# rustup's place, for shells that have not read its profile.
CARGO_HOME ?= $(HOME)/.cargo
export PATH := $(PATH):$(CARGO_HOME)/bin
# Exactly the versions in Cargo.lock.
LOCKED ?= --locked
OUT := $(or $(CARGO_TARGET_DIR),target)
# libmemguard.so and the small libraries beside it.
INTERPOSERS := -p memguard-interposer -p memguard-operators -p memguard-allocx
ALL_BUT_INTERPOSER := --workspace --exclude memguard-interposer --exclude memguard-annex --exclude memguard-operators \
	--exclude memguard-allocx

PREFIX ?= /usr/local
DESTDIR ?=
INTO = $(DESTDIR)$(PREFIX)

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- Build and show -------------------------------------------------------------------------------------------------

.PHONY: build
build: ## Build target/release/memguard and target/release/libmemguard*.so
	cargo build $(LOCKED) --release $(INTERPOSERS)
	cargo build $(LOCKED) --release -p memguard

.PHONY: demo
demo: tools build ## Build, watch a small leaking service for 20 seconds, show the report
	$(OUT)/release/memguard demo --dir $(OUT)/demo-sessions

# The demo needs a linker and cargo, nothing else; the whole list is installed only if one of them is missing.
.PHONY: tools
tools:
	@if ! command -v cargo >/dev/null 2>&1 || ! echo 'int main(void){return 0;}' | cc -x c -o /dev/null - 2>/dev/null; then \
		sh scripts/install-deps.sh; \
	fi

# ---- Test -----------------------------------------------------------------------------------------------------------

.PHONY: test
test: deps lint unit build portable product ## Install what tests need, then check and test everything

.PHONY: deps
deps: ## Install the Debian packages that tests and benchmarks need
	sh scripts/install-deps.sh

.PHONY: lint
lint: ## Formatting, clippy without a warning, the policy on dependencies
	cargo fmt --all --check
	cargo clippy $(LOCKED) $(ALL_BUT_INTERPOSER) --all-targets -- -D warnings
	cargo clippy $(LOCKED) $(INTERPOSERS) -p memguard-annex -- -D warnings
	cargo clippy $(LOCKED) -p memguard-interposer --features portable -- -D warnings
	python3 scripts/check-policy.py

.PHONY: unit
unit: ## Tests of the crates and of the command
	cargo test $(LOCKED) $(ALL_BUT_INTERPOSER) --exclude memguard-tests --no-fail-fast

.PHONY: portable
portable: ## Build the interposer without assembly entry points, as for other architectures
	cargo build $(LOCKED) --release -p memguard-interposer --features portable --target-dir $(OUT)/portable

.PHONY: product
product: build ## Tests of the whole product: real programs under the release build
	MEMGUARD_REQUIRE_ALL=1 cargo test $(LOCKED) -p memguard-tests --no-fail-fast

.PHONY: loom
loom: ## Check the lock-free tables and the ring over all interleavings
	sh scripts/loom.sh

.PHONY: tsan
tsan: ## Run the stress tests of the segment under ThreadSanitizer
	sh scripts/tsan.sh

.PHONY: fuzz
fuzz: ## Feed hostile segments to the collector
	sh scripts/fuzz.sh

.PHONY: bench
bench: deps build ## Measure what MemGuard costs, against the plain program and other tools; makes docs/performance.md
	@sh scripts/install-deps.sh --peers || echo "make bench: goes on without the tools that are missing" >&2
	python3 scripts/bench.py

SEEDS ?= 40

.PHONY: simulate
simulate: ## Judge programs in virtual time, SEEDS=40 each, and write the tables of docs/detection.md
	cargo run $(LOCKED) --release -p memguard-simulate -- table --seeds $(SEEDS) --update-docs docs/detection.md

.PHONY: soak
soak: deps build ## Watch healthy services under load, ten minutes each: nothing may be found
	python3 scripts/soak.py

.PHONY: transparency
transparency: deps build ## Test suites that others wrote, plain and under watch, compared test by test: takes hours
	python3 scripts/transparency.py --install

.PHONY: chaos
chaos: deps build ## Watch a program that does everything at once, ten minutes in each mode
	python3 scripts/chaos.py --memguard $(OUT)/release/memguard

.PHONY: corpus
corpus: deps build ## Watch programs whose truth is known, twelve minutes, and score the verdicts
	python3 scripts/corpus.py --memguard $(OUT)/release/memguard

.PHONY: processes
processes: deps build ## What the collector costs with 1, 10 and 200 watched processes
	python3 scripts/processes.py --memguard $(OUT)/release/memguard

.PHONY: scaling
scaling: deps build ## How the cost grows with threads, heap, descriptors, …, and what happens at each limit: nine minutes
	python3 scripts/scaling.py --memguard $(OUT)/release/memguard

.PHONY: latency
latency: deps build ## The longest pauses that hooks cause, call by call
	python3 scripts/latency.py --memguard $(OUT)/release/memguard

.PHONY: longrun
longrun: deps build ## Watch redis, nginx and short-lived children for an hour: is what that costs flat?
	python3 scripts/longrun.py --memguard $(OUT)/release/memguard

# ---- Install --------------------------------------------------------------------------------------------------------

DOCS = README.md CHANGELOG.md docs/*.md docs/*.svg docs/report.schema.json

.PHONY: install
install: ## Install what was built into DESTDIR and PREFIX (/usr/local); may be moved as a whole afterwards
	@test -x $(OUT)/release/memguard -a -f $(OUT)/release/libmemguard.so || \
		{ echo "make install: nothing is built yet; run 'make build' first" >&2; exit 1; }
	install -d $(INTO)/bin $(INTO)/lib/memguard $(INTO)/share/doc/memguard/adr
	install -m 755 $(OUT)/release/memguard $(INTO)/bin/memguard
	# Stripped: a debugger at work on a watched program would take our functions' names for the program's.
	install -s -m 644 $(OUT)/release/libmemguard.so $(OUT)/release/libmemguard_operators.so \
		$(OUT)/release/libmemguard_allocx.so $(INTO)/lib/memguard/
	install -m 644 $(DOCS) LICENSE-MIT LICENSE-APACHE $(INTO)/share/doc/memguard/
	install -m 644 docs/adr/*.md $(INTO)/share/doc/memguard/adr/

.PHONY: uninstall
uninstall: ## Remove what `make install` put there; sessions stay
	rm -f $(INTO)/bin/memguard
	rm -rf $(INTO)/lib/memguard $(INTO)/share/doc/memguard

.PHONY: clean
clean: ## Remove everything built, and the demo's sessions
	cargo clean
