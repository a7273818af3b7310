#!/usr/bin/env python3
"""What MemGuard costs, against the plain program and other tools: paired runs of the same workload, and counts of instructions.

Every round runs a workload once under each variant, in a changing order; a ratio compares two runs of one round, and the
tables show the median over the rounds with a bootstrap 95 % confidence interval. What a variant costs when the program
does nothing (its start and its end) is measured by itself and taken off. Beside it stands the ratio of executed
instructions (Valgrind's callgrind) between two short sizes of the workload: it repeats exactly on noisy machines.

Raw data go to benches/results/DATE-LABEL.json after each workload; a run that was interrupted goes on with --resume FILE.
A whole run (no --only, no --quick), or --docs FILE, makes the tables and the chart of docs/performance.md.
The parts are in scripts/benchmark/; `--list` names workloads and variants.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import results
from benchmark import chart, judge, machine, row, table, variant
from benchmark.place import ROOT, BenchError, prepare, system_python
from benchmark.workload import WORKLOADS

SCHEMA = "memguard.bench/3"
DOCS = ROOT / "docs" / "performance.md"


def main() -> int:
    options = parse_options()
    if options.docs:
        make_docs(options.docs)
        return 0
    workloads = chosen_workloads(options)
    counted = read(options.counted) if options.counted else None
    target = (options.target_dir or pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))).resolve()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="memguard-bench-") as scratch:
        place = prepare(target, options.product, pathlib.Path(scratch))
        variants, missing = variant.chosen(options.variants, options.variant, place)
        for name, why in missing.items():
            print(f"bench.py: {name} is left out: {why}", file=sys.stderr)
        data, path = resumed(options) if options.resume else fresh(options, place, missing)
        print(f"bench.py: results go to {os.path.relpath(path)}", file=sys.stderr)
        if not data["start_and_end"]:
            data["start_and_end"] = row.start_and_end(place, variants, options.pairs, options)
            data["per_block_bytes"] = {} if options.no_time else row.per_block(place, variants)
            if counted:
                data["start_and_end"]["instructions"] = counted["start_and_end"]["instructions"]
            results.keep(data, path)
        done = {r["workload"] for r in data["results"]}
        left = [w for w in workloads if w.name not in done]
        for at, workload in enumerate(left):
            remaining = options.budget_minutes * 60 - (time.monotonic() - began)
            # A round of a service takes a dozen seconds, one of a small program two.
            weights = [4 if w.service else 1 for w in left[at:]]
            share = max(remaining * weights[0] / sum(weights), 5)
            print(f"{workload.name} ({at + 1} of {len(left)}, {share:.0f} s)", file=sys.stderr, flush=True)
            try:
                measured = row.measure(place, workload, variants, options.pairs, share, options)
                for other in counted["results"] if counted else ():
                    if other["workload"] == workload.name:
                        measured["instructions"] = other["instructions"]
                data["results"].append(measured)
            except BenchError as error:
                data["errors"][workload.name] = str(error)
                print(f"bench.py: {workload.name} is left out: {error}", file=sys.stderr)
            results.keep(data, path)
    for part in table.PARTS.values():
        print("\n" + part(data))
    print(f"\nRaw data: {os.path.relpath(path)}")
    if not (options.only or options.quick or options.no_time or options.no_docs):
        make_docs(path)
    verdicts = [judge.targets(r, w, data["start_and_end"])["verdict"] for r, w in table.rows_of(data)]
    return 1 if data["errors"] or (options.check and "missed" in verdicts) else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: about three minutes for the whole")
    parser.add_argument("--only", action="append", metavar="NAME", help="only these workloads, by comma (may be repeated)")
    parser.add_argument("--pairs", type=int, metavar="N", help="rounds per workload at most (default 25, quick 3)")
    parser.add_argument("--budget-minutes", type=float, metavar="N", help="time to plan with (default 35, quick 3): rounds are fewer where it is short, but never under three, so slow peers take longer")
    parser.add_argument("--variants", default="all", help="variants, by comma (default: all that are installed)")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=PREFIX", help="a variant of your own")
    parser.add_argument("--no-instructions", action="store_true", help="leave callgrind out")
    parser.add_argument("--no-time", action="store_true", help="callgrind only")
    parser.add_argument("--counted", type=pathlib.Path, metavar="FILE", help="take instructions from what --no-time wrote: only times need a quiet machine")
    parser.add_argument("--target-dir", type=pathlib.Path, help="cargo's (default $CARGO_TARGET_DIR, else target)")
    parser.add_argument("--product", type=pathlib.Path, help="folder with memguard and its libraries (default TARGET/release)")
    parser.add_argument("--label", default="", help="goes into the name of the results file")
    parser.add_argument("--out", type=pathlib.Path, help="file for the raw data instead of benches/results/")
    parser.add_argument("--resume", type=pathlib.Path, metavar="FILE", help="go on with this file: its workloads are not run again")
    parser.add_argument("--docs", type=pathlib.Path, metavar="FILE", help="make docs/performance.md from this file; nothing is run")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/performance.md as it is")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--list", action="store_true", help="name workloads and variants, and exit")
    options = parser.parse_args()
    if options.list:
        print("workloads: " + " ".join(w.name for w in WORKLOADS))
        print("variants: " + " ".join((*variant.OWN, *variant.PEERS)))
        sys.exit(0)
    options.no_instructions |= options.counted is not None
    options.pairs = (3 if options.quick else 25) if options.pairs is None else options.pairs
    options.budget_minutes = (3 if options.quick else 35) if options.budget_minutes is None else options.budget_minutes
    if options.pairs < 1 or options.budget_minutes <= 0:
        raise BenchError("--pairs must be at least 1, --budget-minutes more than 0")
    return options


def chosen_workloads(options: argparse.Namespace) -> list:
    by_name = {w.name: w for w in WORKLOADS}
    names = [name for given in options.only or [] for name in given.split(",")]
    for name in names:
        if name not in by_name:
            raise BenchError(f"no workload is called {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names] if names else list(WORKLOADS)


def read(path: pathlib.Path) -> dict:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be read ({error})") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise BenchError(f"{path} holds no results of {SCHEMA}")
    if lacking := sorted({"created_at", "machine", "missing", "start_and_end", "per_block_bytes", "results"} - data.keys()):
        raise BenchError(f"{path} is not whole, it lacks {', '.join(lacking)}; measure anew, or take another file of benches/results")
    return data


def resumed(options: argparse.Namespace) -> tuple[dict, pathlib.Path]:
    data = read(options.resume)
    data["errors"] = {}
    return data, options.resume


def fresh(options: argparse.Namespace, place, missing: dict) -> tuple[dict, pathlib.Path]:
    now = datetime.datetime.now(datetime.timezone.utc)
    label = re.sub(r"[^A-Za-z0-9_.-]+", "-", options.label or ("quick" if options.quick else "run"))
    path = options.out
    number = 1
    while path is None or (path != options.out and path.exists()):
        path = ROOT / "benches" / "results" / f"{now:%Y-%m-%d}-{label}{'' if number == 1 else f'-{number}'}.json"
        number += 1
    data = {
        "schema": SCHEMA,
        "created_at": now.isoformat(timespec="seconds"),
        "pairs": options.pairs,
        "budget_minutes": options.budget_minutes,
        "quick": options.quick,
        "machine": machine.describe(place.product),
        "missing": missing,
        "errors": {},
        "start_and_end": {},
        "per_block_bytes": {},
        "results": [],
    }
    return data, path


def make_docs(path: pathlib.Path) -> None:
    table.write(read(path), DOCS)
    command = [system_python(), chart.__file__, str(path), str(DOCS.with_suffix(".svg"))]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        raise BenchError("the chart was not drawn: python3-matplotlib is missing (scripts/install-deps.sh --peers)")
    print(f"{os.path.relpath(DOCS)} and its chart are made from {os.path.relpath(path)}")


def stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        sys.exit(main())
    except BenchError as error:
        print(f"bench.py: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
