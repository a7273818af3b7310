#!/bin/sh
# Builds the programs of tests/targets into OUTDIR: build-targets.sh OUTDIR
#
# Only what is older than its sources is built again. Beside one program per source there are variants of leak_steady:
#   leak_steady_O1          without optimisation to speak of
#   no_frame_pointers       -O2 -fomit-frame-pointer: unwinding needs .eh_frame
#   frame_pointers          -fno-omit-frame-pointer
#   leak_steady_stripped    stripped; its debug file is OUTDIR/debug/.build-id/xx/yyyy.debug
#   leak_steady_nodebug     stripped, no debug file and no build-id: shown as module+0x1234
#   leak_steady_static      statically linked: cannot be watched by preloading; so are leak_sockets_static and
#                           healthy_sockets_static
set -eu

if [ $# -ne 1 ]; then
    echo "usage: build-targets.sh OUTDIR" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")/.." && pwd)
src=$here/tests/targets
mkdir -p "$1"
out=$(cd "$1" && pwd)
CC=${CC:-gcc}
CXX=${CXX:-g++}
RUSTC=${RUSTC:-rustc}
warnings="-Wall -Wextra -Wno-unused-function -Wno-unused-result -Wno-alloc-size-larger-than"

for tool in "$CC" "$CXX" "$RUSTC" objcopy strip readelf flock pkg-config; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "build-targets.sh: $tool is missing; run scripts/install-deps.sh" >&2
        exit 1
    fi
done

# Test programs may call this at the same time; the second waits and then finds everything built.
exec 9>"$out/.lock"
flock 9

