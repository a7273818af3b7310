#!/bin/sh
# Runs the stress tests of the segment's structures under ThreadSanitizer: tsan.sh [TEST...]
#
# With the toolchain that everything is built with. Its standard library is not instrumented, so what the test harness itself
# sends through a channel is left out; the segment and its test have no other dependency. Returns 1 at the first race or
# failed test. See loom.sh for the orders of steps that a machine of few cores never takes.
set -eu

cd "$(dirname "$0")/.."
out="${CARGO_TARGET_DIR:-target}/tsan"
mkdir -p "$out"
out=$(cd "$out" && pwd)
# Allows the one unstable option.
export RUSTC_BOOTSTRAP=1
flags="--edition 2024 -O -g -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --target x86_64-unknown-linux-gnu"

# shellcheck disable=SC2086
rustc $flags --crate-type rlib --crate-name memguard_segment crates/segment/src/lib.rs --out-dir "$out"
# shellcheck disable=SC2086
rustc $flags --test --crate-name stress crates/segment/tests/stress.rs \
    --extern "memguard_segment=$out/libmemguard_segment.rlib" -o "$out/stress"
printf 'race:std::sync::mpmc\nrace:test::\n' >"$out/suppressions"
# The sanitizer wants its shadow where address space randomisation may put something else.
TSAN_OPTIONS="suppressions=$out/suppressions exitcode=1 halt_on_error=1" \
    setarch -R "$out/stress" --test-threads=1 "$@"
