#!/usr/bin/env python3
"""What MemGuard costs: paired runs of the same workload, with and without it, and counts of instructions.

Every round runs a workload once under each variant, in a changing order; a ratio compares two runs of one round, and the
table shows the median over the rounds with a bootstrap 95 % confidence interval. What a variant costs when the program
does nothing (its start and its end) is measured by itself and taken off, except in "whole CPU". Beside it stands the ratio of executed
instructions (Valgrind's callgrind) on a shorter version of the workload: it repeats exactly on noisy machines.

A variant is a prefix of the command and an environment:
  plain     the command as it is
  again     the same once more: how far two equal things differ here
  forward   a preload library that only forwards malloc, calloc, realloc and free: the floor of any interposer
  bare      the same without the check that the real functions are known: one indirect jump per call
  memguard  `memguard run --quiet -- COMMAND`: CPU time includes the collector's
  preload   LD_PRELOAD=libmemguard.so without the launcher
Others can be given as --variant NAME='PREFIX WORDS'; they replace a built-in one of the same name.

The raw data go to benches/results/DATE-LABEL.json together with a description of the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import platform
import random
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import IO, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "benches" / "programs"
SEED = 20240229  # fixed: the order of runs and the bootstrap repeat


class BenchError(Exception):
    """Something is missing or failed; the message is one line and says what to do."""


# ---- What is measured ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of the table. `command` may contain {n} (size), {bin}, {python}, {sqlite}, {tmp}."""

    name: str
    command: tuple[str, ...]
    size: int  # for time: about 0.2 s
    short_size: int  # for callgrind, 50 times slower
    target: float  # CPU and wall, memguard / plain (DESIGN section 9)
    instruction_target: float | None = None  # memguard / forward
    service: bool = False
    per_item: str = ""  # what one of `size` is, where the difference per item is worth showing


WORKLOADS = (
    Workload("lifo", ("{bin}/lifo", "{n}"), 25_000_000, 1_000_000, 1.05, 1.03),
    Workload("random_replacement", ("{bin}/random_replacement", "{n}"), 7_000_000, 600_000, 1.05, 1.03),
    Workload("cross_thread", ("{bin}/cross_thread", "{n}"), 3_000_000, 300_000, 1.05, 1.03),
    Workload("cross_thread_contended", ("{bin}/cross_thread", "{n}", "together"), 2_000_000, 0, 1.05),
    Workload("realloc_growth", ("{bin}/realloc_growth", "{n}"), 800_000, 20_000, 1.05, 1.03),
    Workload("open_close", ("{bin}/pairs", "{n}", "open"), 200_000, 20_000, 1.15, per_item="pair"),
    Workload("socket_close", ("{bin}/pairs", "{n}", "socket"), 80_000, 20_000, 1.15, per_item="pair"),
    Workload("pipe_close", ("{bin}/pairs", "{n}", "pipe"), 80_000, 20_000, 1.15, per_item="pair"),
    Workload("accept_close", ("{bin}/pairs", "{n}", "accept"), 12_000, 2_000, 1.15, per_item="pair"),
    Workload("timerfd_close", ("{bin}/pairs", "{n}", "timerfd"), 120_000, 20_000, 1.15, per_item="pair"),
    Workload("thread_join", ("{bin}/pairs", "{n}", "thread"), 10_000, 2_000, 1.15, per_item="pair"),
    Workload("map_unmap", ("{bin}/pairs", "{n}", "map"), 200_000, 20_000, 1.15, per_item="pair"),
    Workload("process_start", ("{bin}/process_start", "{n}"), 300, 4, 1.20, per_item="process"),
    Workload("sqlite3", ("{sqlite}", ":memory:", ".read {tmp}/memory-{n}.sql"), 60_000, 6_000, 1.01),
    Workload("cpython_json", ("{python}", "{programs}/json_roundtrip.py", "{n}"), 120, 10, 1.01),
    Workload("redis", (), 150_000, 5_000, 1.01, service=True),
    Workload("nginx_connections", (), 20_000, 0, 1.02, service=True),
)

