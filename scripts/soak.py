#!/usr/bin/env python3
"""Healthy services under watch and under load: nothing may be found at any moment.

nginx (kept connections, then a connection per request), PostgreSQL under pgbench (with reconnects), redis with clients that
come and go, a Python http server with a thread per request, and the sqlite3 shell. Each runs for --seconds under `memguard
run`; its report is read again and again, and a finding of --confidence or more at any moment is a failure. The load shifts: it
comes in --waves waves, and every turn differs from the last in clients, sizes and how connections are kept. With --together all
services run at once, so that an hour of each takes an hour; each is then loaded for a part of the time only. Everything talks to
127.0.0.1 and is ended by its own pid. Ends with 0 if nothing was found, 1 if something was, 2 if something is missing.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import math
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
POLL_S = 0.5
# The share of the time in which there is load, at the bottom and at the top of a wave.
LOADED_ALONE = (0.2, 1.0)
LOADED_TOGETHER = (0.02, 0.3)


class SoakError(Exception):
    """Something is missing or failed; the message is one line and says what to do."""


def need(tool: str, package: str) -> str:
    places = "/usr/sbin:/usr/local/sbin:" + ":".join(sorted(map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin"))))
    path = shutil.which(tool) or shutil.which(tool, path=places)
    if path is None:
        raise SoakError(f"{tool} is missing; run scripts/install-deps.sh (Debian package {package})")
    return path


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(process: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SoakError(f"the service does not listen on port {port}")


class Service:
    """One service: its command, and the load, which is started again until the time is over. A service without a port is up at
    once, and ends when what it reads (`source`, a descriptor) is closed."""

    def __init__(self, name: str, command: list[str], port: int | None, load: Callable[[int, int], list[str]],
                 user: str | None = None, source: int | None = None):
        self.name, self.command, self.port, self.load, self.user, self.source = name, command, port, load, user, source


def nginx(scratch: pathlib.Path, kept: bool) -> Service:
    port = free_port()
    (scratch / "index.html").write_text("<title>small</title>\n" + "a paragraph\n" * 50)
    user = "user root;\n" if os.geteuid() == 0 else ""
    temporary = "".join(f"    {kind}_temp_path {scratch}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (scratch / "nginx.conf").write_text(
        f"{user}daemon off;\nworker_processes 2;\npid {scratch}/nginx.pid;\nerror_log stderr crit;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\n    access_log {scratch}/access.log;\n    open_file_cache max=100;\n"
        f"{temporary}    keepalive_timeout 5;\n    default_type text/html;\n"
        f"    server {{ listen 127.0.0.1:{port}; root {scratch}; }}\n}}\n"
    )
    command = [need("nginx", "nginx"), "-p", str(scratch), "-e", "stderr", "-c", str(scratch / "nginx.conf")]
    wrk = need("wrk", "wrk")
    header = [] if kept else ["-H", "Connection: close"]

    def load(turn: int, seconds: int) -> list[str]:
        return [wrk, "-t", "1", "-c", str(4 << turn % 4), "-d", f"{seconds}s", *header, f"http://127.0.0.1:{port}/index.html"]

    return Service("nginx, kept connections" if kept else "nginx, connection per request", command, port, load)


def redis(scratch: pathlib.Path) -> Service:
    port = free_port()
    command = [need("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(scratch)]
    benchmark = need("redis-benchmark", "redis-tools")

    def load(turn: int, seconds: int) -> list[str]:
        # -k 0: a connection for each request.
        kept = ["-k", "0", "-n", "5000"] if turn % 2 else ["-n", str(seconds * 50000), "-P", "8"]
        size = ["-d", str((3, 64, 700, 200)[turn % 4]), "-c", str((20, 5, 50, 10)[turn % 4])]
        return [benchmark, "-h", "127.0.0.1", "-p", str(port), "-t", "set,get,lpush,lpop", "-r", "20000", "-q", *size, *kept]

    return Service("redis, clients come and go", command, port, load)


def postgres(scratch: pathlib.Path) -> Service:
    port = free_port()
    user = "postgres" if os.geteuid() == 0 else None
    data = scratch / "data"
    if user:
        entry = pwd.getpwnam(user)
        os.chown(scratch, entry.pw_uid, entry.pw_gid)
    as_user = ["runuser", "-u", user, "--"] if user else []
    initdb = [*as_user, need("initdb", "postgresql"), "-D", str(data), "-A", "trust", "--no-sync"]
    if subprocess.run(initdb, capture_output=True, check=False).returncode != 0:
        raise SoakError("initdb failed; is PostgreSQL installed as Debian does it?")
    command = [need("postgres", "postgresql"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
               "-c", f"unix_socket_directories={scratch}", "-c", "fsync=off"]
    pgbench = need("pgbench", "postgresql")
    client = ["-h", "127.0.0.1", "-p", str(port), "-U", user or pwd.getpwuid(os.getuid()).pw_name, "postgres"]
    state = {"made": False}

    def load(turn: int, seconds: int) -> list[str]:
        if not state["made"]:
            state["made"] = True
            return [pgbench, "-i", "-q", "-s", "2", *client]
        # -C: a connection for each transaction.
        return [pgbench, "-n", "-c", str((4, 1, 8)[turn % 3]), "-T", str(seconds), *(["-C"] if turn % 2 else []), *client]

    return Service("PostgreSQL, pgbench", command, port, load, user)


PYTHON_SERVER = """
import http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet).serve_forever()
"""


def python(scratch: pathlib.Path) -> Service:
    port = free_port()
    (scratch / "index.html").write_text("<title>small</title>\n" + "a paragraph\n" * 50)
    command = ["/usr/bin/env", "-C", str(scratch), "/usr/bin/python3", "-c", PYTHON_SERVER, str(port)]
    wrk = need("wrk", "wrk")

    def load(turn: int, seconds: int) -> list[str]:
        header = ["-H", "Connection: close"] if turn % 2 else []
        return [wrk, "-t", "1", "-c", str((8, 2, 24)[turn % 3]), "-d", f"{seconds}s", *header, f"http://127.0.0.1:{port}/index.html"]

    return Service("Python, a thread per request", command, port, load)


# Writes statements into the shell's pipe for some seconds; rows come and go, so that the file keeps its size.
SQL_WRITER = """
import sys, time
path, turn, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end = time.monotonic() + seconds
with open(path, "w") as pipe:
    number = 0
    while time.monotonic() < end:
        number += 1
        size = (20, 200, 2000)[(turn + number) % 3]
        pipe.write(f"INSERT INTO kept(a, b) VALUES(hex(randomblob({size})), {number});\\n")
        pipe.write("DELETE FROM kept WHERE id < (SELECT max(id) - 2000 FROM kept);\\n")
        if number % 20 == turn % 20:
            pipe.write("SELECT count(*), sum(b), max(length(a)) FROM kept WHERE a LIKE 'A%';\\n")
            pipe.write("CREATE TEMP TABLE passing AS SELECT a FROM kept ORDER BY a LIMIT 500; DROP TABLE passing;\\n")
