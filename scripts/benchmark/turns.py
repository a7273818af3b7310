"""Turns: what hooks add within one process, which changes between them and the C library's own functions all the time. In: Place,
Workload, Variants. Out: for each variant some runs, each with its ratio, interval, share of CPU time, and what a report states.

Runs of two processes one after the other differ by a tenth on a noisy machine; what changes from one millisecond to the next
does not. Only for workloads that benches/programs/turns.c knows.
"""

from __future__ import annotations

import pathlib

from . import run
from .place import BenchError, Place
from .variant import Variant
from .workload import Workload

VARIANTS = ("plain", "forward", "bare", "guard")
ROUNDS = 5
SECONDS = 4
SECONDS_OF_PAIRS = 3


def measure(place: Place, workload: Workload, variants: list[Variant], quick: bool) -> dict[str, list[dict]]:
    # One jump more is not to be seen beside a system call.
    taking_part = [v for v in variants if v.name in VARIANTS and not (workload.per_item and v.name == "bare")]
    found: dict[str, list[dict]] = {v.name: [] for v in taking_part}
    output = place.scratch / "turns"
    seconds = SECONDS_OF_PAIRS if workload.per_item else SECONDS
    words = [str(place.binaries / "turns"), workload.turns, str(1 if quick else seconds), str(output)]
    for _ in range(1 if quick else ROUNDS):
        for variant in taking_part:
            what = f"turns of {workload.name} under {variant.name}"
            environment = {**variant.variables(workload, place), "MEMGUARD_DIR": str(run.sessions(place))}
            said, status = run.run(variant.command(words), environment, what, place.scratch)
            if status != 0:
                raise BenchError(f"{what} ended with {status}: {run.last_line(said)}")
            found[variant.name].append({**read(output), "stated": run.stated(place) if variant.watched else None})
            run.tidy(place)
    return found


def read(path: pathlib.Path) -> dict:
    names = ("pairs", "plain_ns", "hooked_ns", "ratio", "low", "high", "share_percent")
    return dict(zip(names, map(float, path.read_text().split()), strict=True))