# stale OUTPUT SOURCE...: is the output missing, or older than a source, than the shared headers, or than this script?
stale() {
    output=$1
    shift
    [ -e "$output" ] || return 0
    for source in "$@" "$src"/*.h "$src/variants.rs" "$0"; do
        if [ "$source" -nt "$output" ]; then
            return 0
        fi
    done
    return 1
}

# build OUTPUT SOURCE COMMAND...: runs "COMMAND... -o OUTPUT" if OUTPUT is stale; a half-written output never stays.
build() {
    output=$1
    source=$2
    shift 2
    if stale "$output" "$source"; then
        "$@" -o "$output.tmp"
        mv "$output.tmp" "$output"
    fi
}

# c OUTPUT SOURCE FLAGS...
c() {
    output=$1
    source=$2
    shift 2
    # shellcheck disable=SC2086
    build "$out/$output" "$src/$source" "$CC" -std=gnu11 -g -O2 $warnings "$src/$source" -pthread "$@"
}

for name in leak_steady leak_error_path leak_threads leak_realloc leak_inlined wrapper deep_recursion malloc_family \
    warmup_then_plateau fifo_cache sawtooth_batches pool_at_start \
    leak_files leak_streams leak_sockets leak_descriptors leak_timers leak_unjoined leak_children leak_listeners \
    leak_mappings healthy_files healthy_sockets healthy_descriptors healthy_timers healthy_threads healthy_children \
    healthy_listeners healthy_mappings fd_storm fd_signal fd_vfork thread_storm child_storm mmap_storm cut_mappings \
    exit_immediately abort_now close_all_fds tiny_stacks many_threads signal_alloc longjmp_over coroutines fork_storm \
    chaos; do
    c "$name" "$name.c"
done
# It uses a block after a realloc that must fail: that is its subject.
c realloc_exact realloc_exact.c -Wno-use-after-free

# Fortified: open(2) becomes __open_2 where its mode is not given.
c fd_doors fd_doors.c -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
c quiet_peer quiet_peer.c -static

c leak_plugin.so leak_plugin.c -shared -fPIC
c quiet_plugin.so quiet_plugin.c -shared -fPIC
c leak_dlopen leak_dlopen.c

c libearly.so early_library.c -shared -fPIC
c libearly_ifunc.so early_library.c -shared -fPIC -DEARLY_IFUNC
# shellcheck disable=SC2016
origin='-Wl,-rpath,$ORIGIN'
c early_alloc early_alloc.c "-L$out" -learly "$origin"
c early_ifunc early_ifunc.c "-L$out" -learly_ifunc "$origin"

# It calls many libraries.
libraries="-lssl -lcrypto -lcurl -lsqlite3 -lxml2 -lz -ljansson -lgobject-2.0 -lglib-2.0"
# shellcheck disable=SC2046,SC2086
build "$out/leak_apis" "$src/leak_apis.c" "$CC" -std=gnu11 -g -O2 $warnings \
    $(pkg-config --cflags libxml-2.0 gobject-2.0) "$src/leak_apis.c" -pthread $libraries

for name in leak_cpp late_alloc leak_cpp_handles healthy_cpp_handles; do
    # shellcheck disable=SC2086
    build "$out/$name" "$src/$name.cpp" "$CXX" -std=c++17 -g -O2 $warnings "$src/$name.cpp" -pthread
done

# Other allocators: linked (LIBRARY), or with operators of their own.
# allocator SUFFIX LIBRARY FLAGS...
allocator() {
    suffix=$1
    library=$2
    shift 2
    for name in leak_cpp operators; do
        # shellcheck disable=SC2086
        build "$out/${name}_$suffix" "$src/$name.cpp" "$CXX" -std=c++17 -g -O2 $warnings "$@" "$src/$name.cpp" -pthread \
            $library
    done
    # shellcheck disable=SC2086
    build "$out/operators_healthy_$suffix" "$src/operators.cpp" "$CXX" -std=c++17 -g -O2 $warnings -DHEALTHY "$@" \
        "$src/operators.cpp" -pthread $library
}
# shellcheck disable=SC2086
build "$out/librelaying.so" "$src/relaying_operators.cpp" "$CXX" -std=c++17 -g -O2 $warnings -fno-builtin -shared -fPIC \
    "$src/relaying_operators.cpp"
allocator libc ""
allocator jemalloc -ljemalloc
allocator tcmalloc -ltcmalloc_minimal
# Its operators, built as C, end the program instead of throwing.
allocator mimalloc -lmimalloc -DNEVER_THROWS
allocator relaying "-L$out -lrelaying $origin"
c allocx allocx.c -ljemalloc
c cpp_host cpp_host.c
# shellcheck disable=SC2086
build "$out/cpp_plugin.so" "$src/cpp_plugin.cpp" "$CXX" -std=c++17 -g -O2 $warnings -shared -fPIC -static-libstdc++ \
    -static-libgcc "$src/cpp_plugin.cpp"

for name in leak_rust leak_rust_handles healthy_rust_handles; do
    build "$out/$name" "$src/$name.rs" \
        "$RUSTC" --edition 2021 -g -C opt-level=2 --crate-name "$name" "$src/$name.rs"
done

for name in variants leak_python healthy_python; do
    build "$out/$name.py" "$src/$name.py" sh -c 'cp "$0" "$2"' "$src/$name.py"
done

c leak_steady_O1 leak_steady.c -O1
c no_frame_pointers leak_steady.c -fomit-frame-pointer
c frame_pointers leak_steady.c -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer
c leak_steady_nodebug leak_steady.c -O1 -s -Wl,--build-id=none
c leak_steady_static leak_steady.c -static
c leak_sockets_static leak_sockets.c -static
c healthy_sockets_static healthy_sockets.c -static
c healthy_threads_static healthy_threads.c -static

if stale "$out/leak_steady_stripped" "$out/leak_steady"; then
    # Other flags than leak_steady's, so that it has a build-id of its own.
    "$CC" -std=gnu11 -g -O2 -fno-inline "$src/leak_steady.c" -Wl,--build-id=sha1 -o "$out/whole.tmp"
    id=$(readelf -n "$out/whole.tmp" | sed -n 's/.*Build ID: //p')
    rest=${id#??}
    directory=$out/debug/.build-id/${id%"$rest"}
    rm -rf "$out/debug"
    mkdir -p "$directory"
    objcopy --only-keep-debug "$out/whole.tmp" "$directory/$rest.debug"
    strip -o "$out/stripped.tmp" "$out/whole.tmp"
    rm "$out/whole.tmp"
    mv "$out/stripped.tmp" "$out/leak_steady_stripped"
fi
