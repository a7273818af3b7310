# What the workloads share; sourced by them, after `set -eu`. A workload runs a real, healthy program under the command
# prefix it is given (none: plainly) for about WORKLOAD_SECONDS (default 10), prints what the program itself answers, the
# same on every run, on stdout, and everything else on stderr. It ends with the program's status; whatever it started is
# ended by pid. Status 97: the workload itself could not do its work.
# shellcheck shell=sh

seconds=${WORKLOAD_SECONDS:-10}
case $seconds in
'' | *[!0-9]* | 0)
    echo "$0: WORKLOAD_SECONDS must be a whole number of at least 1, not '$seconds'" >&2
    exit 2
    ;;
esac

server=
scratch=$(mktemp -d "${TMPDIR:-/tmp}/memguard-workload-XXXXXX")
chmod 755 "$scratch"

fail() {
    echo "$0: $*" >&2
    exit 97
}

# need TOOL: ends the workload if it is not installed.
need() {
    command -v "$1" >/dev/null 2>&1 || fail "$1 is missing; run scripts/install-deps.sh"
}

# descendants PID: the pid and those of all its descendants, children last.
descendants() {
    echo "$1"
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
        descendants "$child"
    done
}

# kill_server: ends the server and its descendants by pid.
kill_server() {
    for pid in $(descendants "$server"); do
        kill -KILL "$pid" 2>/dev/null || true
    done
}

# shellcheck disable=SC2329
clean_up() {
    if [ -n "$server" ] && kill -TERM "$server" 2>/dev/null; then
        sleep 1
        kill_server
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for_port PORT: until something listens there, the server has ended, or 20 seconds are over.
wait_for_port() {
    python3 - "$1" "$server" <<'PYTHON' || fail "the server does not listen: $(tail -n 1 "$scratch/log" 2>/dev/null)"
import os, socket, sys, time
end = time.monotonic() + 20
while time.monotonic() < end and os.path.exists(f"/proc/{sys.argv[2]}"):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.02)
sys.exit(1)
PYTHON
}

# stop_server: SIGTERM, and after 20 seconds SIGKILL; leaves the server's status in $status.
stop_server() {
    kill -TERM "$server" 2>/dev/null || true
    (
        waited=0
        while [ "$waited" -lt 200 ] && kill -0 "$server" 2>/dev/null; do
            sleep 0.1
            waited=$((waited + 1))
        done
        if [ "$waited" -eq 200 ]; then
            echo "$0: the server did not end within 20 seconds of SIGTERM" >&2
            kill_server
        fi
    ) &
    watchdog=$!
    status=0
    wait "$server" || status=$?
    server=
    wait "$watchdog" || true
}
