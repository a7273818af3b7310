#!/usr/bin/env python3
"""The longest pauses that hooks cause: single calls of benches/programs/pauses.c, plain, guard and audit, in alternating rounds.

    latency.py [--memguard PATH] [--rounds N] [--output FILE] [--docs FILE]

A percentile is the median over the rounds. The longest call of a round is the scheduler's as often as ours: of the rounds' longest
the least is shown, which only a pause that comes every time can raise. Writes JSON after each round, and the table of
docs/latency.md; --docs renders that from a file and measures nothing. Requests to services are not measured here.
"""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from scaling import MODES, describe_machine
from soak import ROOT, SoakError, need

DOCS = ROOT / "docs" / "latency.md"
START, STOP = "<!-- latency: generated -->", "<!-- latency: end -->"
COLUMNS = ("first", "p50", "p99", "p99.9", "p99.99", "max")


def measure(options: argparse.Namespace) -> dict:
    result: dict = {"schema": "memguard.latency/1", "created_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                    "machine": describe_machine(), "rounds": []}
    with tempfile.TemporaryDirectory(prefix="memguard-latency-") as folder:
        program = pathlib.Path(folder) / "pauses"
        subprocess.run([need("gcc", "gcc"), "-O1", "-o", program, ROOT / "benches/programs/pauses.c", "-pthread"], check=True)
        for number in range(options.rounds):
            order = list(MODES) if number % 2 == 0 else list(MODES)[::-1]
            row = {}
            for mode in order:
                words = MODES[mode]
                prefix = [str(options.memguard), words[0], "--dir", f"{folder}/sessions", *words[1:], "--"] if words else []
                ended = subprocess.run([*prefix, str(program), str(options.calls)], capture_output=True, text=True, timeout=300, check=False)
                if ended.returncode != 0:
                    raise SoakError(f"pauses under {mode} ended with {ended.returncode}: {ended.stderr.strip()[-200:]}")
                row[mode] = {line["kind"]: line for line in map(json.loads, ended.stdout.splitlines())}
            result["rounds"].append(row)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(json.dumps(result, indent=1) + "\n")
    return result


def table(result: dict) -> list[str]:
    machine, rounds = result["machine"], result["rounds"]
    lines = [
        f"Measured {result['created_at'][:10]} on {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, commit {machine['commit']}, "
        f"load {machine['load']:.1f}; {len(rounds)} rounds. In µs; in brackets the difference to plain.", "",
        "| call | mode | first | p50 | p99 | p99.9 | p99.99 | longest, least of the rounds |", "|---|---|---|---|---|---|---|---|",
    ]
    for kind in rounds[0]["plain"]:
        for mode in MODES:
            cells = []
            for column in COLUMNS:
                fold = min if column == "max" else statistics.median
                value, plain = (fold(row[one][kind][column] for row in rounds) / 1000 for one in (mode, "plain"))
                cells.append(f"{value:.2f}" + ("" if mode == "plain" else f" ({value - plain:+.2f})"))
            lines.append(f"| {kind} | {mode} | " + " | ".join(cells) + " |")
    return lines


def render(result: dict) -> None:
    text = DOCS.read_text()
    if START not in text or STOP not in text:
        raise SoakError(f"{DOCS} has no markers {START} and {STOP}; put them where the table belongs")
    before, _, rest = text.partition(START)
    DOCS.write_text(before + START + "\n" + "\n".join(table(result)) + "\n" + STOP + rest.partition(STOP)[2])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", type=pathlib.Path, default=ROOT / "target/release/memguard", metavar="PATH")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds of all modes (default 15)")
    parser.add_argument("--calls", type=int, default=1_000_000, metavar="N", help="malloc calls a run (default 1000000)")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="default benches/results/DATE-latency.json")
    parser.add_argument("--docs", type=pathlib.Path, metavar="FILE", help="render the document from this file and measure nothing")
    options = parser.parse_args()
    if options.docs:
        render(json.loads(options.docs.read_text()))
        return 0
    options.memguard = options.memguard.resolve()
    if not options.memguard.exists():
        raise SoakError(f"{options.memguard} is missing; run make build, or say --memguard PATH")
    options.output = options.output or ROOT / "benches" / "results" / f"{datetime.date.today()}-latency.json"
    render(measure(options))
    print(options.output)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SoakError as error:
        print(f"latency.py: {error}", file=sys.stderr)
        sys.exit(2)
