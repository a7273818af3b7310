#!/usr/bin/env python3
"""Chaos under watch: a program that does everything at once, ten minutes in guard mode and ten in aggressive mode.

tests/targets/chaos.c runs with a seed under `memguard run` and checks itself. A run fails if it does not say "ok SEED" and end
with 0, if it hangs, if a finding of --confidence or more is shown at any moment for what it gives back, or if in the end one of
the planted leaks is not named (--no-plant leaves them out). Between its first line and its end nobody else touches it: its
children are stopped and killed by itself. The same --seed makes the same choices in every thread. Prints a table; ends with 0
if all is well, 1 if not, 2 if something is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLANTED = ("plant_heap", "plant_descriptor", "plant_thread")
MODES = {"guard": [], "aggressive": ["--aggressive"]}
POLL_S = 0.5
# Beyond its seconds: to end its children, wait for its threads, and write the report.
GRACE_S = 120


class ChaosError(Exception):
    """Something is missing; the message is one line and says what to do."""


def build(out: pathlib.Path) -> pathlib.Path:
    done = subprocess.run(["sh", str(ROOT / "scripts/build-targets.sh"), str(out)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChaosError((done.stderr.strip().splitlines() or ["the targets cannot be built"])[-1])
    return out / "chaos"


def functions(finding: dict) -> list[str]:
    return [frame["function"] for frame in finding["stack"] if frame["role"] == "application"][:1]


def places_of(root_pid: int) -> str:
    """Where the threads of a program that hangs are, for whoever looks for the reason."""
    lines = []
    for task in sorted(pathlib.Path(f"/proc/{root_pid}/task").glob("*")):
        try:
            for child in (task / "children").read_text().split():
                lines.append(places_of(int(child)))
            lines.append(f"{task.parent.parent.name}/{task.name} {(task / 'comm').read_text().strip()}: "
                         f"{(task / 'wchan').read_text()} {(task / 'syscall').read_text().strip()}")
        except OSError:
            continue
    return "\n".join(line for line in lines if line)


class Run:
    """One run, watched from its start to its end."""

    def __init__(self, options: argparse.Namespace, program: pathlib.Path, mode: str, seed: int):
        self.options, self.mode, self.seed = options, mode, seed
        self.words = [str(program), "--seed", str(seed), "--seconds", str(options.seconds), *([] if options.no_plant else ["--plant"])]
        self.failures: list[str] = []
        self.strangers: dict[str, str] = {}
        self.last: dict = {}

    def read(self, sessions: pathlib.Path) -> None:
        for file in sessions.glob("*/report.json"):
            try:
                self.last = json.loads(file.read_text())
            except (OSError, ValueError):
                continue
        for finding in self.shown():
            # That its allocator takes more than it needs, with an area for each of so many threads, is true.
            if finding["pattern"] != "fragmentation" and not set(functions(finding)) & set(PLANTED):
                key = f"{finding['kind']} {finding['location']}"
                self.strangers[key] = f"{finding['confidence']:.2f} {finding['detail']}"

    def shown(self) -> list[dict]:
        return [f for f in self.last.get("findings", []) if f["confidence"] >= self.options.confidence]

    def go(self) -> None:
        with tempfile.TemporaryDirectory(prefix="memguard-chaos-", ignore_cleanup_errors=True) as folder:
            scratch = pathlib.Path(folder)
            sessions = scratch / "sessions"
            command = [str(self.options.memguard), "run", "--quiet", *MODES[self.mode], "--", *self.words]
            with open(scratch / "stdout", "wb") as out, open(scratch / "stderr", "wb") as err:
                process = subprocess.Popen(command, env={**os.environ, "MEMGUARD_DIR": str(sessions)}, stdin=subprocess.DEVNULL,
                                           stdout=out, stderr=err, start_new_session=True)
                end = time.monotonic() + self.options.seconds + GRACE_S
                while process.poll() is None and time.monotonic() < end:
                    time.sleep(POLL_S)
                    self.read(sessions)
                if process.poll() is None:
                    self.failures.append("it hangs")
                    print(places_of(process.pid), file=sys.stderr)
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            self.read(sessions)
            said = (scratch / "stdout").read_text(errors="replace")
            complaint = (scratch / "stderr").read_text(errors="replace").strip()
            self.said = complaint.splitlines()[-1] if complaint else ""
            if process.returncode != 0 or said != f"ok {self.seed}\n":
                self.failures.append(f"it ended with {process.returncode}: {self.said}")
            if not self.last.get("processes"):
                self.failures.append("it was not watched")
            named = {name for finding in self.shown() for name in functions(finding)}
            if not self.options.no_plant and not self.failures:
                self.failures += [f"{name} was not found" for name in PLANTED if name not in named and name not in self.beyond_budget()]
            self.failures += [f"{key} was not planted: {detail}" for key, detail in self.strangers.items()]
            if self.failures and self.options.keep:
                self.options.keep.mkdir(parents=True, exist_ok=True)
                kept = self.options.keep / f"chaos-{self.mode}-{self.seed}.json"
                kept.write_text(json.dumps(self.last, indent=1))

    def beyond_budget(self) -> dict[str, str]:
        """What cannot be asked for: a program that does nothing but provoke hooks has its heap thinned, and a planted leak of
        some tens of megabytes then has no samples to be found by. The report says so."""
        overhead = self.last.get("overhead", {})
        base, peak = overhead.get("sample_bytes_base", 1), overhead.get("sample_bytes_peak", 1)
        if peak < 4 * base:
            return {}
        return {"plant_heap": f"the heap was thinned to one sample in {peak >> 10} KiB, plant_heap is not asked for"}

    def row(self) -> str:
        processes = self.last.get("processes", [])
        overhead = self.last.get("overhead", {})
        lost: dict[str, int] = {}
        for process in processes:
            for cause, count in process["lost"].items():
                if count:
                    lost[cause] = lost.get(cause, 0) + count
        stacks = {key: sum(p["stacks"][key] for p in processes) for key in ("complete", "truncated", "lost")}
        cells = [self.mode, self.seed, self.options.seconds, len(processes), overhead.get("hook_cpu_percent"),
                 overhead.get("collector_cpu_percent"), json.dumps(stacks), json.dumps(lost), self.said,
                 "; ".join(self.failures or ["ok", *self.beyond_budget().values()])]
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", type=pathlib.Path, default=ROOT / "target/release/memguard", metavar="PATH")
    parser.add_argument("--targets", type=pathlib.Path, metavar="DIR", help="where the programs are built (default: beside memguard)")
    parser.add_argument("--seed", type=int, metavar="N", help="default: another each time; a run that fails names it")
    parser.add_argument("--seconds", type=int, default=600, metavar="N", help="of each run (default 600)")
    parser.add_argument("--mode", choices=sorted(MODES), help="default: both, one after the other")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="of each mode, with seeds that count up (default 1)")
    parser.add_argument("--no-plant", action="store_true", help="nothing leaks")
    parser.add_argument("--confidence", type=float, default=0.5, metavar="C")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="where the report of a run that failed is kept")
    options = parser.parse_args()
    options.memguard = options.memguard.resolve()
    if not options.memguard.exists():
        raise ChaosError(f"{options.memguard} is missing; run make build, or say --memguard PATH")
    program = build(options.targets or options.memguard.parent.parent / "chaos-targets")
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    print("| mode | seed | seconds | processes | hooks, CPU % | collector, CPU % | stacks | lost | what it did | outcome |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    bad = 0
    for mode in [options.mode] if options.mode else MODES:
        for number in range(options.runs):
            run = Run(options, program, mode, seed + number)
            run.go()
            bad += bool(run.failures)
            print(run.row(), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ChaosError as error:
        print(f"chaos.py: {error}", file=sys.stderr)
        sys.exit(2)
