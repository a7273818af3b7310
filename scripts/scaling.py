#!/usr/bin/env python3
"""How the cost grows with the size of the work, and what happens at the limit of each table.

    scaling.py [--memguard PATH] [--only AXIS] [--output FILE] [--docs FILE]

One axis at a time (threads, contention, heap, descriptors, processes, sites, depth) benches/programs/scale.c does its work at
growing sizes: in pairs of short runs, plain, under guard and under audit mode, in a changing order; then once more in each, held
for some seconds, while memory, segment and the collector's CPU are read. `limits` drives each table over its capacity, and
compares what the program said with what it says when it runs plain. The JSON is written after each point. --docs renders
docs/scaling.md and docs/scaling.svg from such a file and measures nothing. Some nine minutes. Ends with 0, or with 1 if a
limit was noticed, led to a finding or went unreported, or with 2 if something is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import math
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable

import processes
import results
from soak import ROOT, SoakError, need

DOCS = ROOT / "docs" / "scaling.md"
SCHEMA = "memguard.scaling/1"
PLOT = ROOT / "docs" / "scaling.svg"
MODES = {"plain": [], "guard": ["run", "--quiet"], "audit": ["run", "--quiet", "--aggressive"]}
RUN_S_MAX = 180


@dataclasses.dataclass(frozen=True)
class Axis:
    """One way to grow. `words` gives the program's arguments at a size."""

    name: str
    size: str
    sizes: tuple[int, ...]
    operations: int
    operation: str
    made_of: str
    program: str = "scale"
    modes: tuple[str, ...] = ("plain", "guard", "audit")


AXES = (
    Axis("threads", "threads", (1, 2, 4, 8), 300_000, "malloc+free", "each thread replaces 256 blocks of its own, of 16 to 1,023 bytes"),
    Axis("contention", "threads", (1, 2, 4, 8), 150_000, "malloc+free", "all threads replace each other's blocks in 1,024 shared places"),
    Axis(
        "heap", "MiB", (100, 400, 1600, 6400, 16000), 60_000, "malloc+free",
        "blocks of 16 to 112 KiB, 16 of them a MiB, the first page of each touched; some are replaced",
    ),
    Axis(
        "descriptors", "descriptors", (10, 100, 1000, 10_000, 100_000), 30_000, "open+close",
        "a quarter each files, event counters, and both ends of socket pairs are held; another is opened and closed",
    ),
    Axis("sites", "places", (10, 100, 1000, 10_000, 50_000), 300_000, "malloc+free", "so many functions take turns to allocate", "sites"),
    Axis("depth", "frames", (10, 50, 100, 200, 400), 100_000, "malloc+free", "blocks allocated so many calls deep, along 64 ways"),
)
PROCESS_COUNTS = (1, 10, 50, 200)
WORKS = {"contention": "threads-contended"}


@dataclasses.dataclass(frozen=True)
class Limit:
    """A table, the work that overflows it, and the causes under which the report counts that."""

    table: str
    capacity: str
    mode: str
    work: tuple[str, ...]
    causes: tuple[str, ...]
    program: str = "scale"
    shell: str = ""


LIMITS = (
    Limit("ring", "65,536 events a look", "audit", ("blocks", "300000", "2"), ("ring_full",)),
    Limit("live table", "1,572,864 live objects", "audit", ("blocks", "2200000", "2"), ("live_table_full",)),
    Limit("stack table", "65,536 stacks", "audit", ("paths", "40", "200000"), ("stack_table_full",)),
    Limit("frame arena", "1,048,576 frames", "audit", ("paths", "200", "30000"), ("frame_arena_full",)),
    Limit("frames of one stack", "256", "audit", ("depth", "600", "50000"), ("stack_truncated",)),
    Limit("libraries loaded later, at once", "256", "audit", ("modules", "400", "1000"), ("stack_incomplete",)),
    Limit("module table", "512 since the start", "audit", ("reloads", "650", "1000"), ("module_table_full", "stack_incomplete")),
    Limit("unwinders", "8 at once", "audit", ("walkers", "64", "3000"), ("unwinder_busy",)),
    Limit("object table", "24,576 objects", "guard", ("mappings", "40000", "2"), ("object_table_full",)),
    Limit("descriptor table", "65,536 numbers", "guard", ("descriptors", "70000", "100"), ("descriptor_table_full",)),
    Limit("sites followed", "8,192 of a process", "audit", ("sites", "50000", "200000"), ("sites_without_room",), "sites"),
    Limit("processes in the report", "101 without a finding", "audit", ("children", "150", "1"), (), shell="children"),
    Limit("size of a file (ulimit -f)", "as configured", "audit", ("blocks", "1000", "1"), (), shell="ulimit -f 1000; exec"),
)


