"""Judgement: ratios with their intervals, and whether targets are met. In: measured rows. Out: figures and verdicts.

A target is met when the instruction ratio meets it and the interval of the time ratio does not contradict it; missed when
the instructions are beyond it or the whole interval is; else unclear. Without instructions, and where the kernel does most of
the work, the median has to be within it.
"""

from __future__ import annotations

import random
import statistics

from .workload import Workload

SEED = 20240229
APART_MAX = 0.5  # points between what a report states about itself and what was measured


def bootstrap(values: list[float], draws: int = 2000) -> tuple[float, float, float]:
    """Median, and the 2.5 and 97.5 percentiles of the medians of resamples."""
    generator = random.Random(SEED)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(draws))
    return statistics.median(values), medians[int(draws * 0.025)], medians[int(draws * 0.975)]


def off(start: dict, name: str, what: str) -> float:
    values = [r[name][what] for r in start.get("rounds", []) if name in r]
    return statistics.median(values) if values else 0.0


def ratio(group: dict, name: str, what: str, start: dict | None, over: str = "plain") -> tuple[float, float, float] | None:
    """Of `name` to `over` in the same round; what a start and an end cost is taken off where `start` is given."""
    values = []
    for one in group["rounds"]:
        if name in one and over in one:
            above, below = one[name][what], one[over][what]
            if start is not None:
                taken = off(start, name, what), off(start, over, what)
                if taken[0] > above / 2 or taken[1] > below / 2:
                    continue  # Most of it was the start: of the rest nothing can be said.
                above, below = above - taken[0], below - taken[1]
            if below > 0:
                values.append(above / below)
    return bootstrap(values) if values else None


def group_of(row: dict, name: str) -> dict | None:
    return next((g for g in row["groups"] if g["rounds"] and name in g["rounds"][0]), None)


def of_row(row: dict, workload: Workload, start: dict, what: str = "cpu_s") -> dict[str, tuple[float, float, float]]:
    found = {}
    for group in row["groups"]:
        for name in group["rounds"][0] if group["rounds"] else ():
            if name != "plain" and (one := ratio(group, name, what, None if workload.service else start)):
                found[name] = one
    return found


def of_turns(row: dict, name: str) -> tuple[float, float, float] | None:
    """Hooked to plain within one process: the median over the runs, and the widest that their intervals reach."""
    runs = row.get("turns", {}).get(name)
    if not runs:
        return None
    return statistics.median(r["ratio"] for r in runs), min(r["low"] for r in runs), max(r["high"] for r in runs)


def agreement_in_turns(row: dict) -> dict | None:
    """Per cent of CPU time in hooks, as the reports state it and as it was measured in the same runs: medians, and by how many points
    too much is stated in each run."""
    runs = [r for r in row.get("turns", {}).get("guard", ()) if r["stated"]]
    if not runs:
        return None
    stated, measured = ([r["stated"]["hook_percent"] for r in runs], [r["share_percent"] for r in runs])
    apart = [s - m for s, m in zip(stated, measured, strict=True)]
    return {
        "stated": statistics.median(stated),
        "measured": statistics.median(measured),
        "apart": (statistics.median(apart), min(apart), max(apart)),
        "verdict": "met" if abs(statistics.median(apart)) <= APART_MAX else "missed",
    }


def instructions(row: dict, workload: Workload, start: dict, name: str, over: str) -> float | None:
    """Of what a longer run executes more than a shorter one; where there is but one, of what it executes more than a program
    that does nothing."""
    counts, none = row["instructions"], start.get("instructions", {})
    if name not in counts or over not in counts:
        return None
    above, below = (counts[v][-1] - (counts[v][0] if len(counts[v]) > 1 else none.get(v, 0)) for v in (name, over))
    return above / max(below, 1)


def verdict(time: tuple[float, float, float] | None, counted: float | None, target: float, count_target: float) -> str:
    if counted is not None and counted > count_target:
        return "missed"
    if time is None:
        return "met" if counted is not None else ""
    if time[1] > target:
        return "missed"
    return "met" if counted is not None or time[0] <= target else "unclear"


def targets(row: dict, workload: Workload, start: dict) -> dict:
    """Guard mode against its target."""
    over = "forward" if workload.forward_target else "plain"
    # What is mostly the kernel's work is not judged by instructions: callgrind counts the program's own alone.
    counted = None if workload.per_item or workload.kernel else instructions(row, workload, start, "guard", over)
    cpu = of_row(row, workload, start).get("guard")
    wall = of_row(row, workload, start, "wall_s").get("guard")
    in_turns = of_turns(row, "guard")
    count_target = workload.forward_target or workload.target
    # What changes from one millisecond to the next says more than two processes one after the other.
    words = [verdict(t, counted, workload.target, count_target) for t in ([in_turns] if in_turns else (cpu, wall))]
    word = next((w for w in ("missed", "unclear", "met") if w in words), "")
    return {"cpu": in_turns or cpu, "wall": None if in_turns else wall, "in_turns": bool(in_turns), "counted": counted, "over": over, "count_target": count_target, "verdict": word}


def audit(row: dict, start: dict, peer: str) -> tuple[float, float, float] | None:
    """How many times faster audit mode is than the peer."""
    group = group_of(row, "aggressive")
    return ratio(group, peer, "cpu_s", start, over="aggressive") if group and group_of(row, peer) is group else None


def memory(row: dict, what: str = "target_peak_kb") -> dict[str, tuple[float, float]]:
    """Each variant's and plain's KiB."""
    found = {}
    plain = row["memory"].get("plain")
    for name, one in row["memory"].items():
        if name != "plain" and plain:
            found[name] = (one[what], plain[what])
    for group in row["groups"]:
        for name in group["rounds"][0] if group["rounds"] else ():
            if name != "plain" and what in group["rounds"][0][name]:
                middle = [statistics.median(r[n][what] for r in group["rounds"] if n in r) for n in (name, "plain")]
                found[name] = (middle[0], middle[1])
    return found


def agreement(row: dict) -> dict | None:
    """What reports state about themselves, and what was measured over the same life, per cent of the plain program. Reports state
    hooks, starting and collector in per cent of the watched one. A statement that is farther off than the plain program is from
    itself is missed; where it is within that, a run of two processes cannot tell."""
    group = group_of(row, "guard")
    said = [r["guard"]["stated"] for r in group["rounds"] if r["guard"].get("stated")] if group else []
    if not said:
        return None
    what = "whole_cpu_s" if "whole_cpu_s" in group["rounds"][0]["guard"] else "cpu_s"
    # Runs before 2026-11-29 did not state what processes take more to start.
    hooks, starting, collector = (
        statistics.median(s.get(k, 0.0) for s in said) for k in ("hook_percent", "starting_percent", "collector_percent")
    )
    stated = 100 * ((100 + collector) / max(100 - hooks - starting, 1) - 1)
    measured, noise = (points(ratio(group, name, what, None)) for name in ("guard", "again"))
    apart = abs(stated - measured[0])
    wider = APART_MAX + (max(abs(x) for x in noise) if noise else 0.0)
    is_within = measured[1] - wider <= stated <= measured[2] + wider
    return {
        "hooks": hooks,
        "starting": starting,
        "collector": collector,
        "stated": stated,
        "measured": measured,
        "noise": noise,
        "verdict": "met" if apart <= APART_MAX else "unclear" if is_within else "missed",
    }


def points(ratios: tuple[float, ...] | None) -> list[float] | None:
    """By how many per cent something is more."""
    return [100 * (x - 1) for x in ratios] if ratios else None
