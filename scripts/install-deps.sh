#!/bin/sh
# Installs what building, testing, benchmarking and the demo need on Debian, and only what is missing.
#
# If nothing is missing, apt is not called and no network is needed. Services that packages bring along (redis, nginx,
# PostgreSQL) are kept from starting while they are installed. Ends with 0 if everything is there, else with one line that
# says what to do.
#   install-deps.sh           install what is missing
#   install-deps.sh --check   only say what is missing
#   install-deps.sh --peers   also the tools that `make bench` compares with, and what draws its chart
set -eu

packages="gcc g++ libc6-dev libc6-dbg make git ca-certificates binutils python3 redis-server redis-tools nginx wrk sqlite3
postgresql stress-ng valgrind gdb perl ruby nodejs openjdk-17-jdk-headless python3.11 libpython3.11-testsuite
libjemalloc-dev libgoogle-perftools-dev libmimalloc-dev musl-tools libcap2-bin procps pkg-config libssl-dev
libcurl4-openssl-dev libsqlite3-dev libxml2-dev zlib1g-dev libjansson-dev libglib2.0-dev"
# The benchmark goes without those that are missing.
peers="heaptrack libjemalloc2 libgoogle-perftools4 libtcmalloc-minimal4 libmimalloc2.0 liblsan0 bpfcc-tools python3-venv
python3-matplotlib"

fail() {
    echo "install-deps.sh: $*" >&2
    exit 1
}

case ${1-} in
'' | --check) ;;
--peers) packages="$packages $peers" ;;
*) fail "unknown argument $1 (usage: install-deps.sh [--check | --peers])" ;;
esac

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

command -v dpkg-query >/dev/null 2>&1 || fail "this is not Debian or a relative of it; install by other means: $packages"

missing=
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
missing=${missing# }

if [ -n "$missing" ] && [ "${1-}" = --check ]; then
    fail "missing: $missing"
fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        fail "needs root to install; run as root: apt-get install $missing"
    fi

    # While packages are being configured, policy-rc.d answers 101, "do not start anything"; afterwards what was there
    # before is put back.
    policy=/usr/sbin/policy-rc.d
    saved=
    placed=
    restore() {
        if [ -n "$saved" ]; then
            $as_root mv -f "$saved" "$policy"
        elif [ -n "$placed" ]; then
            $as_root rm -f "$policy"
        fi
        saved=
        placed=
    }
    trap restore EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ -e "$policy.before-memguard" ]; then
        saved=$policy.before-memguard # left by a run that was killed
    elif [ -e "$policy" ] || [ -L "$policy" ]; then
        $as_root mv "$policy" "$policy.before-memguard"
        saved=$policy.before-memguard
    fi
    placed=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"

    log=$(mktemp)
    apt() {
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1
    }
    echo "install-deps.sh: installing $missing" >&2
    # The lists may be old or absent: the first failure is a reason to refresh them, the second is final.
    # shellcheck disable=SC2086
    if ! apt install --no-install-recommends $missing; then
        # shellcheck disable=SC2086
        if ! { apt update && apt install --no-install-recommends $missing; }; then
            reason=$(grep -m 1 '^E:' "$log" || tail -n 1 "$log")
            rm -f "$log"
            restore
            fail "apt-get could not install: $missing ($reason)"
        fi
    fi
    rm -f "$log"
    restore
fi

if ! command -v cargo >/dev/null 2>&1 && ! [ -x "${CARGO_HOME:-${HOME:-/nonexistent}/.cargo}/bin/cargo" ]; then
    fail "cargo is missing; install Rust with rustup (see the Rust project's page \"Install Rust\"), then run this again"
fi