# ---- Building ---------------------------------------------------------------------------------------------------------


def build(scratch: pathlib.Path) -> None:
    """The programs, and the libraries that `modules` loads."""
    flags = ["gcc", "-O1", "-I", str(ROOT / "benches/programs")]
    source = ROOT / "benches/programs/scale.c"
    made = [([*flags, "-o", scratch / "scale", source, "-pthread", "-ldl"])]
    made.append([*flags, "-o", scratch / "sites", ROOT / "benches/programs/sites.c"])
    (scratch / "module.c").write_text(
        "#include <stdlib.h>\nunsigned char *make(size_t b) { unsigned char *p = malloc(b); if (p) *p = 7; return p; }\n"
    )
    (scratch / "modules").mkdir()
    made.append(["gcc", "-O1", "-shared", "-fPIC", "-o", scratch / "modules/lib0.so", scratch / "module.c"])
    for command in made:
        ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise SoakError(f"a program cannot be built: {ended.stderr.strip().splitlines()[-1]}")
    for number in range(1, 700):
        shutil.copyfile(scratch / "modules/lib0.so", scratch / f"modules/lib{number}.so")


# ---- Running ----------------------------------------------------------------------------------------------------------


def status_kb(pid: int) -> dict[str, int]:
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "Rss"))}


def cpu_s(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)