SQL = """
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})
INSERT INTO t SELECT i, printf('row %d of the table', (i * 7919) % {n}), i * 0.5 FROM n;
CREATE INDEX by_a ON t(a);
SELECT count(*), sum(b), max(length(a)) FROM t WHERE a LIKE 'row 1%';
SELECT group_concat(a, ',') FROM (SELECT a FROM t ORDER BY a DESC LIMIT 5);
UPDATE t SET a = upper(a) WHERE id % 3 = 0;
SELECT a, count(*) FROM t GROUP BY substr(a, 5, 2) ORDER BY 2 DESC, 1 LIMIT 5;
DELETE FROM t WHERE id % 2 = 0;
SELECT count(*) FROM t;
"""


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    prefix: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass
class Setup:
    """Where things are, and the scratch directory everything temporary goes to."""

    target: pathlib.Path
    binaries: pathlib.Path
    scratch: pathlib.Path
    variants: list[Variant]

    def fill(self, words: tuple[str, ...], size: int) -> list[str]:
        places = {
            "n": size,
            "bin": self.binaries,
            "tmp": self.scratch,
            "programs": PROGRAMS,
            "sqlite": need("sqlite3", "sqlite3"),
            "python": "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable,
        }
        return [word.format(**places) for word in words]


# ---- Main ------------------------------------------------------------------------------------------------------------


def main() -> int:
    options = parse_options()
    os.environ["PYTHONHASHSEED"] = "0"  # otherwise CPython does a little different work in each run
    with tempfile.TemporaryDirectory(prefix="memguard-bench-") as scratch:
        setup = prepare(options, pathlib.Path(scratch))
        workloads = chosen_workloads(options)
        start_and_end = {} if options.no_time else measure_start_and_end(setup, options)
        results = []
        for workload in workloads:
            print(f"{workload.name} ...", file=sys.stderr, flush=True)
            results.append(measure_workload(setup, workload, start_and_end, options))
    machine = describe_machine(setup)
    print_table(results, start_and_end, machine, setup)
    path = store(results, start_and_end, machine, options)
    print(f"\nRaw data: {os.path.relpath(path)}")
    return 1 if options.check and any(row["verdict"] == "missed" for row in results) else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: minutes become seconds")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this workload (may be repeated)")
    parser.add_argument("--pairs", type=int, metavar="N", help="rounds per workload (default 25, quick 7)")
    parser.add_argument("--variants", default="plain,again,forward,memguard", help="built-in variants, by comma")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=PREFIX", help="a variant of your own")
    parser.add_argument("--no-instructions", action="store_true", help="leave callgrind out")
    parser.add_argument("--no-time", action="store_true", help="callgrind only")
    parser.add_argument("--target-dir", type=pathlib.Path, help="cargo's (default $CARGO_TARGET_DIR, else target)")
    parser.add_argument("--label", default="", help="goes into the name of the results file")
    parser.add_argument("--out", type=pathlib.Path, help="file for the raw data instead of benches/results/")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--list", action="store_true", help="name the workloads and exit")
    options = parser.parse_args()
    if options.list:
        print("\n".join(w.name for w in WORKLOADS))
        sys.exit(0)
    if options.pairs is None:
        options.pairs = 7 if options.quick else 25
    if options.pairs < 1:
        raise BenchError("--pairs must be at least 1")
    return options


def chosen_workloads(options: argparse.Namespace) -> list[Workload]:
    by_name = {w.name: w for w in WORKLOADS}
    for name in options.only or []:
        if name not in by_name:
            raise BenchError(f"no workload is called {name}; there are {', '.join(by_name)}")
    return [by_name[name] for name in options.only] if options.only else list(WORKLOADS)


# ---- Preparing -------------------------------------------------------------------------------------------------------


def need(tool: str, package: str) -> str:
    path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise BenchError(f"{tool} is missing; run scripts/install-deps.sh (Debian package {package})")
    return path


