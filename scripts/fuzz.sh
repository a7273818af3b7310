#!/bin/sh
# Fuzzes everything that reads what a watched process may have damaged: fuzz.sh [SECONDS [TARGET...]]
#
# Each target runs for SECONDS (60 if not given), one after the other, with the sanitizer for addresses; 1 is returned if
# one of them crashes, hangs or eats memory, and the input that did it lies in tests/fuzz/artifacts. Inputs that reached
# new code are kept in the target directory and used again. Needs a nightly toolchain and cargo-fuzz.
set -eu

seconds=${1:-60}
[ $# -eq 0 ] || shift
case $seconds in
'' | *[!0-9]*)
    echo "usage: fuzz.sh [SECONDS [TARGET...]]" >&2
    exit 2
    ;;
esac
[ $# -gt 0 ] || set -- segment control collect unwind

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root/tests/fuzz"
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzz.sh: there is no nightly toolchain; run 'rustup toolchain install nightly --profile minimal'" >&2
    exit 2
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "fuzz.sh: cargo-fuzz is missing; run 'cargo install cargo-fuzz'" >&2
    exit 2
fi

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/fuzz"
# The file that the collector reads again and again.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM

failed=0
for target; do
    corpus=$CARGO_TARGET_DIR/corpus/$target
    mkdir -p "$corpus"
    echo "fuzz.sh: $target for $seconds s"
    # Inputs that reached new code in earlier runs.
    kept="kept/$target"
    [ -d "$kept" ] || kept="seeds/$target"
    # Release: what is shipped has no overflow checks, and the DWARF libraries count on that.
    cargo +nightly fuzz run --release --fuzz-dir . "$target" "$corpus" "seeds/$target" "$kept" -- \
        -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 || failed=1
done
exit $failed
