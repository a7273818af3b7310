#!/usr/bin/env python3
"""What the collector costs with many watched processes: its CPU time and memory with 1, 10 and 200 workers under one session.

    processes.py [--memguard PATH] [--seconds N] [--counts 1,10,200] [--aggressive]

The workers (tests/tests/programs/family.c) allocate a hundred times a second, and are watched from their second second on.
CPU time is that of `memguard run` alone, from its start on: a look that was dear (200 segments to open) is followed by a
rest a hundred times as long. Memory is its anonymous part at the end.
Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
SPARE_S = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", default=str(ROOT / "target/release/memguard"))
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--counts", default="1,10,200")
    parser.add_argument("--aggressive", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "family"
        source = ROOT / "tests/tests/programs/family.c"
        subprocess.run(["gcc", "-O1", "-o", program, source], check=True)
        print("processes  watched  collector CPU, % of a core  per process  collector memory, MiB  segments resident, MiB")
        for count in (int(word) for word in asked.counts.split(",")):
            row = measure(asked, program, count, pathlib.Path(folder) / f"sessions-{count}")
            print(
                f"{count:9}  {row['watched']:7}  {row['cpu_percent']:26.2f}  {row['cpu_percent'] / count:11.3f}"
                f"  {row['memory_mb']:21.1f}  {row['segments_mb']:23.1f}"
            )


def measure(asked: argparse.Namespace, program: pathlib.Path, count: int, sessions: pathlib.Path) -> dict:
    mode = ["--aggressive"] if asked.aggressive else []
    command = [asked.memguard, "run", "--quiet", "--dir", sessions, *mode, "--", program, "workers", str(count), str(asked.seconds)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        began = time.monotonic()
        while True:
            time.sleep(1)
            cpu, memory = cpu_s(running.pid), anonymous_mb(running.pid)
            elapsed = time.monotonic() - began
            if elapsed > asked.seconds - SPARE_S:
                break
        running.wait()
        if running.returncode != 0:
            raise SystemExit(f"processes.py: the workers ended with {running.returncode}")
    report = json.loads(next(sessions.glob("*/report.json")).read_text())
    share = 100 * cpu / elapsed
    return {
        "watched": len(report["processes"]),
        "cpu_percent": share,
        "memory_mb": memory,
        "segments_mb": report["overhead"]["memory_mb"] - memory,
        "report": report,
    }


def cpu_s(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def anonymous_mb(pid: int) -> float:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