def program_pid(pid: int, program: pathlib.Path) -> int:
    """`pid` itself, or the descendant that runs the program."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{one}/exe") == str(program):
                return one
            found += map(int, pathlib.Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return pid


class Runner:
    """Runs the programs under one mode or another."""

    def __init__(self, memguard: pathlib.Path, scratch: pathlib.Path):
        self.memguard, self.scratch, self.number = memguard, scratch, 0

    def run(self, mode: str, words: list[str], program: str = "scale", hold_s: float = 0.0, shell: str = "") -> dict:
        """One run; with `hold_s` what can be read while the program holds what it has."""
        self.number += 1
        path = self.scratch / program
        sessions = self.scratch / f"sessions-{self.number}"
        command = [str(path), *words]
        if shell:
            command = ["/bin/sh", "-c", f'{shell} "$0" "$@"', *command]
        if MODES[mode]:
            command = [str(self.memguard), MODES[mode][0], "--dir", str(sessions), *MODES[mode][1:], "--", *command]
            if shell:
                command.remove("--quiet")
        environment = {**os.environ, "SCALE_MODULES": str(self.scratch / "modules")}
        said = open(self.scratch / "stderr", "w+b")
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)
        # A run that hangs is ended, and its output is then incomplete.
        row: dict = {}
        try:
            first = process.stdout.readline()
            if hold_s and first:
                row.update(self.held(mode, process.pid, path, sessions, hold_s))
            rest, _ = process.communicate(timeout=RUN_S_MAX)
        except subprocess.TimeoutExpired:
            for pid in reversed(children(process.pid)):
                with contextlib.suppress(OSError):
                    os.kill(pid, 9)
            process.wait()
            raise SoakError(f"{' '.join(words)} under {mode} did not end within {RUN_S_MAX} s") from None
        said.seek(0)
        errors = said.read().decode(errors="replace").strip()
        said.close()
        try:
            row.update(json.loads(first))
            row["end"] = json.loads(rest)
        except ValueError:
            raise SoakError(f"{' '.join(words)} under {mode} ended with {process.returncode}: {errors.splitlines()[-1:]}") from None
        row["status"], row["stderr"] = process.returncode, errors
        if MODES[mode] and (hold_s or shell):
            row.update(self.reported(sessions))
        shutil.rmtree(sessions, ignore_errors=True)
        return row

    def held(self, mode: str, pid: int, path: pathlib.Path, sessions: pathlib.Path, hold_s: float) -> dict:
        target = program_pid(pid, path)
        # What begins with a burst of work is over after a while; what a look costs then is what it costs for good.
        time.sleep(hold_s / 3)
        from_s, from_at = cpu_s(pid), time.monotonic()
        time.sleep(hold_s * 2 / 3)
        row = {"target_kb": status_kb(target)}
        if mode != "plain":
            row["collector_cpu_percent"] = 100 * (cpu_s(pid) - from_s) / (time.monotonic() - from_at)
            row["collector_cpu_s"] = cpu_s(pid)
            row["collector_kb"] = status_kb(pid)
            segments = list(sessions.glob("*/*.segment"))
            row["segment_disk_kb"] = sum(file.stat().st_blocks for file in segments) // 2
            resident = subprocess.run(
                [need("fincore", "util-linux"), "-b", "-n", "-o", "RES", *map(str, segments)], capture_output=True, text=True, check=False
            )
            row["segment_resident_kb"] = sum(int(line) for line in resident.stdout.split()) >> 10
        return row

    def reported(self, sessions: pathlib.Path) -> dict:
        files = list(sessions.glob("*/report.json"))
        if not files:
            return {"unreported": True}
        report = json.loads(files[0].read_text())
        lost: dict[str, int] = {}
        for one in report["processes"]:
            for cause, count in one["lost"].items():
                if count:
                    lost[cause] = lost.get(cause, 0) + count
        text = subprocess.run(
            [str(self.memguard), "report", "--dir", str(sessions)], capture_output=True, text=True, check=False
        ).stdout
        return {
            "overhead": report["overhead"],
            "lost": lost,
            "not_seen": " ".join(text.partition("Not seen")[2].partition("Where the memory went")[0].split()),
            "findings": [f"{f['kind']} at {f['location']}, {f['confidence']:.2f}" for f in report["findings"] if f["confidence"] >= 0.5],
        }


def children(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            found += map(int, pathlib.Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return found


# ---- Measuring --------------------------------------------------------------------------------------------------------


def room_for(axis: str, size: int) -> str:
    """Why this size has to be left out here; empty if it has not."""
    if axis == "heap":
        free_kb = next(int(line.split()[1]) for line in open("/proc/meminfo", encoding="ascii") if line.startswith("MemAvailable"))
        # Of each block one or two pages are touched; the collector and the tables want some more.
        if size * 1024 // 4 + (1 << 20) > free_kb:
            return "not enough free memory"
    if axis == "descriptors":
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if size + 64 > hard and not may_raise_limits():
            return f"the hard limit of open files is {hard:,} and may not be raised"
    return ""


def may_raise_limits() -> bool:
    probe = "import resource; s, h = resource.getrlimit(resource.RLIMIT_NOFILE); resource.setrlimit(resource.RLIMIT_NOFILE, (s, h + 1))"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode == 0


def ns_per_operation(row: dict) -> float:
    return row["cpu_ns"] / row["operations"]


def measure_point(runner: Runner, axis: Axis, size: int, options: argparse.Namespace) -> dict:
    """The pairs, then the held runs."""
    words = [WORKS.get(axis.name, axis.name), str(size), str(axis.operations)]
    if axis.name in ("threads", "contention"):
        words[2] = str(max(axis.operations // size, 1))
    pairs: list[dict[str, float]] = []
    until = time.monotonic() + options.seconds
    while len(pairs) < 3 or len(pairs) < options.pairs and time.monotonic() < until:
        order = list(axis.modes) if len(pairs) % 2 == 0 else list(axis.modes)[::-1]
        pairs.append({mode: ns_per_operation(runner.run(mode, words, axis.program)) for mode in order})
        if time.monotonic() > until + 2 * options.seconds:
            break
    row: dict = {"size": size, "pairs": pairs, "held": {}}
    for mode in axis.modes:
        row[mode] = statistics.median(pair[mode] for pair in pairs)
        row["held"][mode] = runner.run(mode, words, axis.program, hold_s=options.hold if mode != "plain" else 0.3)
    for mode in axis.modes[1:]:
        row[f"{mode}_extra"] = statistics.median(pair[mode] - pair["plain"] for pair in pairs)
    return row


def measure_processes(options: argparse.Namespace, scratch: pathlib.Path, count: int) -> dict:
    program = scratch / "family"
    if not program.exists():
        subprocess.run(["gcc", "-O1", "-o", program, ROOT / "tests/tests/programs/family.c"], check=True)
    asked = argparse.Namespace(memguard=str(options.memguard), seconds=int(options.hold) + 8, aggressive=False)
    row = processes.measure(asked, program, count, scratch / f"sessions-family-{count}")
    report = row.pop("report")
    # The workers forget on purpose: findings are in order here.
    return {"size": count, **row, "overhead": report["overhead"]}


def measure_limit(runner: Runner, limit: Limit) -> dict:
    """Plain and watched; what the program said must be the same."""
    words = list(limit.work)
    row = {"table": limit.table, "capacity": limit.capacity, "mode": limit.mode, "work": " ".join(words), "causes": list(limit.causes)}
    if limit.work[0] == "descriptors":
        left_out = room_for("descriptors", int(limit.work[1]))
        if left_out:
            return {**row, "left_out": left_out}
    shell = limit.shell if limit.shell != "children" else 'exec'
    plain = runner.run("plain", words, limit.program, shell=shell if limit.shell else "")
    watched = runner.run(limit.mode, words, limit.program, hold_s=3, shell=shell if limit.shell else "")
    row["noticed"] = [name for name in ("status", "end", "failed") if plain[name] != watched[name]]
    row["lost"] = {cause: count for cause, count in watched.get("lost", {}).items() if not limit.causes or cause in limit.causes}
    row["all_lost"], row["findings"] = watched.get("lost", {}), watched.get("findings", [])
    row["says"] = watched["stderr"] if limit.shell else watched.get("not_seen", "")
    row["slower"] = ns_per_operation(watched) / max(ns_per_operation(plain), 1e-9)
    is_told = any(row["lost"].values()) if limit.causes else bool(row["says"])
    row["passed"] = not row["noticed"] and not row["findings"] and is_told
    return row


def describe_machine() -> dict:
    def first(path: str, start: str) -> str:
        with contextlib.suppress(OSError):
            for line in open(path, encoding="utf-8", errors="replace"):
                if line.startswith(start):
                    return line.split(":", 1)[1].strip()
        return "unknown"

    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "cpu": first("/proc/cpuinfo", "model name"), "cores": os.cpu_count(), "memory": first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(), "libc": " ".join(platform.libc_ver()), "load": os.getloadavg()[0], "commit": commit,
    }


def measure(options: argparse.Namespace) -> dict:
    result: dict = {
        "schema": SCHEMA, "created_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": describe_machine(), "axes": {}, "limits": [],
    }

    def keep(what: str) -> None:
        print(f"scaling.py: {what}", file=sys.stderr, flush=True)
        results.keep(result, options.output)

    with tempfile.TemporaryDirectory(prefix="memguard-scaling-") as folder:
        scratch = pathlib.Path(folder)
        build(scratch)
        runner = Runner(options.memguard, scratch)
        for axis in AXES:
            if options.only in (None, axis.name):
                points = result["axes"].setdefault(axis.name, [])
                for size in axis.sizes:
                    left_out = room_for(axis.name, size)
                    if left_out and axis.name == "descriptors":
                        # As many as can be had.
                        points.append({"size": size, "left_out": left_out})
                        size = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200
                        left_out = "" if size > axis.sizes[0] else left_out
                    if left_out:
                        points.append({"size": size, "left_out": left_out})
                        keep(f"{axis.name} {size} left out: {left_out}")
                        continue
                    points.append(measure_point(runner, axis, size, options))
                    keep(f"{axis.name} {size}")
        if options.only in (None, "processes"):
            points = result["axes"].setdefault("processes", [])
            for count in PROCESS_COUNTS:
                points.append(measure_processes(options, scratch, count))
                keep(f"processes {count}")
        if options.only in (None, "limits"):
            for limit in LIMITS:
                result["limits"].append(measure_limit(runner, limit))
                keep(f"limit of {limit.table}: {'left out' if 'left_out' in result['limits'][-1] else 'passed' if result['limits'][-1]['passed'] else 'WRONG'}")
    return result


# ---- Rendering --------------------------------------------------------------------------------------------------------


def mib(kb: float) -> str:
    return f"{kb / 1024:,.1f}"


def extra_kb(row: dict, mode: str) -> int:
    """Anonymous memory and file pages of the watched program beyond those of the plain one; the segment is among them."""
    return row["held"][mode]["target_kb"]["VmRSS"] - row["held"]["plain"]["target_kb"]["VmRSS"]


def steepest(points: list[dict], value: Callable[[dict], float], floor: float) -> float:
    """The greatest exponent between neighbouring sizes, of what lies above the floor: 1 is linear."""
    pairs = [(row["size"], max(value(row), floor)) for row in points if "left_out" not in row]
    steps = [math.log(b[1] / a[1]) / math.log(b[0] / a[0]) for a, b in zip(pairs, pairs[1:])]
    return max(steps, default=0.0)


def axis_table(axis: Axis, points: list[dict]) -> list[str]:
    lines = [
        f"### {axis.name}", "", f"{axis.made_of[0].upper()}{axis.made_of[1:]}.", "",
        f"| {axis.size} | plain, ns per {axis.operation} | guard, more | audit, more | target, MiB more: guard | audit "
        "| collector, MiB: guard | audit | collector, % of a core: guard | audit | segment, MiB in memory: guard | audit "
        "| hook_cpu_percent, guard | lost: guard | audit |",
        "|---|" + "---|" * 14,
    ]
    for row in points:
        if "left_out" in row:
            lines.append(f"| {row['size']:,} | left out: {row['left_out']} |" + " |" * 13)
            continue
        guard, audit = row["held"]["guard"], row["held"]["audit"]
        cells = [f"{row['size']:,}", f"{row['plain']:,.0f}", f"{row['guard_extra']:+,.1f}", f"{row['audit_extra']:+,.0f}"]
        cells += [mib(extra_kb(row, "guard")), mib(extra_kb(row, "audit"))]
        cells += [mib(held["collector_kb"]["RssAnon"]) for held in (guard, audit)]
        cells += [f"{held['collector_cpu_percent']:.1f}" for held in (guard, audit)]
        cells += [mib(held["segment_resident_kb"]) for held in (guard, audit)]
        # Of a program that hardly ran there is no share.
        share = guard.get("overhead", {}).get("hook_cpu_percent")
        cells.append("" if share is None else f"{share:.2f}")
        cells += ["; ".join(f"{cause} {count:,}" for cause, count in held.get("lost", {}).items()) or "nothing" for held in (guard, audit)]
        lines.append("| " + " | ".join(cells) + " |")
    exponents = {
        "cost of an operation, guard": steepest(points, lambda row: row["guard"], 1),
        "the same, audit": steepest(points, lambda row: row["audit"], 1),
        "memory in the target, guard": steepest(points, lambda row: extra_kb(row, "guard"), 2048),
        "memory of the collector, guard": steepest(points, lambda row: row["held"]["guard"]["collector_kb"]["RssAnon"], 8192),
        "the same, audit": steepest(points, lambda row: row["held"]["audit"]["collector_kb"]["RssAnon"], 8192),
    }
    said = ", ".join(f"{name}: {value:.2f}" for name, value in exponents.items())
    return [*lines, "", f"Steepest growth between neighbouring sizes, as a power (1 is linear): {said}.", ""]


def processes_table(points: list[dict]) -> list[str]:
    lines = [
        "### processes", "", "Workers that allocate a hundred times a second, under one session in guard mode.", "",
        "| processes | watched | collector, % of a core | per process | collector, MiB | segments, MiB in memory |", "|---|---|---|---|---|---|",
    ]
    for row in points:
        lines.append(
            f"| {row['size']} | {row['watched']} | {row['cpu_percent']:.2f} | {row['cpu_percent'] / row['size']:.3f} "
            f"| {row['memory_mb']:.1f} | {row['segments_mb']:.1f} |"
        )
    return [*lines, ""]


def limits_table(limits: list[dict]) -> list[str]:
    lines = [
        "| what | room | driven by | the program noticed | counted as | findings | the report says | |", "|---|---|---|---|---|---|---|---|",
    ]
    for row in limits:
        head = f"| {row['table']} | {row['capacity']} ({row['mode']}) | `scale {row['work']}` "
        if "left_out" in row:
            lines.append(f"{head}| left out: {row['left_out']} | | | | |")
            continue
        counted = "; ".join(f"`{cause}` {count:,}" for cause, count in row["lost"].items()) or "a line, not a count"
        says = " ".join(row["says"].split())
        lines.append(
            f"{head}| {', '.join(row['noticed']) or 'nothing'} | {counted} | {'; '.join(row['findings']) or 'none'} "
            f"| {says[:400].replace('|', '/')} | {'as it should be' if row['passed'] else 'WRONG'} |"
        )
    return [*lines, ""]


def stored(path: pathlib.Path, schema: str) -> dict:
    """A result that was written before."""
    try:
        result = json.loads(path.read_text())
        if result["schema"] == schema:
            return result
        raise ValueError(f"it is {result['schema']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SoakError(f"{path} is not a result of this script ({error}); give one that it has written") from None


def replace_between(document: pathlib.Path, name: str, lines: list[str]) -> None:
    """Puts lines between the markers of this name."""
    text = document.read_text()
    start, stop = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    if start not in text or stop not in text:
        raise SoakError(f"{document} has no markers {start} and {stop}; put them where the tables belong")
    before, _, rest = text.partition(start)
    document.write_text(before + start + "\n" + "\n".join(lines).rstrip() + "\n" + stop + rest.partition(stop)[2])


def render(result: dict) -> None:
    machine = result["machine"]
    lines = [
        f"Measured {result['created_at'][:10]} on {machine['cpu']}, {machine['cores']} cores, {machine['memory']}, Linux {machine['kernel']}, "
        f"{machine['libc']}; commit {machine['commit']}; load at the start {machine['load']:.1f}.", "",
    ]
    for axis in AXES:
        if result["axes"].get(axis.name):
            lines += axis_table(axis, result["axes"][axis.name])
    if result["axes"].get("processes"):
        lines += processes_table(result["axes"]["processes"])
    replace_between(DOCS, "scaling", lines)
    if result["limits"]:
        replace_between(DOCS, "limits", limits_table(result["limits"]))
    plot(result)


def plot(result: dict) -> None:
    try:
        import matplotlib

        matplotlib.use("svg")
        import matplotlib.pyplot as plt
    except ImportError:
        # Debian's package belongs to Debian's python, which need not be the first on PATH.
        code = "import json, sys; sys.path.insert(0, sys.argv[1]); import scaling; scaling.plot(json.load(sys.stdin))"
        debians = ["/usr/bin/python3", "-c", code, str(ROOT / "scripts")]
        if sys.prefix != "/usr" and subprocess.run(["/usr/bin/python3", "-c", "import matplotlib"], capture_output=True, check=False).returncode == 0:
            subprocess.run(debians, input=json.dumps(result), text=True, check=True)
            return
        print("scaling.py: no plot: matplotlib is missing; apt-get install python3-matplotlib, then scaling.py --docs FILE", file=sys.stderr)
        return
    matplotlib.rcParams.update({"svg.hashsalt": "memguard", "font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    shown = [axis for axis in AXES if any("left_out" not in row for row in result["axes"].get(axis.name, []))]
    family = result["axes"].get("processes", [])
    rows = len(shown) + bool(family)
    if not rows:
        return
    # An own white ground: readable whatever the page's colour.
    figure, grid = plt.subplots(rows, 3, figsize=(9, 2.1 * rows), squeeze=False, facecolor="white", layout="constrained")
    colours = {"plain": "#6b7280", "guard": "#0f766e", "audit": "#b45309"}

    def draw(place, series: dict[str, tuple[list, list]], what: str, size: str, floor: float) -> None:
        for mode, (sizes, values) in series.items():
            place.plot(sizes, [max(value, floor) for value in values], marker="o", markersize=3, linewidth=1.4, color=colours[mode], label=mode)
        place.set_xscale("log")
        place.set_yscale("log")
        if place.get_ylim()[0] < floor / 2:
            place.set_ylim(bottom=floor / 2)
        place.set_xlabel(size)
        place.set_title(what, fontsize=8, loc="left")
        place.grid(True, which="major", color="#e5e7eb", linewidth=0.6)
        place.minorticks_off()

    for index, axis in enumerate(shown):
        points = [row for row in result["axes"][axis.name] if "left_out" not in row]
        sizes = [row["size"] for row in points]
        draw(grid[index][0], {m: (sizes, [row[m] for row in points]) for m in axis.modes}, f"{axis.name}: ns per {axis.operation}", axis.size, 1)
        watched = axis.modes[1:]
        draw(
            grid[index][1], {m: (sizes, [row["held"][m]["collector_kb"]["RssAnon"] / 1024 for row in points]) for m in watched},
            "memory of the collector, MiB", axis.size, 1,
        )
        draw(
            grid[index][2], {m: (sizes, [row["held"][m]["collector_cpu_percent"] for row in points]) for m in watched},
            "collector, % of a core", axis.size, 0.1,
        )
    if family:
        sizes = [row["size"] for row in family]
        for column, (key, what) in enumerate(
            [("segments_mb", "processes: segments in memory, MiB"), ("memory_mb", "memory of the collector, MiB"), ("cpu_percent", "collector, % of a core")]
        ):
            draw(grid[-1][column], {"guard": (sizes, [row[key] for row in family])}, what, "processes", 0.1)
    handles, labels = grid[0][0].get_legend_handles_labels()
    grid[0][0].legend(handles, labels, frameon=False)
    figure.savefig(PLOT, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def main() -> int:
    names = [axis.name for axis in AXES] + ["processes", "limits"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", type=pathlib.Path, default=ROOT / "target/release/memguard", metavar="PATH")
    parser.add_argument("--only", choices=names, help="one axis; the documents are left as they are")
    parser.add_argument("--pairs", type=int, default=7, metavar="N", help="pairs of runs a point, if they fit into --seconds (default 7)")
    parser.add_argument("--seconds", type=float, default=6, metavar="N", help="time for the pairs of a point (default 6)")
    parser.add_argument("--hold", type=float, default=4, metavar="N", help="seconds for which a program is looked at (default 4)")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="default benches/results/DATE-scaling.json")
    parser.add_argument("--docs", type=pathlib.Path, metavar="FILE", help="render the documents from this file and measure nothing")
    options = parser.parse_args()
    if options.docs:
        render(stored(options.docs, SCHEMA))
        return 0
    options.memguard = options.memguard.resolve()
    if not options.memguard.exists():
        raise SoakError(f"{options.memguard} is missing; run make build, or say --memguard PATH")
    need("gcc", "gcc")
    if options.output is None:
        name = f"{datetime.date.today()}-scaling{'-' + options.only if options.only else ''}.json"
        options.output = ROOT / "benches" / "results" / name
    result = measure(options)
    if options.only is None:
        render(result)
    wrong = [row["table"] for row in result["limits"] if not row.get("passed", True)]
    print(f"{options.output}" + (f"; at the limit something is wrong: {', '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SoakError as error:
        print(f"scaling.py: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
