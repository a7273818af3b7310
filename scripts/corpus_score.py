"""Scores of the corpus: what a finding is worth, and the numbers over many. Pure.

In: labels and findings of `memguard.report/1`. Out: judged findings, and per group precision, recall, class and location
accuracy, delay, Brier score and expected calibration error.
"""

from __future__ import annotations

import re
import statistics

from corpus_labels import Leak, Program

SHOWN = 0.5
THRESHOLDS = (0.9, 0.7, 0.5)
BINS = 10
LINES_OFF_MAX = 2


def bare(function: str) -> str:
    """A function's name without parameters, templates, generics, hashes and clone marks."""
    name = function.replace("(anonymous namespace)", "anonymous").split("(")[0]
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    name = re.sub(r"::h[0-9a-f]{16}$|::\{\{closure\}\}|::\{closure#\d+\}|\.(part|constprop|isra|cold|lto_priv)\b.*$", "", name)
    return name.replace("::::", "::").strip().split(" ")[-1]


def is_function(frame: dict, function: str) -> bool:
    name = bare(frame["function"])
    return name == function or name.endswith("::" + function)


def application(finding: dict) -> list[dict]:
    return [frame for frame in finding["stack"] if frame["role"] == "application"]


def belongs(finding: dict, leak: Leak) -> bool:
    """Whether a finding is about this leak: its function is on the stack; where there is none, or no stack, by its kind. A
    by-product may arise elsewhere: a new thread's stack has nothing of the function that started it."""
    if finding["kind"] in leak.beside:
        return True
    frames = application(finding)
    if leak.function is not None and frames:
        return any(is_function(frame, leak.function) for frame in frames)
    return finding["kind"] in leak.kinds


def judge(program: Program, finding: dict) -> dict:
    """A finding with what there is to say of it."""
    index = next((i for i, leak in enumerate(program.leaks) if belongs(finding, leak)), None)
    judged = {key: finding[key] for key in ("id", "pattern", "kind", "location", "confidence", "size_mb", "count", "detail",
                                            "growth_mb_per_hour", "growth_per_hour", "evidence")}
    frames = application(finding)
    judged |= {"function": bare(frames[0]["function"]) if frames else None, "true": index is not None, "leak": index}
    if index is not None:
        leak = program.leaks[index]
        judged["kind_right"] = finding["kind"] in leak.kinds
        judged["beside"] = finding["kind"] in leak.beside
        if leak.function is not None and frames:
            judged["function_right"] = is_function(frames[0], leak.function)
            line = frames[0].get("line")
            judged["line_right"] = bool(line) and any(abs(line - marked) <= LINES_OFF_MAX for marked in leak.lines)
    return judged


def found(leak_index: int, findings: list[dict]) -> dict | None:
    """The surest finding of a leak that is shown. What is only about its by-products counts if there is nothing else; of equally
    sure ones, one of the right kind and place."""
    mine = [f for f in findings if f["leak"] == leak_index and f["confidence"] >= SHOWN]
    return max(mine, key=lambda f: (not f["beside"], f["confidence"], f["kind_right"], bool(f.get("function_right"))), default=None)


def ever_false(run: dict) -> list[dict]:
    """The findings of a run that were shown at any moment and are not true."""
    return [finding for finding in run["ever"] if not finding["true"]]


def ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def scores(runs: list[dict]) -> dict:
    """The numbers over runs as `corpus.py` records them."""
    findings = [finding for run in runs for finding in run["findings"]]
    leaks = [leak for run in runs for leak in run["leaks"]]
    hits = [leak for leak in leaks if leak["found"]]
    placed = [leak for leak in hits if leak["function_right"] is not None]
    delays = [leak["delay_s"] for leak in leaks if leak["delay_s"] is not None]
    result: dict = {"runs": len(runs), "healthy": sum(run["healthy"] for run in runs), "leaks": len(leaks), "findings": len(findings)}
    for threshold in THRESHOLDS:
        shown = [f for f in findings if f["confidence"] >= threshold]
        result[f"shown_{threshold}"] = len(shown)
        result[f"precision_{threshold}"] = ratio(sum(f["true"] for f in shown), len(shown))
    result |= {
        "recall_0.5": ratio(len(hits), len(leaks)),
        "recall_ever_0.5": ratio(len(delays), len(leaks)),
        "class_right": ratio(sum(leak["kind_right"] for leak in hits), len(hits)),
        "function_right": ratio(sum(leak["function_right"] for leak in placed), len(placed)),
        "line_right": ratio(sum(bool(leak["line_right"]) for leak in placed), len(placed)),
        "delay_median_s": round(statistics.median(delays), 2) if delays else None,
        "brier": round(statistics.fmean((f["confidence"] - f["true"]) ** 2 for f in findings), 4) if findings else None,
        "calibration_error": calibration_error(findings),
        "healthy_accused_at_end": sum(run["healthy"] and any(f["confidence"] >= SHOWN for f in run["findings"]) for run in runs),
        "healthy_accused_ever": sum(run["healthy"] and bool(ever_false(run)) for run in runs),
        "false_ever": sum(len(ever_false(run)) for run in runs),
    }
    return result


def calibration_error(findings: list[dict]) -> float | None:
    """Expected calibration error: the distance between confidence and share of true findings, over ten equal bins."""
    if not findings:
        return None
    bins: list[list[dict]] = [[] for _ in range(BINS)]
    for finding in findings:
        bins[min(int(finding["confidence"] * BINS), BINS - 1)].append(finding)
    off = sum(abs(sum(f["confidence"] for f in held) - sum(f["true"] for f in held)) for held in bins if held)
    return round(off / len(findings), 4)