def prepare(options: argparse.Namespace, scratch: pathlib.Path) -> Setup:
    target = options.target_dir or pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    target = target.resolve()
    binaries = target / "bench-programs"
    build_programs(binaries)
    for workload in WORKLOADS:
        if workload.name == "sqlite3":
            for size in (workload.size, workload.size // 3, workload.short_size):
                (scratch / f"memory-{size}.sql").write_text(SQL.format(n=size))
    return Setup(target, binaries, scratch, make_variants(options, target, binaries, scratch))


def build_programs(binaries: pathlib.Path) -> None:
    """Compiles what is older than its source."""
    compiler = need("gcc", "gcc")
    binaries.mkdir(parents=True, exist_ok=True)
    header = (PROGRAMS / "bench.h").stat().st_mtime
    for source in sorted(PROGRAMS.glob("*.c")):
        outputs: dict[str, list[str]] = {source.stem: []}
        if source.stem == "forward_only":
            shared = ["-shared", "-fPIC", "-fvisibility=hidden"]
            outputs = {"forward_only.so": shared, "forward_bare.so": [*shared, "-DBARE"]}
        for name, flags in outputs.items():
            output = binaries / name
            if output.exists() and output.stat().st_mtime >= max(source.stat().st_mtime, header):
                continue
            command = [compiler, "-O2", "-g", "-Wall", "-Wextra", "-pthread", *flags, str(source), "-o", str(output)]
            if subprocess.run(command, check=False).returncode != 0:
                raise BenchError(f"{source.name} does not compile")


def make_variants(
    options: argparse.Namespace, target: pathlib.Path, binaries: pathlib.Path, scratch: pathlib.Path
) -> list[Variant]:
    launcher = target / "release" / "memguard"
    library = target / "release" / "libmemguard.so"
    sessions = ("MEMGUARD_DIR", str(scratch / "sessions"))
    own = {}
    for text in options.variant:
        name, equals, prefix = text.partition("=")
        if not name or not equals:
            raise BenchError(f"--variant needs NAME=PREFIX, not {text}")
        own[name] = Variant(name, tuple(shlex.split(prefix)), (sessions,))
    variants = []
    for name in list(dict.fromkeys([*filter(None, options.variants.split(",")), *own])):
        if name in own:
            variants.append(own[name])
        elif name in ("plain", "again"):
            variants.append(Variant(name))
        elif name in ("forward", "bare"):
            library_file = binaries / ("forward_only.so" if name == "forward" else "forward_bare.so")
            variants.append(Variant(name, (), (("LD_PRELOAD", str(library_file)),)))
        elif name in ("memguard", "preload"):
            for file in (library, launcher) if name == "memguard" else (library,):
                if not file.exists():
                    raise BenchError(
                        f"{file} is missing; run `cargo build --release`, or leave it out: --variants plain,again,forward"
                    )
            if name == "memguard":
                variants.append(Variant(name, (str(launcher), "run", "--quiet", "--"), (sessions,)))
            else:
                variants.append(Variant(name, (), (("LD_PRELOAD", str(library)), sessions)))
        else:
            raise BenchError(f"no variant is called {name}; there are plain, again, forward, bare, memguard, preload")
    if variants[0].name != "plain":
        variants.insert(0, Variant("plain"))
    return variants


# ---- Measuring -------------------------------------------------------------------------------------------------------


NOTHING = Workload("true", ("/bin/true",), 1, 1, 1.0)


def measure_start_and_end(setup: Setup, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """What each variant costs when the program does nothing: a launcher's start, its report at the end, the loading of a
    library. A run of a fifth of a second pays it whole, a service that runs for a month does not."""
    order = random.Random(SEED)
    rounds = []
    for _ in range(options.pairs + 3):
        shuffled = order.sample(setup.variants, len(setup.variants))
        rounds.append({v.name: run_command(setup, NOTHING, v, 1) for v in shuffled})
    return {
        v.name: {what: statistics.median(r[v.name][what] for r in rounds[3:]) for what in ("cpu_s", "wall_s")}
        for v in setup.variants
    }


def measure_workload(setup: Setup, workload: Workload, start_and_end: dict, options: argparse.Namespace) -> dict:
    size = workload.size // 3 if options.quick else workload.size
    rounds = []
    if not options.no_time:
        order = random.Random(SEED)
        run = SERVICES.get(workload.name, run_command)
        for variant in setup.variants:
            run(setup, workload, variant, size)  # once unmeasured: file cache, first use
        for _ in range(options.pairs):
            shuffled = order.sample(setup.variants, len(setup.variants))
            rounds.append({v.name: run(setup, workload, v, size) for v in shuffled})
    instructions = {}
    if not options.no_instructions and workload.short_size:
        for variant in setup.variants:
            if variant.name != "again":
                count = count_redis if workload.service else count_instructions
                instructions[variant.name] = count(setup, workload, variant)
    return summarise(workload, setup, size, rounds, instructions, start_and_end)


def run_command(setup: Setup, workload: Workload, variant: Variant, size: int) -> dict:
    """One run under `measure`; returns seconds and kilobytes."""
    result = setup.scratch / "measured"
    command = [str(setup.binaries / "measure"), str(result)]
    command += [f"{name}={value}" for name, value in variant.environment]
    command += ["--", *variant.prefix, *setup.fill(workload.command, size)]
    with open(setup.scratch / "stderr", "w+b") as errors:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, check=False)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    status, wall, cpu, left_cpu, peak, left = (int(word) for word in result.read_text().split())
    if status != 0:
        raise BenchError(f"{workload.name} under {variant.name} ended with {status}: {said[-1] if said else 'no message'}")
    if left:
        raise BenchError(f"{workload.name} under {variant.name} left a process behind that does not end")
    return {"wall_s": wall / 1e9, "cpu_s": (cpu + left_cpu) / 1e6, "left_cpu_s": left_cpu / 1e6, "peak_kb": peak}


def callgrind() -> list[str]:
    valgrind = need("valgrind", "valgrind")
    return [valgrind, "--tool=callgrind", "--trace-children=yes", "--callgrind-out-file=/dev/null"]


def collected(said: str, workload: Workload, variant: Variant) -> int:
    """The sum of what callgrind says it has counted in each process."""
    counts = [int(number) for number in re.findall(r"Collected : (\d+)", said)]
    if not counts:
        last = (said.strip().splitlines() or ["no message"])[-1]
        raise BenchError(f"callgrind counted nothing for {workload.name} under {variant.name}: {last}")
    return sum(counts)


def count_instructions(setup: Setup, workload: Workload, variant: Variant) -> int:
    """Instructions of the whole process tree. Valgrind passes a preload on to the program it runs, so prefix and
    environment apply to Valgrind itself; with a launcher, the launcher is not counted, the watched program is."""
    command = [*variant.prefix, *callgrind(), *setup.fill(workload.command, workload.short_size)]
    environment = {**os.environ, **dict(variant.environment)}
    ended = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    said = ended.stderr.decode(errors="replace")
    if ended.returncode != 0:
        last = (said.strip().splitlines() or ["no message"])[-1]
        raise BenchError(f"callgrind of {workload.name} under {variant.name} ended with {ended.returncode}: {last}")
    return collected(said, workload, variant)


@contextlib.contextmanager
def redis_server(
    setup: Setup, variant: Variant, tool: list[str], errors: IO[bytes]
) -> Iterator[tuple[subprocess.Popen, list[str]]]:
    """A server on loopback without persistence, and the words that make redis-benchmark talk to it."""
    server, benchmark = need("redis-server", "redis-server"), need("redis-benchmark", "redis-tools")
    port = free_port()
    command = [*variant.prefix, *tool, server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--appendonly", "no", "--dir", str(setup.scratch), "--daemonize", "no", "--loglevel", "warning"]
    environment = {**os.environ, **dict(variant.environment)}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
    )
    client = [benchmark, "-h", "127.0.0.1", "-p", str(port), "-t", "set,get,lpush,lpop", "-d", "200", "-q"]
    try:
        wait_for_port(process, port, variant)
        yield process, client
    finally:
        stop(process)
    if process.returncode not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
        raise BenchError(f"redis-server under {variant.name} ended with {process.returncode}")


def run_redis(setup: Setup, workload: Workload, variant: Variant, size: int) -> dict:
    """CPU of the server's process tree for a fixed number of requests; start and end of the server do not count."""
    with open(setup.scratch / "stderr", "w+b") as errors, redis_server(setup, variant, [], errors) as (process, client):
        client += ["-c", "20", "-P", "8", "-r", "20000"]
        quiet([*client, "-n", str(size // 10)], workload)
        before, start = tree_cpu(process.pid), time.perf_counter()
        quiet([*client, "-n", str(size)], workload)
        wall, after = time.perf_counter() - start, tree_cpu(process.pid)
        peak = max((peak_kb(pid) for pid in after), default=0)
    cpu = sum(after.values()) - sum(before.get(pid, 0.0) for pid in after)
    return {"wall_s": wall, "cpu_s": cpu, "left_cpu_s": 0.0, "peak_kb": peak}


NGINX = """
{user}daemon off;
worker_processes 1;
pid {scratch}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {scratch}/nginx-body;
    proxy_temp_path {scratch}/nginx-proxy;
    fastcgi_temp_path {scratch}/nginx-fastcgi;
    uwsgi_temp_path {scratch}/nginx-uwsgi;
    scgi_temp_path {scratch}/nginx-scgi;
    default_type text/html;
    server {{ listen 127.0.0.1:{port}; root {scratch}; }}
}}
"""


def run_nginx(setup: Setup, workload: Workload, variant: Variant, size: int) -> dict:
    """CPU of the server's process tree for a fixed number of requests, each over a connection of its own."""
    nginx, port = need("nginx", "nginx"), free_port()
    user = "user root;\n" if os.geteuid() == 0 else ""
    (setup.scratch / "index.html").write_text("<title>small</title>\n" + "a paragraph\n" * 50)
    configuration = setup.scratch / "nginx.conf"
    configuration.write_text(NGINX.format(user=user, scratch=setup.scratch, port=port))
    command = [*variant.prefix, nginx, "-p", str(setup.scratch), "-e", "stderr", "-c", str(configuration)]
    environment = {**os.environ, **dict(variant.environment)}
    with open(setup.scratch / "stderr", "w+b") as errors:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
        )
        try:
            wait_for_port(process, port, variant)
            client = [str(setup.binaries / "connections"), str(port)]
            quiet([*client, str(size // 10)], workload)
            before, start = tree_cpu(process.pid), time.perf_counter()
            quiet([*client, str(size)], workload)
            wall, after = time.perf_counter() - start, tree_cpu(process.pid)
            peak = max((peak_kb(pid) for pid in after), default=0)
        finally:
            stop(process)
    cpu = sum(after.values()) - sum(before.get(pid, 0.0) for pid in after)
    return {"wall_s": wall, "cpu_s": cpu, "left_cpu_s": 0.0, "peak_kb": peak}


SERVICES = {"redis": run_redis, "nginx_connections": run_nginx}


def count_redis(setup: Setup, workload: Workload, variant: Variant) -> int:
    """As count_instructions. One client, so that batches are alike; timers still make the count vary a little."""
    with open(setup.scratch / "stderr", "w+b") as errors:
        with redis_server(setup, variant, callgrind(), errors) as (_, client):
            quiet([*client, "-c", "1", "-P", "16", "-r", "1000", "-n", str(workload.short_size)], workload)
        errors.seek(0)
        return collected(errors.read().decode(errors="replace"), workload, variant)


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(process: subprocess.Popen, port: int, variant: Variant) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise BenchError(f"the server under {variant.name} does not listen on port {port}")


def quiet(command: list[str], workload: Workload) -> None:
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    if ended.returncode != 0:
        said = (ended.stderr + ended.stdout).decode(errors="replace").strip().splitlines()
        raise BenchError(f"the client of {workload.name} ended with {ended.returncode}: {said[-1] if said else 'no message'}")


def tree(root: int) -> list[int]:
    """`root` and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                children.setdefault(int(stat.read().rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def tree_cpu(root: int) -> dict[int, float]:
    """CPU seconds of each process of the tree, to the nanosecond, ended threads included."""
    seconds = {}
    for pid in tree(root):
        with contextlib.suppress(OSError):
            seconds[pid] = time.clock_gettime((~pid << 3) | 2)  # the kernel's id of that process's CPU clock
    return seconds


def peak_kb(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        match = re.search(r"VmHWM:\s*(\d+)", status.read())
        return int(match.group(1)) if match else 0
    return 0


def stop(process: subprocess.Popen) -> None:
    """Asks the process to end; what is left of it and its descendants after ten seconds is ended by pid."""
    members = tree(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    for pid in members:
        # The session, which is the process's own, tells a survivor from another process that got its number.
        with contextlib.suppress(OSError):
            if os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
    process.wait()


# ---- Judging ---------------------------------------------------------------------------------------------------------


def bootstrap(values: list[float], draws: int = 2000) -> tuple[float, float, float]:
    """Median, and the 2.5 and 97.5 percentiles of the medians of resamples."""
    generator = random.Random(SEED)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(draws))
    return statistics.median(values), medians[int(draws * 0.025)], medians[int(draws * 0.975)]


def summarise(
    workload: Workload, setup: Setup, size: int, rounds: list[dict], instructions: dict, start_and_end: dict
) -> dict:
    ratios: dict[str, dict] = {}
    for variant in setup.variants[1:]:
        entry = {}
        for what in ("cpu_s", "wall_s") if rounds else ():
            # A service is measured between its start and its end; from the others these are taken off.
            off = 0.0 if workload.service else start_and_end[variant.name][what]
            plain_off = 0.0 if workload.service else start_and_end["plain"][what]
            whole = [(r[variant.name][what], r["plain"][what]) for r in rounds]
            entry[what] = bootstrap([ours / plain for ours, plain in whole])
            entry["net_" + what] = bootstrap([(ours - off) / (plain - plain_off) for ours, plain in whole])
        if rounds:
            entry["peak_extra_kb"] = statistics.median(r[variant.name]["peak_kb"] - r["plain"]["peak_kb"] for r in rounds)
            entry["wall_extra_per_item_s"] = statistics.median(
                (r[variant.name]["wall_s"] - r["plain"]["wall_s"]) / size for r in rounds
            )
        if variant.name in instructions:
            entry["instructions"] = instructions[variant.name] / instructions["plain"]
            if "forward" in instructions:
                entry["instructions_over_forward"] = instructions[variant.name] / instructions["forward"]
        ratios[variant.name] = entry
    judged = next((v.name for v in setup.variants if v.name in ("memguard", "preload")), None)
    return {
        "workload": workload.name,
        "size": size,
        "short_size": workload.short_size,
        "per_item": workload.per_item,
        "target": workload.target,
        "instruction_target": workload.instruction_target,
        "judged": judged,
        "verdict": verdict(workload, ratios.get(judged, {})) if judged else "",
        "ratios": ratios,
        "rounds": rounds,
        "instructions": instructions,
    }


def verdict(workload: Workload, ratios: dict) -> str:
    """met: within the target. missed: beyond it, by the whole interval. unclear: the interval spans the target."""
    words = set()
    for what in ("net_cpu_s", "net_wall_s"):
        if what in ratios:
            middle, low, _ = ratios[what]
            words.add("met" if middle <= workload.target else "missed" if low > workload.target else "unclear")
    over = ratios.get("instructions_over_forward")
    if workload.instruction_target and over is not None:
        words.add("met" if over <= workload.instruction_target else "missed")
    return "missed" if "missed" in words else "unclear" if "unclear" in words else "met" if words else ""


def print_table(results: list[dict], start_and_end: dict, machine: dict, setup: Setup) -> None:
    print(f"\n{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['libc']}\n")
    print("| workload | variant | whole CPU × plain | CPU × plain | 95 % | wall × plain | 95 % | instructions × plain | × forward | peak memory, MiB more | target | |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for row in results:
        for variant in setup.variants[1:]:
            ratios = row["ratios"][variant.name]
            cells = [row["workload"], variant.name]
            cells.append(f"{ratios['cpu_s'][0]:.3f}" if "cpu_s" in ratios else "")
            for what in ("net_cpu_s", "net_wall_s"):
                if what in ratios:
                    middle, low, high = ratios[what]
                    cells += [f"{middle:.3f}", f"{low:.3f} to {high:.3f}"]
                else:
                    cells += ["", ""]
            cells.append(f"{ratios['instructions']:.4f}" if "instructions" in ratios else "")
            cells.append(f"{ratios['instructions_over_forward']:.4f}" if "instructions_over_forward" in ratios else "")
            cells.append(f"{ratios['peak_extra_kb'] / 1024:+.1f}" if "peak_extra_kb" in ratios else "")
            if variant.name == row["judged"]:
                wanted = f"≤ {row['target']:.2f}"
                if row["instruction_target"]:
                    wanted += f", instructions ≤ {row['instruction_target']:.2f} × forward"
                cells += [wanted, row["verdict"]]
            else:
                cells += ["", ""]
            print("| " + " | ".join(cells) + " |")
    for name, cost in start_and_end.items():
        if name not in ("plain", "again"):
            more = [f"{(cost[what] - start_and_end['plain'][what]) * 1e3:+.2f} ms" for what in ("cpu_s", "wall_s")]
            print(f"\nstart and end of a program that does nothing, under {name}: {more[0]} CPU, {more[1]} wall", end="")
    for row in results:
        for name, ratios in row["ratios"].items():
            if row["per_item"] and name != "again" and "wall_extra_per_item_s" in ratios:
                extra = ratios["wall_extra_per_item_s"] * 1e3
                print(f"\n{row['workload']} under {name}: {extra:+.3f} ms per {row['per_item']}", end="")
    print()


# ---- Keeping ---------------------------------------------------------------------------------------------------------


def describe_machine(setup: Setup) -> dict:
    def first(pattern: str, path: str, otherwise: str) -> str:
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            match = re.search(pattern, file.read(), re.MULTILINE)
            if match:
                return match.group(1).strip()
        return otherwise

    def output(*command: str) -> str:
        with contextlib.suppress(OSError):
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            return (ended.stdout.strip().splitlines() or [""])[0]
        return ""

    library = setup.target / "release" / "libmemguard.so"
    return {
        "cpu": first(r"^model name\s*:\s*(.*)$", "/proc/cpuinfo", platform.machine()),
        "cores": os.cpu_count(),
        "memory_kb": int(first(r"^MemTotal:\s*(\d+)", "/proc/meminfo", "0")),
        "kernel": platform.release(),
        "system": first(r'^PRETTY_NAME="(.*)"$', "/etc/os-release", ""),
        "libc": " ".join(platform.libc_ver()),
        "governor": first(r"(.*)", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
        "load": list(os.getloadavg()),
        "python": platform.python_version(),
        "gcc": output("gcc", "--version"),
        "valgrind": output("valgrind", "--version"),
        "redis": output("redis-server", "--version"),
        "commit": output("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "changed_files": bool(output("git", "-C", str(ROOT), "status", "--porcelain")),
        "libmemguard_sha256": hashlib.sha256(library.read_bytes()).hexdigest() if library.exists() else None,
    }


def store(results: list[dict], start_and_end: dict, machine: dict, options: argparse.Namespace) -> pathlib.Path:
    now = datetime.datetime.now(datetime.timezone.utc)
    label = re.sub(r"[^A-Za-z0-9_.-]+", "-", options.label or ("quick" if options.quick else "run"))
    path = options.out
    if path is None:
        directory = ROOT / "benches" / "results"
        directory.mkdir(parents=True, exist_ok=True)
        number = 1
        while path is None or path.exists():
            suffix = "" if number == 1 else f"-{number}"
            path = directory / f"{now:%Y-%m-%d}-{label}{suffix}.json"
            number += 1
    data = {
        "schema": "memguard.bench/1",
        "created_at": now.isoformat(timespec="seconds"),
        "pairs": options.pairs,
        "quick": options.quick,
        "machine": machine,
        "start_and_end": start_and_end,
        "results": results,
    }
    path.write_text(json.dumps(data, indent=1) + "\n")
    return path


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        print(f"bench.py: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
