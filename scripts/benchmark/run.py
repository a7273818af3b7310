"""Runs: one run of a workload under a variant. In: Place, Workload, Variant, size. Out: seconds, KiB, what a report states."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from . import process
from .place import BenchError, Place, need
from .variant import Variant
from .workload import Workload

LONGEST_S = 300


def once(place: Place, workload: Workload, variant: Variant, size: int) -> dict:
    """One run under `measure`."""
    result = place.scratch / "measured"
    variables = {**variant.variables(workload, place), "MEMGUARD_DIR": str(sessions(place))}
    command = [str(place.binaries / "measure"), str(result), *(f"{name}={value}" for name, value in variables.items())]
    command += ["--", *variant.command(place.fill(workload, size))]
    said, _ = run(command, None, f"{workload.name} under {variant.name}", place.scratch)
    status, wall, cpu, left_cpu, _, left = (int(word) for word in result.read_text().split())
    if status != 0:
        raise BenchError(f"{workload.name} under {variant.name} ended with {status}: {last_line(said)}")
    if left:
        raise BenchError(f"{workload.name} under {variant.name} left a process behind that does not end")
    says = stated(place) if variant.watched else None
    tidy(place)
    return {"wall_s": wall / 1e9, "cpu_s": (cpu + left_cpu) / 1e6, "stated": says}


def memory(place: Place, workload: Workload, variant: Variant, size: int) -> dict:
    """One run that is looked at every few milliseconds: the looking costs time, so no time is taken."""
    environment = {**os.environ, **variant.variables(workload, place), "MEMGUARD_DIR": str(sessions(place))}
    command = variant.command(place.fill(workload, size))
    most = {"tree_pss_kb": 0, "target_peak_kb": 0}
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        deadline = time.monotonic() + LONGEST_S
        while started.poll() is None and time.monotonic() < deadline:
            now = process.memory_kb(started.pid)
            most = {what: max(most[what], now[what]) for what in most}
            time.sleep(0.005)
    finally:
        if started.poll() is None:
            process.end(started, patience_s=1)
            started.wait()
    tidy(place)
    return most


def callgrind() -> list[str]:
    valgrind = need("valgrind", "valgrind")
    return [valgrind, "--tool=callgrind", "--trace-children=yes", "--callgrind-out-file=/dev/null"]


def count(place: Place, workload: Workload, variant: Variant, size: int) -> int:
    """Instructions of the whole process tree. Valgrind passes a preload on to the program it runs, so prefix and
    environment apply to Valgrind itself; with a launcher, the launcher is not counted, the watched program is."""
    command = [*variant.prefix, *callgrind(), *place.fill(workload, size)]
    environment = {**variant.variables(workload, place), "MEMGUARD_DIR": str(sessions(place))}
    what = f"callgrind of {workload.name} under {variant.name}"
    said, status = run(command, environment, what, place.scratch)
    if status != 0:
        raise BenchError(f"{what} ended with {status}: {last_line(said)}")
    tidy(place)
    return collected(said, what)


def collected(said: str, what: str) -> int:
    """The sum of what callgrind says it has counted in each process."""
    counts = [int(number) for number in re.findall(r"Collected : (\d+)", said)]
    if not counts:
        raise BenchError(f"{what} counted nothing: {last_line(said)}")
    return sum(counts)


def run(command: list[str], environment: dict | None, what: str, scratch: pathlib.Path) -> tuple[str, int]:
    """Runs to the end in a session of its own; an interruption or too long a wait ends the whole tree."""
    with open(scratch / "stderr", "w+b") as errors:
        started = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            started.wait(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{what} does not end within {LONGEST_S} s") from None
        finally:
            if started.poll() is None:
                process.end(started, signal.SIGTERM, patience_s=1)
                started.wait()
        errors.seek(0)
        return errors.read().decode(errors="replace"), started.returncode


def last_line(said: str) -> str:
    return (said.strip().splitlines() or ["no message"])[-1]


def sessions(place: Place) -> pathlib.Path:
    """A folder that any user's process may make sessions in."""
    folder = place.scratch / "sessions"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    return folder


def stated(place: Place) -> dict | None:
    """What the report of the session that has just ended says about its cost."""
    for path in (place.scratch / "sessions").glob("*/report.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            overhead = json.loads(path.read_text())["overhead"]
            said = {f"{what}_percent": overhead[f"{what}_cpu_percent"] for what in ("hook", "starting", "collector")}
            if None not in said.values():
                return said
    return None


def tidy(place: Place) -> None:
    """What runs leave: sessions, recordings of peers. A full disk would be part of the measurement."""
    shutil.rmtree(place.scratch / "sessions", ignore_errors=True)
    for pattern in ("heaptrack-*", "lsan*", "memray.bin"):
        for path in place.scratch.glob(pattern):
            path.unlink(missing_ok=True)
