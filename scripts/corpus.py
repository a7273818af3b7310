#!/usr/bin/env python3
"""The corpus under watch: every labelled program of tests/corpus runs under `memguard run`, and the verdicts are scored.

While a program runs its report is read again and again: what was ever shown counts, not only what stands at the end. Prints one
line per run, then precision, recall, accuracy of class and place, delay, Brier score and calibration for all programs and per
split. --json keeps every finding with its evidence and whether it was true, which is what scoring is fitted to. Ends with 0 if
every program ran and did what its label says, whatever the verdicts; 1 if one did not; 2 if something is missing or wrong.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import corpus_labels
import corpus_score
import results
from corpus_labels import LabelError, Program

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = "memguard.corpus/1"
OPTIONS = {"guard": [], "aggressive": ["--aggressive"]}
# Between two readings of a report.
READ_GAP_S = 0.2
# Beyond a program's seconds: its end, on a busy machine, and the report.
GRACE_S = 60
PYTHON = "/usr/bin/python3"


class CorpusError(Exception):
    """Something is missing; the message is one line and says what to do."""


class Parser(argparse.ArgumentParser):
    """One line about what is wrong, without the usage."""

    def error(self, message: str):
        raise CorpusError(f"{message}; see --help")


class Run:
    """One program, watched from its start to its end."""

    def __init__(self, options: argparse.Namespace, program: Program, built: pathlib.Path):
        self.options, self.program, self.built = options, program, built
        self.report: dict = {}
        self.first_s: dict[int, float] = {}
        self.ever: dict[str, dict] = {}
        self.trouble: str | None = None
        self.ledger: dict[str, int] = {}
        self.started = 0.0

    def command(self) -> list[str]:
        source = self.program.source
        words = [PYTHON, str(source)] if source.suffix == ".py" else [str(self.built / self.program.name)]
        return [*words, "--seconds", f"{self.program.seconds:g}"]

    def go(self) -> dict:
        with tempfile.TemporaryDirectory(prefix="memguard-corpus-", ignore_cleanup_errors=True) as folder:
            scratch = pathlib.Path(folder)
            words = [str(self.options.memguard), "run", "--quiet", *OPTIONS[self.program.mode], "--", *self.command()]
            environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMGUARD_")}
            environment |= {"MEMGUARD_DIR": str(scratch / "sessions"), "CORPUS_LIBRARIES": str(self.built),
                            "PYTHONDONTWRITEBYTECODE": "1", **self.program.environment}
            with open(scratch / "stdout", "wb") as out, open(scratch / "stderr", "wb") as err:
                self.started = time.monotonic()
                process = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                           cwd=scratch, start_new_session=True)
                end = self.started + self.program.seconds + GRACE_S
                while process.poll() is None and time.monotonic() < end:
                    time.sleep(READ_GAP_S)
                    self.read(scratch / "sessions")
                if process.poll() is None:
                    self.trouble = f"it hangs: not over after {self.program.seconds + GRACE_S:g} s"
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            self.read(scratch / "sessions")
            self.check(process.returncode, (scratch / "stdout").read_text(errors="replace"),
                       (scratch / "stderr").read_text(errors="replace"))
        return self.result()

    def read(self, sessions: pathlib.Path) -> None:
        for file in sessions.glob("*/report.json"):
            try:
                self.report = json.loads(file.read_text())
            except (OSError, ValueError):
                continue  # it is being replaced
        now_s = time.monotonic() - self.started
        for finding in self.report.get("findings", []):
            if finding["confidence"] < corpus_score.SHOWN:
                continue
            judged = corpus_score.judge(self.program, finding)
            if judged["true"]:
                self.first_s.setdefault(judged["leak"], now_s)
            # As it was when it was surest, with the time when it was first shown.
            known = self.ever.setdefault(finding["id"], {**judged, "first_s": round(now_s, 2)})
            if known["confidence"] < finding["confidence"]:
                self.ever[finding["id"]] = {**judged, "first_s": known["first_s"]}

    def check(self, status: int, out: str, err: str) -> None:
        """The program must have ended well, been watched, and counted what its label says."""
        said = re.fullmatch(r"(\w+): requests=(\d+) leaked=(\d+) held=(\d+)\n", out)
        if self.trouble is not None:
            return
        if status != 0:
            last = (err.strip().splitlines() or ["it said nothing"])[-1]
            self.trouble = f"it ended with {status}: {last}"
        elif said is None or said[1] != self.program.name:
            self.trouble = f"it said {out[:80]!r} instead of its ledger"
        elif not self.report.get("processes"):
            self.trouble = "it was not watched"
        else:
            self.ledger = {"requests": int(said[2]), "leaked": int(said[3]), "held": int(said[4])}
            if (self.ledger["leaked"] > 0) == self.program.healthy:
                self.trouble = f"its label says {'healthy' if self.program.healthy else 'leaks'}, it counted {self.ledger['leaked']} lost"

    def result(self) -> dict:
        program = self.program
        findings = [corpus_score.judge(program, finding) for finding in self.report.get("findings", [])]
        leaks = []
        for index, leak in enumerate(program.leaks):
            hit = corpus_score.found(index, findings)
            first_s = self.first_s.get(index)
            mine = [f["confidence"] for f in findings if f["leak"] == index]
            leaks.append({
                "function": leak.function, "kinds": list(leak.kinds), "found": hit is not None, "kind": hit and hit["kind"],
                "kind_right": hit and hit["kind_right"], "function_right": hit and hit.get("function_right"),
                "line_right": hit and hit.get("line_right"), "confidence": max(mine, default=None),
                "delay_s": None if first_s is None else round(max(first_s - leak.begins * program.seconds, 0.0), 2),
            })
        return {
            "program": program.name, "language": program.language, "family": program.family, "mode": program.mode,
            "split": program.split, "seconds": program.seconds, "healthy": program.healthy, "trouble": self.trouble,
            "ledger": self.ledger, "rss_mb": [process["rss_mb"] for process in self.report.get("processes", [])],
            "overhead": self.report.get("overhead"), "memory": self.report.get("memory"), "leaks": leaks, "findings": findings,
            "ever": sorted(self.ever.values(), key=lambda finding: finding["first_s"]),
        }


def outcome(run: dict) -> str:
    """What there is to say of a run in a few words."""
    words = [run["trouble"]] if run["trouble"] else []
    for leak in run["leaks"]:
        if not leak["found"]:
            surest = "never suspected" if leak["confidence"] is None else f"{leak['confidence']:.2f} at the end"
            ever = "" if leak["delay_s"] is None else f", shown after {leak['delay_s']:.1f} s and withdrawn"
            words.append(f"MISSED {leak['function'] or leak['kinds'][0]} ({surest}{ever})")
            continue
        delay = "at the end" if leak["delay_s"] is None else f"after {leak['delay_s']:.1f} s"
        kind = leak["kind"] if leak["kind_right"] else f"as {leak['kind']}, not {leak['kinds'][0]}"
        place = "" if leak["function_right"] is not False else ", WRONG PLACE"
        words.append(f"found {leak['confidence']:.2f} {delay} {kind}{place}")
    stands = {f["id"] for f in run["findings"] if not f["true"] and f["confidence"] >= corpus_score.SHOWN}
    for finding in corpus_score.ever_false(run):
        mark = "FALSE" if finding["id"] in stands else "false for a while"
        words.append(f"{mark} {finding['confidence']:.2f} {finding['kind']} {finding['function'] or finding['location']}")
    return "; ".join(words) or "silent, rightly"


def scored(runs: list[dict]) -> dict:
    """Scores of all runs and of each split."""
    groups = {"all": runs} | {split: [run for run in runs if run["split"] == split] for split in corpus_labels.SPLITS}
    return {name: corpus_score.scores(members) for name, members in groups.items() if members}


def print_scores(table: dict) -> None:
    print(f"\n| {' | '.join(['', *table])} |\n|{'---|' * (len(table) + 1)}")
    for row in next(iter(table.values())):
        cells = ["-" if scores[row] is None else f"{scores[row]:g}" for scores in table.values()]
        print(f"| {' | '.join([row, *cells])} |")


def build(out: pathlib.Path, programs: list[Program]) -> None:
    names = [program.name for program in programs]
    done = subprocess.run(["sh", str(ROOT / "scripts/build-corpus.sh"), str(out), *names], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["no message"]
        raise CorpusError(f"the corpus cannot be built: {lines[0]}; scripts/install-deps.sh installs what it needs")


def kept_runs(file: pathlib.Path) -> list[dict]:
    try:
        kept = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CorpusError(f"{file}: {error}") from None
    if not isinstance(kept, dict) or kept.get("schema") != SCHEMA:
        raise CorpusError(f"{file} is not what --json keeps ({SCHEMA})")
    return kept["runs"]


def number_from_1(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def options_of(words: list[str]) -> argparse.Namespace:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--memguard", type=pathlib.Path, default=ROOT / "target/release/memguard", metavar="PATH")
    parser.add_argument("--built", type=pathlib.Path, metavar="DIR", help="where the programs are built (default: beside memguard)")
    parser.add_argument("--split", choices=corpus_labels.SPLITS, help="only programs of this split")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this program; may be repeated")
    parser.add_argument("--jobs", type=number_from_1, default=2, metavar="N", help="programs at a time (default 2)")
    parser.add_argument("--runs", type=number_from_1, default=1, metavar="N", help="of every program (default 1)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="where everything that was seen is kept")
    parser.add_argument("--rescore", type=pathlib.Path, metavar="FILE", help="only print the scores of what --json kept")
    parser.add_argument("--check", action="store_true", help="only check the labels against the sources")
    return parser.parse_args(words)


def chosen(options: argparse.Namespace) -> list[Program]:
    programs = corpus_labels.read()
    names = {program.name for program in programs}
    for name in options.only or []:
        if name not in names:
            raise CorpusError(f"there is no program {name}; tests/corpus/labels.toml has {len(names)}")
    chosen = [p for p in programs if (not options.only or p.name in options.only) and options.split in (None, p.split)]
    if not chosen:
        raise CorpusError(f"none of the programs named is in the split {options.split}")
    return chosen


def main(words: list[str]) -> int:
    options = options_of(words)
    if options.rescore:
        try:
            print_scores(scored(kept_runs(options.rescore)))
        except (KeyError, TypeError, AttributeError) as error:
            raise CorpusError(f"{options.rescore} is not what --json keeps: {type(error).__name__} {error}") from None
        return 0
    programs = chosen(options)
    if options.check:
        print(f"{len(programs)} programs are labelled, {sum(p.healthy for p in programs)} of them healthy")
        return 0
    options.memguard = options.memguard.resolve()
    if not (options.memguard.is_file() and os.access(options.memguard, os.X_OK)):
        raise CorpusError(f"{options.memguard} is missing or no program; run make build, or say --memguard PATH")
    if not os.access(PYTHON, os.X_OK) and any(program.language == "Python" for program in programs):
        raise CorpusError(f"{PYTHON} is missing; scripts/install-deps.sh installs it")
    if options.json:
        try:
            options.json.open("a").close()  # now, and not when everything has run
        except OSError as error:
            raise CorpusError(f"--json: {options.json} cannot be written ({error.strerror})") from None
    built = (options.built or options.memguard.parent.parent / "corpus").resolve()
    build(built, programs)
    # The longest first, so that no processor waits for one at the end.
    order = sorted(programs * options.runs, key=lambda program: -program.seconds)
    runs: list[dict] = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = [pool.submit(Run(options, program, built).go) for program in order]
        try:
            for done in concurrent.futures.as_completed(waiting):
                runs.append(done.result())
                print(f"{runs[-1]['program']} ({runs[-1]['mode']}, {runs[-1]['split']}): {outcome(runs[-1])}", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            print("corpus.py: stopped; the programs that run end within their seconds", file=sys.stderr)
            return 130
    runs.sort(key=lambda run: run["program"])
    table = scored(runs)
    if options.json:
        version = subprocess.run([options.memguard, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        kept = {"schema": SCHEMA, "date": time.strftime("%Y-%m-%d"), "memguard": version, "jobs": options.jobs, "scores": table, "runs": runs}
        results.keep(kept, options.json)
    print_scores(table)
    return 1 if any(run["trouble"] for run in runs) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (CorpusError, LabelError) as error:
        print(f"corpus.py: {error}", file=sys.stderr)
        sys.exit(2)
