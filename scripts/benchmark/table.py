"""Tables: what was measured, as Markdown. In: stored data. Out: the parts between the markers of docs/performance.md."""

from __future__ import annotations

import pathlib
import re
import statistics

from . import judge
from .variant import OWN, PEERS, TITLES
from .workload import WORKLOADS

BY_NAME = {w.name: w for w in WORKLOADS}
ORDER = [n for n in (*OWN, *PEERS) if n != "plain"]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def spread(three, digits: int = 3) -> str:
    return f"{three[0]:.{digits}f} ({three[1]:.{digits}f} to {three[2]:.{digits}f})" if three else ""


def rows_of(data: dict):
    return [(row, BY_NAME[row["workload"]]) for row in data["results"] if row["workload"] in BY_NAME]


def variants_of(data: dict) -> list[str]:
    present = {n for row in data["results"] for g in row["groups"] for r in g["rounds"][:1] for n in r}
    return [n for n in ORDER if n in present] + sorted(present - set(ORDER) - {"plain"})


def targets(data: dict) -> str:
    start = data["start_and_end"]
    rows = []
    for row, workload in rows_of(data):
        found = judge.targets(row, workload, start)
        if found["verdict"]:
            wanted = f"≤ {workload.target:.2f}"
            if workload.forward_target:
                wanted += f", instructions ≤ {workload.forward_target:.2f} × forward only"
            counted = f"{found['counted']:.4f} × {found['over']}" if found["counted"] is not None else ""
            cpu = spread(found["cpu"]) + (" in turns" if found["in_turns"] else "")
            rows.append([workload.title, wanted, cpu, spread(found["wall"]), counted, found["verdict"]])
    text = table(["guard mode", "target", "CPU × plain (95 %)", "wall × plain (95 %)", "instructions", ""], rows)
    return text + "\n\n" + table(["what", "target", "measured", ""], others(data))


def others(data: dict) -> list[list[str]]:
    start, rows = data["start_and_end"], []
    one = [r["guard"]["wall_s"] - r["plain"]["wall_s"] for r in start.get("rounds", []) if "guard" in r]
    if one:
        more = [1e3 * x for x in judge.bootstrap(one)]
        rows.append(["start and end of `true` under `memguard run`, launcher and report included, wall", "", spread(more, 1) + " ms", ""])
    for row, workload in rows_of(data):
        group = judge.group_of(row, "guard")
        if workload.name == "process_start" and group:
            each = [(r["guard"]["wall_s"] - r["plain"]["wall_s"] - judge.off(start, "guard", "wall_s") + judge.off(start, "plain", "wall_s"))
                    * 1e3 / group["size"] for r in group["rounds"]]
            more = judge.bootstrap(each)
            word = "met" if more[0] <= 0.5 else "missed" if more[1] > 0.5 else "unclear"
            rows.append(["start of a process that does nothing, in a watched tree", "≤ 0.5 ms more", spread(more) + " ms", word])
    for row, workload in rows_of(data):
        for peer, wanted in (("heaptrack", 5), ("memcheck", 10)) if workload.audit else ():
            found = judge.audit(row, start, peer)
            if found:
                word = "met" if found[0] >= wanted and found[1] > 0 else "missed" if found[2] < wanted else "unclear"
                title = f"audit mode against {TITLES.get(peer, peer)}: {workload.title}"
                rows.append([title, f"≥ {wanted} × faster", spread(found, 1), word])
    for row, workload in rows_of(data):
        pair = judge.memory(row).get("guard")
        if pair:
            more, allowed = (pair[0] - pair[1]) / 1024, 8 + pair[1] / 1024 / 100
            rows.append([f"memory in the target: {workload.title}", f"≤ {allowed:.1f} MiB", f"{more:+.1f} MiB", "met" if more <= allowed else "missed"])
    blocks = data.get("per_block_bytes", {})
    for name in (n for n in blocks if n != "plain"):
        rows.append([f"memory per live block, {TITLES.get(name, name)}", "", f"{blocks[name] - blocks['plain']:.0f} bytes", ""])
    return rows


