#!/bin/sh
# Model-checks the lock-free structures with loom: loom.sh [TEST...]
#
# Every test bounds its own exploration; all together take about a minute or two. LOOM_MAX_PREEMPTIONS raises or
# lowers all bounds, LOOM_MAX_DURATION (seconds) stops each test early.
set -eu

cd "$(dirname "$0")/.."
# A build of its own: the flag changes every crate. No LTO, but the checks of debug builds.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true

for package in memguard-segment memguard-unwind; do
    cargo test --release --package "$package" --test loom -- --nocapture --test-threads=1 "$@"
done