"""


def sqlite(scratch: pathlib.Path) -> Service:
    pipe = scratch / "statements"
    os.mkfifo(pipe)
    # Held open for reading and writing, so that the shell never sees the end between two turns.
    source = os.open(pipe, os.O_RDWR)
    os.write(source, b"PRAGMA journal_mode=WAL; CREATE TABLE kept(id INTEGER PRIMARY KEY, a TEXT, b INTEGER); CREATE INDEX by_a ON kept(a);\n")
    command = [need("sqlite3", "sqlite3"), str(scratch / "data.db"), f".read {pipe}"]

    def load(turn: int, seconds: int) -> list[str]:
        return [sys.executable, "-c", SQL_WRITER, str(pipe), str(turn), str(seconds)]

    return Service("sqlite3, rows come and go", command, None, load, source=source)


SERVICES: dict[str, Callable[[pathlib.Path], Service]] = {
    "nginx": lambda scratch: nginx(scratch, True),
    "nginx-close": lambda scratch: nginx(scratch, False),
    "postgres": postgres,
    "redis": redis,
    "python": python,
    "sqlite": sqlite,
}


def reports(sessions: pathlib.Path) -> Iterator[dict]:
    for file in sessions.glob("*/report.json"):
        with contextlib.suppress(OSError, ValueError):
            yield json.loads(file.read_text())


def soak(make: Callable[[pathlib.Path], Service], options: argparse.Namespace) -> dict:
    with tempfile.TemporaryDirectory(prefix="memguard-soak-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        service = make(scratch)
        sessions = scratch / "sessions"
        sessions.mkdir(mode=0o700)
        command = [str(options.memguard), "run", "--quiet", *(["--aggressive"] if options.aggressive else []), "--", *service.command]
        environment = {**os.environ, "MEMGUARD_DIR": str(sessions)}
        other = {}
        if service.user:
            entry = pwd.getpwnam(service.user)
            os.chown(sessions, entry.pw_uid, entry.pw_gid)
            other = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}
        log = open(scratch / "log", "wb")
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **other
        )
        found: dict[str, str] = {}
        last: dict = {}
        loads = failed = 0
        try:
            if service.port is not None:
                wait_for_port(process, service.port)
            began = time.monotonic()
            end = began + options.seconds
            while time.monotonic() < end and process.poll() is None:
                seconds = 4 + loads % 2
                command = service.load(loads, seconds)
                started = time.monotonic()
                load = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                over = started
                while load.poll() is None or time.monotonic() < min(over, end):
                    time.sleep(POLL_S)
                    if load.poll() is None:
                        busy = time.monotonic() - started
                        over = time.monotonic() + busy * (1 / loaded(time.monotonic() - began, options) - 1)
                    for report in reports(sessions):
                        last = report
                        note(report, options.confidence, found)
                loads, failed = loads + 1, failed + (load.returncode != 0)
        finally:
            if service.source is not None:
                os.close(service.source)
            else:
                # PostgreSQL's SIGTERM waits for its clients, SIGINT does not.
                process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
        for report in reports(sessions):
            last = report
            note(report, options.confidence, found)
        if not last.get("processes"):
            said = (scratch / "log").read_text(errors="replace").strip().splitlines()
            raise SoakError(f"{service.name} was not watched: {said[-1] if said else 'no message'}")
        overhead = last["overhead"]
        return {
            "service": service.name, "loads": loads, "failed": failed, "found": found, "processes": len(last["processes"]),
            "descriptors": max((p["descriptors"]["peak"] for p in last["processes"]), default=0),
            "hooks": overhead["hook_cpu_percent"], "collector": overhead["collector_cpu_percent"],
        }


def loaded(at_s: float, options: argparse.Namespace) -> float:
    """The share of the time that is loaded at this moment of a wave."""
    low, high = LOADED_TOGETHER if options.together else LOADED_ALONE
    return low + (high - low) * (1 - math.cos(2 * math.pi * options.waves * at_s / options.seconds)) / 2


def note(report: dict, confidence: float, found: dict[str, str]) -> None:
    for finding in report["findings"]:
        if finding["confidence"] >= confidence:
            key = f"{finding['kind']} {finding['location']}"
            found[key] = f"{finding['confidence']:.2f} {finding['detail']}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", type=pathlib.Path, default=ROOT / "target/release/memguard", metavar="PATH")
    parser.add_argument("--seconds", type=int, default=600, metavar="N", help="load on each service (default 600)")
    parser.add_argument("--waves", type=float, default=4, metavar="N", help="waves of load in that time (default 4)")
    parser.add_argument("--together", action="store_true", help="all services at once")
    parser.add_argument("--aggressive", action="store_true")
    parser.add_argument("--confidence", type=float, default=0.5, metavar="C")
    parser.add_argument("--only", action="append", choices=sorted(SERVICES), metavar="NAME", help=f"of {', '.join(SERVICES)}")
    options = parser.parse_args()
    options.memguard = options.memguard.resolve()
    if not options.memguard.exists():
        raise SoakError(f"{options.memguard} is missing; run make build, or say --memguard PATH")
    print("| service | processes | loads | failed | descriptors at most | hooks, CPU % | collector, CPU % | found at any moment |")
    print("|---|---|---|---|---|---|---|---|")
    bad = 0
    names = options.only or list(SERVICES)
    with concurrent.futures.ThreadPoolExecutor(len(names) if options.together else 1) as together:
        for row in together.map(lambda name: soak(SERVICES[name], options), names):
            bad += bool(row["found"]) + bool(row["failed"])
            found = "; ".join(f"{key}: {value}" for key, value in row["found"].items()) or "nothing"
            cells = [row["service"], row["processes"], row["loads"], row["failed"], row["descriptors"], row["hooks"], row["collector"], found]
            print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SoakError as error:
        print(f"soak.py: {error}", file=sys.stderr)
        sys.exit(2)