def costs(data: dict) -> str:
    names = variants_of(data)
    rows = []
    for row, workload in rows_of(data):
        found = judge.of_row(row, workload, data["start_and_end"])
        rows.append([workload.title, *(f"{found[n][0]:.2f}" if n in found else "" for n in names)])
    return table(["CPU × plain", *(TITLES.get(n, n) for n in names)], rows)


def memory(data: dict) -> str:
    names = [n for n in variants_of(data) if n not in ("again", "bare")]
    parts = []
    for what, title in (("target_peak_kb", "program alone, peak × plain"), ("tree_pss_kb", "everything together, × plain")):
        rows = []
        for row, workload in rows_of(data):
            found = judge.memory(row, what)
            if found:
                rows.append([workload.title, *(f"{found[n][0] / max(found[n][1], 1):.2f}" if n in found else "" for n in names)])
        parts.append(table([title, *(TITLES.get(n, n) for n in names)], rows))
    return "\n\n".join(parts)


def overhead(data: dict) -> str:
    rows = []
    for row, workload in rows_of(data):
        found = judge.agreement(row)
        if found:
            cells = [f"{found[part]:.2f}" for part in ("hooks", "starting", "collector", "stated")]
            cells.append(spread(found["measured"], 2))
            cells.append(spread(found["noise"], 2) if found["noise"] else "")
            rows.append([workload.title, *cells, found["verdict"]])
    parts = ["report: hooks, %", "starting, %", "collector, %", "together, % of plain"]
    return table(["workload", *parts, "measured, % of plain (95 %)", "plain again, %", "within 0.5"], rows)


def turns(data: dict) -> str:
    ways, said = [], []
    for row, workload in (r for r in rows_of(data) if r[0].get("turns")):
        runs = row["turns"]
        more_ns = [2 * r["plain_ns"] * r["share_percent"] / (100 - r["share_percent"]) for r in runs.get("guard", ())]
        cells = [spread(judge.of_turns(row, n)) for n in ("plain", "bare", "forward", "guard")]
        ways.append([workload.title, *cells, f"{statistics.median(more_ns):.1f}" if more_ns else ""])
        if found := judge.agreement_in_turns(row):
            middle, least, most = found["apart"]
            apart = f"{middle:+.2f} ({least:+.2f} to {most:+.2f})"
            said.append([workload.title, f"{found['stated']:.2f}", f"{found['measured']:.2f}", apart, found["verdict"]])
    head = ["a call or a pair, × the C library's own", "no preload (noise)", "one jump", "forward only", "MemGuard", "MemGuard, ns more"]
    text = table(head, ways)
    head = ["hooks, % of all CPU time", "report", "measured", "report - measured, points (all runs)", "within 0.5"]
    return text + "\n\n" + table(head, said)


def machine(data: dict) -> str:
    m = data["machine"]
    lines = [f"Measured on {data['created_at'][:10]}: {m['cpu']}, {m['cores']} cores, {m['system']}, Linux {m['kernel']}, {m['libc']}."]
    failed: dict[str, list[str]] = {}
    for row in data["results"]:
        for name in row["failed"]:
            failed.setdefault(name, []).append(row["workload"])
    lines += [f"Left out: {TITLES.get(n, n)}: {why}." for n, why in data["missing"].items()]
    lines += [f"Left out: {TITLES.get(n, n)} on {', '.join(where)}: does not run it." for n, where in failed.items()]
    return "\n\n".join(lines)


PARTS = {"machine": machine, "targets": targets, "costs": costs, "memory": memory, "turns": turns, "overhead": overhead}


def write(data: dict, path: pathlib.Path) -> None:
    text = path.read_text()
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"{path.name} has no part <!-- {name} -->")
        text = pattern.sub(lambda found, made=make(data): f"{found[1]}\n{made}\n\n{found[2]}", text)
    path.write_text(text)
