#!/usr/bin/env python3
"""What a long watch costs: memory and disk of the collector over time, and whether they are flat.

One `memguard run` watches a tree: redis, nginx with two workers, and a shell that starts a short-lived child again and again,
each of which lives long enough to be watched. Redis and nginx answer --rate requests a second each, over connections that come
and go. Every --every seconds are read: resident and anonymous memory of the collector, its descriptors, number, size and
resident bytes of the segments, disk use of the session. The first --warm-up of the time is left out; over the rest a line is
fitted to each series, and a series is flat when the line rises by less than --flat of its level, or by less than a floor of its
own. Writes --output (JSON) and a table. Everything talks to 127.0.0.1 and is ended by its own pid. Ends with 0 if everything
is flat, 1 if something grows, 2 if something is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import Callable

import results
from soak import ROOT, SoakError, free_port, need, nginx, wait_for_port

# A child that lives for longer than a second and then starts further ones, so that it is watched.
CHILD = "sleep 1.2; i=0; while [ $i -lt 20 ]; do x=$(echo $i); i=$((i + 1)); done"

# Growth below this is noise: pages that are touched for the first time, tables of the collector that double once more.
FLOORS = {
    "collector_rss_bytes": 1 << 20,
    "collector_anonymous_bytes": 1 << 20,
    "collector_descriptors": 3,
    "segments": 3,
    # A segment comes and goes with each child.
    "segment_bytes": 11 << 20,
    "segment_resident_bytes": 11 << 20,
    "session_disk_bytes": 11 << 20,
}


class Load(threading.Thread):
    """Requests at a steady rate, a new connection for every hundred of them."""

    def __init__(self, rate: float, port: int, request: Callable[[int], bytes], complete: Callable[[bytes], bool]):
        super().__init__(daemon=True)
        self.rate, self.port, self.request, self.complete = rate, port, request, complete
        self.done = self.failed = 0
        self.over = threading.Event()

    def run(self) -> None:
        number = 0
        due = time.monotonic()
        while not self.over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
                    for _ in range(100):
                        due = max(due + 1 / self.rate, time.monotonic() - 1)
                        if self.over.wait(max(0.0, due - time.monotonic())):
                            return
                        number += 1
                        link.sendall(self.request(number))
                        answer = b""
                        while not self.complete(answer):
                            part = link.recv(65536)
                            if not part:
                                raise OSError("closed")
                            answer += part
                        self.done += 1
            except OSError:
                self.failed += 1
                self.over.wait(0.1)


def redis_request(number: int) -> bytes:
    key = f"key:{number % 5000}"
    words = [["SET", key, "v" * (number % 700)], ["GET", key], ["LPUSH", "list", key], ["RPOP", "list"]][number % 4]
    return f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words)


def redis_complete(answer: bytes) -> bool:
    if not answer.endswith(b"\r\n"):
        return False
    if answer[:1] != b"$" or answer.startswith(b"$-1"):
        return True
    head, _, body = answer.partition(b"\r\n")
    return len(body) == int(head[1:]) + 2


def http_complete(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return len(body) >= length


def sample(pid: int, sessions: pathlib.Path) -> dict[str, int]:
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    files = [file for file in sessions.glob("*/*") if file.is_file()]
    segments = [file for file in files if file.name.endswith(".segment")]
    row = {
        "collector_rss_bytes": int(status["VmRSS"].split()[0]) << 10,
        "collector_anonymous_bytes": int(status["RssAnon"].split()[0]) << 10,
        "collector_descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "collector_cpu_ms": (int(stat[11]) + int(stat[12])) * 1000 // os.sysconf("SC_CLK_TCK"),
        "segments": len(segments),
    }
    sizes = []
    for file in files:
        # One that has just been removed holds nothing.
        with contextlib.suppress(OSError):
            sizes.append((file, file.stat()))
    row["segment_bytes"] = sum(stat.st_size for file, stat in sizes if file in segments)
    row["session_disk_bytes"] = sum(stat.st_blocks * 512 for _, stat in sizes)
    resident = subprocess.run(
        [need("fincore", "util-linux"), "-b", "-n", "-o", "RES", *map(str, segments)], capture_output=True, text=True, check=False
    )
    row["segment_resident_bytes"] = sum(int(line) for line in resident.stdout.split())
    return row


def slope(times: list[float], values: list[float]) -> float:
    """The slope of the line of least squares."""
    mid_time, mid_value = sum(times) / len(times), sum(values) / len(values)
    over = sum((time - mid_time) * (value - mid_value) for time, value in zip(times, values))
    return over / max(sum((time - mid_time) ** 2 for time in times), 1e-9)


def judge(rows: list[dict], options: argparse.Namespace) -> dict[str, dict]:
    kept = [row for row in rows if row["at_s"] >= options.warm_up * options.seconds]
    if len(kept) < 3:
        raise SoakError("too few samples to tell; let it run for longer (--seconds) or sample more often (--every)")
    times = [row["at_s"] for row in kept]
    verdicts = {}
    for name, floor in FLOORS.items():
        values = [float(row[name]) for row in kept]
        grown = slope(times, values) * (times[-1] - times[0])
        level = sum(values) / len(values)
        verdicts[name] = {
            "first": values[0], "last": values[-1], "peak": max(values), "rise": round(grown), "flat": grown < max(floor, options.flat * level),
        }
    return verdicts


def run(options: argparse.Namespace) -> dict:
    with tempfile.TemporaryDirectory(prefix="memguard-longrun-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        sessions = scratch / "sessions"
        sessions.mkdir(mode=0o700)
        web = nginx(scratch, True)
        store_port = free_port()
        store = [need("redis-server", "redis-server"), "--port", str(store_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(scratch)]
        pause = f"sleep {60 / options.children - 1.2:.2f}" if options.children < 45 else ":"
        tree = f"{shlex.join(store)} & a=$!\n{shlex.join(web.command)} & b=$!\n" \
               "trap 'kill $a $b; wait $a $b; exit 0' INT TERM\n" \
               f"while :; do sh -c {shlex.quote(CHILD)}; {pause}; done\n"
        command = [str(options.memguard), "run", "--quiet", "--", "/bin/sh", "-c", tree]
        log = open(scratch / "log", "wb")
        process = subprocess.Popen(
            command, env={**os.environ, "MEMGUARD_DIR": str(sessions)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        rows: list[dict] = []
        loads = [
            Load(options.rate, store_port, redis_request, redis_complete),
            Load(options.rate, web.port, lambda _: b"GET /index.html HTTP/1.1\r\nHost: here\r\n\r\n", http_complete),
        ]
        try:
            wait_for_port(process, store_port)
            wait_for_port(process, web.port)
            for load in loads:
                load.start()
            began = time.monotonic()
            while process.poll() is None and time.monotonic() < began + options.seconds:
                time.sleep(max(0.0, began + options.every * (len(rows) + 1) - time.monotonic()))
                try:
                    row = sample(process.pid, sessions)
                except (KeyError, OSError):
                    # It has ended, and is waited for by nobody but us.
                    break
                rows.append({"at_s": round(time.monotonic() - began, 1), **row})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        finally:
            for load in loads:
                load.over.set()
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
        if rows and rows[-1]["at_s"] < options.seconds - options.every:
            said = (scratch / "log").read_text(errors="replace").strip().splitlines()
            raise SoakError(f"it ended after {rows[-1]['at_s']:.0f} s with {process.returncode}: {said[-1] if said else 'no message'}")
        files = list(sessions.glob("*/report.json"))
        if not files:
            raise SoakError(f"nothing was watched: {(scratch / 'log').read_text(errors='replace').strip()[-300:]}")
        report = json.loads(files[0].read_text())
        found = [f"{f['kind']} {f['location']} {f['confidence']:.2f}" for f in report["findings"] if f["confidence"] >= 0.5]
        return {
            "seconds": options.seconds, "rate": options.rate, "requests": sum(load.done for load in loads),
            "requests_failed": sum(load.failed for load in loads), "found": found, "overhead": report["overhead"],
            "processes_in_report": len(report["processes"]), "series": judge(rows, options), "samples": rows,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", type=pathlib.Path, default=ROOT / "target/release/memguard", metavar="PATH")
    parser.add_argument("--seconds", type=float, default=3600, metavar="N", help="length of the run (default 3600)")
    parser.add_argument("--every", type=float, default=60, metavar="N", help="seconds between two samples (default 60)")
    parser.add_argument("--rate", type=float, default=200, metavar="N", help="requests a second to each service (default 200)")
    parser.add_argument("--children", type=float, default=20, metavar="N", help="short-lived children a minute (default 20)")
    parser.add_argument("--warm-up", type=float, default=1 / 3, metavar="SHARE", help="share of the time that is left out (default 0.33)")
    parser.add_argument("--flat", type=float, default=0.03, metavar="SHARE", help="rise that still counts as flat (default 0.03)")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("longrun.json"), metavar="FILE")
    options = parser.parse_args()
    options.memguard = options.memguard.resolve()
    if not options.memguard.exists():
        raise SoakError(f"{options.memguard} is missing; run make build, or say --memguard PATH")
    result = run(options)
    results.keep(result, options.output)
    print("| series | after warm-up | at the end | peak | rise of the line | |\n|---|---|---|---|---|---|")
    for name, series in result["series"].items():
        print(f"| {name} | {series['first']:.0f} | {series['last']:.0f} | {series['peak']:.0f} | {series['rise']} | {'flat' if series['flat'] else 'GROWS'} |")
    print(f"{result['requests']} requests, {result['requests_failed']} failed; found: {'; '.join(result['found']) or 'nothing'}; {options.output}")
    return 0 if all(series["flat"] for series in result["series"].values()) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SoakError as error:
        print(f"longrun.py: {error}", file=sys.stderr)
        sys.exit(2)
