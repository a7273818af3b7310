#!/usr/bin/env python3
"""How long requests and single calls take, plain, guard and audit, in alternating rounds.

    latency.py [--memguard PATH] [--rounds N] [--output FILE] [--docs FILE]

Requests: redis and nginx under benches/programs/requests.c, which sends at a fixed rate whatever the server does. Calls: those of
benches/programs/pauses.c, one by one. A percentile is the median over the rounds. The longest of a round is the scheduler's as
often as ours: of the rounds' longest the least is shown, which only a pause that comes every time can raise. Writes JSON after each
round, and the tables of docs/latency.md; --docs renders those from a file and measures nothing. Some six minutes.
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

import results
from scaling import MODES, describe_machine, replace_between, stored
from soak import ROOT, SERVICES, SoakError, need, wait_for_port

DOCS = ROOT / "docs" / "latency.md"
SCHEMA = "memguard.latency/1"
COLUMNS = ("first", "p50", "p99", "p99.9", "p99.99", "max")
REQUEST_COLUMNS = ("p50", "p99", "p99.9", "max")
# Some three tenths of what they manage on two cores that they share with the client.
SERVED = {"redis": ("redis", 5000), "nginx": ("http", 4000)}
LINKS = 16
REQUESTS_S = 5


def measure(options: argparse.Namespace) -> dict:
    result: dict = {"schema": SCHEMA, "created_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
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
            results.keep(result, options.output)
        client = pathlib.Path(folder) / "requests"
        subprocess.run([need("gcc", "gcc"), "-O2", "-o", client, ROOT / "benches/programs/requests.c"], check=True)
        result["requests"] = {name: [] for name in SERVED}
        for number in range(options.rounds // 2):
            for name, rows in result["requests"].items():
                order = list(MODES) if number % 2 == 0 else list(MODES)[::-1]
                rows.append({mode: requests(name, mode, client, options) for mode in order})
                results.keep(result, options.output)
    return result


def requests(name: str, mode: str, client: pathlib.Path, options: argparse.Namespace) -> dict:
    """One service under one mode, and what the client says."""
    with tempfile.TemporaryDirectory(prefix="memguard-latency-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        service = SERVICES[name](scratch)
        words = MODES[mode]
        prefix = [str(options.memguard), words[0], "--dir", f"{folder}/sessions", *words[1:], "--"] if words else []
        quiet = subprocess.DEVNULL
        server = subprocess.Popen([*prefix, *service.command], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        try:
            wait_for_port(server, service.port)
            protocol, rate = SERVED[name]
            command = [client, protocol, service.port, rate, REQUESTS_S, LINKS]
            ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
        finally:
            server.terminate()
            server.wait(60)
    if ended.returncode != 0:
        raise SoakError(f"the client of {name} under {mode} ended with {ended.returncode}: {ended.stderr.strip()[-200:]}")
    return json.loads(ended.stdout)


def table(result: dict) -> list[str]:
    machine, rounds = result["machine"], result["rounds"]
    lines = [
        f"Measured {result['created_at'][:10]} on {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, commit {machine['commit']}, "
        f"load {machine['load']:.1f}. In µs; in brackets the difference to plain.", "",
        f"Requests, from when they were due to their answer's last byte; {len(result['requests']['redis'])} rounds of {REQUESTS_S} s:", "",
        "| service | mode | p50 | p99 | p99.9 | longest, least of the rounds |", "|---|---|---|---|---|---|",
    ]
    for name, rows in result["requests"].items():
        lines += [f"| {name}, {SERVED[name][1]:,} a second | {line}" for line in modes_of(rows, REQUEST_COLUMNS)]
    lines += ["", f"Single calls, pinned to one processor; {len(rounds)} rounds:", "",
              "| call | mode | first | p50 | p99 | p99.9 | p99.99 | longest, least of the rounds |", "|---|---|---|---|---|---|---|---|"]
    for kind in rounds[0]["plain"]:
        calls = [{mode: row[mode][kind] for mode in MODES} for row in rounds]
        lines += [f"| {kind} | {line}" for line in modes_of(calls, COLUMNS)]
    return lines


def modes_of(rows: list[dict], columns: tuple[str, ...]) -> list[str]:
    """A line for each mode: medians over the rounds, and the least of the longest."""
    lines = []
    for mode in MODES:
        cells = []
        for column in columns:
            fold = min if column == "max" else statistics.median
            value, plain = (fold(row[one][column] for row in rows) / 1000 for one in (mode, "plain"))
            cells.append(f"{value:.2f}" + ("" if mode == "plain" else f" ({value - plain:+.2f})"))
        lines.append(f"{mode} | " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", type=pathlib.Path, default=ROOT / "target/release/memguard", metavar="PATH")
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="rounds of all modes for calls, half as many for requests (default 12)")
    parser.add_argument("--calls", type=int, default=1_000_000, metavar="N", help="malloc calls a run (default 1000000)")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE", help="default benches/results/DATE-latency.json")
    parser.add_argument("--docs", type=pathlib.Path, metavar="FILE", help="render the document from this file and measure nothing")
    options = parser.parse_args()
    if options.docs:
        replace_between(DOCS, "latency", table(stored(options.docs, SCHEMA)))
        return 0
    options.memguard = options.memguard.resolve()
    if not options.memguard.exists():
        raise SoakError(f"{options.memguard} is missing; run make build, or say --memguard PATH")
    options.output = options.output or ROOT / "benches" / "results" / f"{datetime.date.today()}-latency.json"
    replace_between(DOCS, "latency", table(measure(options)))
    print(options.output)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SoakError as error:
        print(f"latency.py: {error}", file=sys.stderr)
        sys.exit(2)
