#!/bin/sh
# Builds the programs of tests/corpus into OUTDIR: build-corpus.sh OUTDIR [NAME...]
#
# NAME.c, NAME.cpp and NAME.rs become OUTDIR/NAME; where a source asks whether it is FIXED, OUTDIR/NAME_fixed is its healthy
# twin. libNAME.c becomes OUTDIR/libNAME.so. Python programs run where they are. Libraries are named in a source's header
# after the word "link:". Only what is older than its sources is built again; with NAMEs, only these.
set -eu

if [ $# -lt 1 ]; then
    echo "usage: build-corpus.sh OUTDIR [NAME...]" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")/.." && pwd)
src=$here/tests/corpus
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
wanted=" $* "
CC=${CC:-gcc}
CXX=${CXX:-g++}
RUSTC=${RUSTC:-rustc}
warnings="-Wall -Wextra"

for tool in "$CC" "$CXX" "$RUSTC" flock; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "build-corpus.sh: $tool is missing; run scripts/install-deps.sh" >&2
        exit 1
    fi
done

# Tests may call this at the same time; the second waits and then finds everything built.
exec 9>"$out/.lock"
flock 9

# build NAME SOURCE COMMAND...: runs "COMMAND... -o OUTDIR/NAME" if that is missing, or older than its source, the shared
# headers or this script, and wanted at all; a half-written output never stays. The library goes with whatever is wanted.
build() {
    name=$1
    source=$2
    shift 2
    case $wanted in
    "  " | *" $name "*) ;;
    *) case $name in *.so) ;; *) return 0 ;; esac ;;
    esac
    for newer in "$source" "$src/service.h" "$src/service.rs" "$0"; do
        if ! [ -e "$out/$name" ] || [ "$newer" -nt "$out/$name" ]; then
            "$@" -o "$out/$name.tmp"
            mv "$out/$name.tmp" "$out/$name"
            return 0
        fi
    done
}

# twins NAME SOURCE DEFINE COMMAND...: the program and, if its source knows one, its healthy twin.
twins() {
    name=$1
    source=$2
    define=$3
    shift 3
    build "$name" "$source" "$@"
    if grep -Eq '^#if.*FIXED|cfg!\(fixed\)' "$source"; then
        # shellcheck disable=SC2086
        build "${name}_fixed" "$source" "$@" $define
    fi
}

for source in "$src"/*.c; do
    name=$(basename "$source" .c)
    link=$(sed -n 's/^ \* link: //p' "$source")
    case $name in
    lib*)
        # shellcheck disable=SC2086
        build "$name.so" "$source" "$CC" -std=gnu11 -g -O1 $warnings -shared -fPIC "$source"
        ;;
    *)
        # shellcheck disable=SC2086
        twins "$name" "$source" -DFIXED "$CC" -std=gnu11 -g -O1 $warnings "$source" -pthread -lm $link
        ;;
    esac
done
for source in "$src"/*.cpp; do
    link=$(sed -n 's/^ \* link: //p' "$source")
    # shellcheck disable=SC2086
    twins "$(basename "$source" .cpp)" "$source" -DFIXED "$CXX" -std=c++17 -g -O1 $warnings "$source" -pthread -lm $link
done
for source in "$src"/*.rs; do
    name=$(basename "$source" .rs)
    [ "$name" = service ] || twins "$name" "$source" "--cfg fixed" "$RUSTC" --edition 2021 -g -C opt-level=1 \
        --check-cfg "cfg(fixed)" --crate-name "$name" "$source"
done
