"""A row: one workload measured under all its variants within a share of the time. In: Place, Workload, Variants. Out: data.

Every round runs each variant of a group once, in a changing order; those that no target is about only take part in every fourth
round. Three groups have their own plain runs: our own variants, which run for seconds, so that what is done once does not weigh;
peers; and what is more than ten times slower than plain (with audit mode beside it), which runs at a tenth of the size, but for a
second or so where audit mode has its targets.
"""

from __future__ import annotations

import random
import sys
import time

from . import run, service, turns
from .place import BenchError, Place
from .variant import ALLOCATORS, Variant
from .workload import NOTHING, Workload

SEED = 20240229  # fixed: the order of runs and the bootstrap repeat
SLOW = 10
OWN_RUN_S = 3.0  # what is done once must not weigh, however fast the machine: launcher, first and last look take some 40 ms
AUDIT_RUN_S = 0.15  # the plain program's, where audit mode is judged: then audit mode takes a second, Valgrind twenty
COUNTED = ("plain", "forward", "bare", "guard", "preload")
SELDOM = ("forward", "bare", "preload")
SELDOM_ONE_IN = 4
LIGHT = ("heaptrack", "memray", *ALLOCATORS)


def measure(place: Place, workload: Workload, variants: list[Variant], pairs: int, budget_s: float, options) -> dict:
    began = time.monotonic()
    once = service.once if workload.service else run.once
    size = workload.size // 3 if options.quick and not workload.fixed_size else workload.size
    small = size if workload.fixed_size else max(size // 10, 4)
    variants = [variant for variant in variants if variant.fits(workload)]
    row = {"workload": workload.name, "size": size, "small_size": small, "groups": [], "instructions": {}, "memory": {}, "failed": {}}

    if not options.no_instructions and workload.short_size:
        for variant in (v for v in variants if v.name in COUNTED):
            counted = service.count if workload.service else run.count
            row["instructions"][variant.name] = [counted(place, workload, variant, n) for n in sizes_to_count(workload)]
    if options.no_time:
        return row
    if workload.turns:
        row["turns"] = turns.measure(place, workload, variants, options.quick)
        began = time.monotonic()

    own, peers, slow = [], [], []
    cost = {}
    for variant in variants:
        # Once unmeasured, small: file cache, first use, and how slow it is.
        start = time.monotonic()
        try:
            probed = once(place, workload, variant, small)
        except BenchError as error:
            if variant.name in COUNTED or variant.name in ("again", "aggressive"):
                raise
            row["failed"][variant.name] = str(error)
            print(f"bench.py: left out: {error}", file=sys.stderr)
            continue
        cost[variant.name] = (time.monotonic() - start, probed["cpu_s"])
        if variant.name in ("aggressive", "heaptrack", "memcheck", "memleak"):
            slow.append(variant)
        elif variant.name in LIGHT:
            plain = max(cost["plain"][1], 0.005)
            (slow if probed["cpu_s"] > SLOW * plain else peers).append(variant)
        elif variant.name != "plain":
            own.append(variant)
    plain = variants[0]
    may_grow = own and not (options.quick or workload.fixed_size)
    long = long_size(place, workload, plain, size, once, OWN_RUN_S) if may_grow else size
    if workload.audit and slow and not options.quick:
        small = row["small_size"] = long_size(place, workload, plain, small, once, AUDIT_RUN_S)
    groups = [("own", own, long, 0.5), ("peers", peers, size, 0.25), ("slow", slow, small, 0.25)]
    left = budget_s - (time.monotonic() - began)
    for name, members, group_size, share in groups:
        if not members:
            continue
        most = pairs if name == "own" else max(pairs // 2, 3)
        rounds = rounds_of(place, workload, [plain, *members], group_size, most, max(left * share, 1), once)
        row["groups"].append({"name": name, "size": group_size, "rounds": rounds})
    if not workload.service:
        for variant in (v for v in variants if v.name in cost and v.name not in ("again", "bare")):
            slow_one = variant.name in ("memcheck", "memleak", "heaptrack")
            if not slow_one:
                row["memory"][variant.name] = run.memory(place, workload, variant, size)
    return row


def long_size(place: Place, workload: Workload, plain: Variant, size: int, once, run_s: float) -> int:
    """The size with which the plain program runs for so many seconds; `size` at least. Twice, as the start weighs in what is short."""
    for _ in range(2):
        took_s = once(place, workload, plain, size)["cpu_s"]
        if took_s >= 0.8 * run_s:
            break
        size = int(size * run_s / max(took_s, 0.005))
    return size


def sizes_to_count(workload: Workload) -> list[int]:
    """Few and many repetitions: the difference is free of start and end. One size where there is no other."""
    return [workload.short_size] if workload.fixed_size else [max(workload.short_size // 4, 1), workload.short_size]


def rounds_of(place: Place, workload: Workload, members: list[Variant], size: int, most: int, budget_s: float, once) -> list[dict]:
    order = random.Random(SEED)
    rounds: list[dict] = []
    start = time.monotonic()
    while len(rounds) < most:
        spent = time.monotonic() - start
        if len(rounds) >= 3 and spent * (len(rounds) + 1) / len(rounds) > budget_s:
            break
        taking_part = [v for v in members if v.name not in SELDOM or len(rounds) % SELDOM_ONE_IN == 0]
        rounds.append({v.name: once(place, workload, v, size) for v in order.sample(taking_part, len(taking_part))})
    return rounds


def start_and_end(place: Place, variants: list[Variant], pairs: int, options) -> dict:
    """What each variant costs when the program does nothing: a launcher's start, its report at the end, the loading of a
    library. A run of a fifth of a second pays it whole, a service that runs for a month does not."""
    usable = [v for v in variants if not v.interpreter]
    result: dict = {"rounds": [], "instructions": {}}
    if not options.no_time:
        result["rounds"] = rounds_of(place, NOTHING, usable, 1, pairs, 60, run.once)
    if not options.no_instructions:
        for variant in (v for v in usable if v.name in COUNTED):
            result["instructions"][variant.name] = run.count(place, NOTHING, variant, NOTHING.size)
    return result


def per_block(place: Place, variants: list[Variant]) -> dict:
    """Bytes of resident memory more for each block of 64 bytes that the program keeps: the slope between two numbers of blocks."""
    few, many = 50_000, 250_000
    return {
        v.name: (kept(place, v, many) - kept(place, v, few)) * 1024 / (many - few)
        for v in variants
        if v.name in ("plain", "guard", "aggressive", "heaptrack")
    }


def kept(place: Place, variant: Variant, blocks: int) -> int:
    output = place.scratch / "kept"
    workload = Workload("keep", "", ("{bin}/keep", str(blocks), str(output)), 1, 0, 1.0)
    run.once(place, workload, variant, 1)
    return int(output.read_text().split()[0])
