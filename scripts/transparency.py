#!/usr/bin/env python3
"""Test suites that others wrote, plain and under watch: every single test must end the same.

Runs CPython's, stress-ng's, git's, SQLite's and Redis's own tests (tests/transparency/suites) plain, under `memguard run` and
under `memguard run --aggressive`, and compares verdicts test by test. Groups with a difference are run again, three times plain
and three times watched: a test whose verdicts then still have nothing in common differs. Writes one JSON file into
tests/transparency/results and a table to stdout. Ends with 0 if every difference has its cause in tests/transparency/causes.toml,
1 if one has none, 2 if something is missing.

    transparency.py                                   all suites, all modes (hours)
    transparency.py --quick                           the representative part (minutes)
    transparency.py --only cpython:test_os --work W   one group; W keeps sources, builds and verdicts, and is taken up again
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time
import tomllib

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "tests/transparency"
sys.path.insert(0, str(HERE))

from results import keep  # noqa: E402
from suites import ALL, packages  # noqa: E402
from suites.suite import Place, Suite, SuiteError, Verdicts, Watch  # noqa: E402

MODES = {"plain": None, "guard": (), "aggressive": ("--aggressive",)}
AGAIN = 3
ABSENT = "absent"


@dataclasses.dataclass
class Outcome:
    """One suite in one mode."""

    verdicts: Verdicts
    seconds: float


@dataclasses.dataclass
class Difference:
    """One test that did not end the same, and all its verdicts, first run first."""

    test: str
    plain: list[str]
    watched: list[str]

    @property
    def kind(self) -> str:
        """`differs`: no verdict in common. `sometimes`: steady plain, not so watched. `unsteady`: varies plain too."""
        if not set(self.plain) & set(self.watched):
            return "differs"
        return "sometimes" if len(set(self.plain)) == 1 else "unsteady"


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        wanted = chosen(options.only)
        modes = ["plain", *(mode for mode in options.modes if mode != "plain")]
        watches = {mode: Watch(mode, options.launcher, options.library, MODES[mode]) for mode in modes}
        for path in (options.launcher, options.library) if modes != ["plain"] else ():
            if not path.is_file():
                raise SuiteError(f"{path} is missing; run `make build`")
        need(wanted, options.install)
        with tempfile.TemporaryDirectory(prefix="memguard-transparency-") as folder:
            place = Place(options.work or pathlib.Path(folder))
            results = {suite.name: measure(suite, groups, place, watches, options.quick) for suite, groups in wanted.items()}
    except SuiteError as error:
        print(f"transparency.py: {error}", file=sys.stderr)
        return 2
    document = {"schema": "memguard.transparency/1", "date": datetime.date.today().isoformat(), "machine": machine(),
                "commit": commit(), "quick": options.quick, "suites": results}
    part = "-quick" if options.quick else "-part" if options.only else ""
    path = options.results / f"{document['date']}{part}.json"
    keep(document, path)
    print(table(results))
    unexplained = [(name, mode, difference) for name, result in results.items() for mode, outcome in result["modes"].items()
                   for difference in outcome.get("differences", ()) if difference["kind"] == "differs" and not difference["cause"]]
    for name, mode, difference in unexplained:
        print(f"transparency.py: {name}, {mode}: {difference['test']} ends with {difference['watched']} instead of {difference['plain']}",
              file=sys.stderr)
    return 1 if unexplained else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    out = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser = argparse.ArgumentParser(description="Runs test suites that others wrote plain and under watch, and compares every test.")
    parser.add_argument("--only", action="append", metavar="SUITE[:GROUP]", default=[],
                        help=f"only this suite, or group of it; may be repeated ({', '.join(ALL)})")
    parser.add_argument("--modes", type=modes_of, default=list(MODES), metavar="plain,guard,aggressive", help="modes (default: all)")
    parser.add_argument("--quick", action="store_true", help="the representative part of each suite")
    parser.add_argument("--install", action="store_true", help="install missing Debian packages (as root)")
    parser.add_argument("--work", type=pathlib.Path, metavar="DIR", help="keep sources, builds and verdicts here, and use those there are")
    parser.add_argument("--results", type=pathlib.Path, metavar="DIR", default=HERE / "results", help="where the result is written")
    parser.add_argument("--launcher", type=pathlib.Path, default=os.environ.get("MEMGUARD_BIN", out / "memguard"), help="memguard")
    parser.add_argument("--library", type=pathlib.Path, default=os.environ.get("MEMGUARD_SO", out / "libmemguard.so"),
                        help="libmemguard.so")
    return parser.parse_args(arguments)


def modes_of(text: str) -> list[str]:
    modes = text.split(",")
    for mode in modes:
        if mode not in MODES:
            raise argparse.ArgumentTypeError(f"unknown mode {mode!r}; choose from {', '.join(MODES)}")
    return modes


def chosen(only: list[str]) -> dict[Suite, list[str]]:
    """Suites and, where the command line names them, groups."""
    wanted: dict[Suite, list[str]] = {}
    for entry in only or ALL:
        name, _, group = entry.partition(":")
        if name not in ALL:
            raise SuiteError(f"unknown suite {name!r}; choose from {', '.join(ALL)}")
        groups = wanted.setdefault(ALL[name], [])
        if group:
            groups.append(group)
    return wanted


def need(wanted: dict[Suite, list[str]], install: bool) -> None:
    names = tuple(sorted({package for suite in wanted for package in suite.packages}))
    missing = packages.missing(names)
    if missing and not install:
        raise SuiteError(f"missing packages; run `apt-get install {' '.join(missing)}` as root, or this with --install")
    if missing:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "-q", "-y", "install", "--no-install-recommends", *missing]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise SuiteError(f"apt-get could not install {' '.join(missing)}; install them as root, then run this again")


def measure(suite: Suite, named: list[str], place: Place, watches: dict[str, Watch], quick: bool) -> dict:
    """All modes of one suite."""
    suite.prepare(place)
    every = suite.groups(place)
    unknown = [group for group in named if group not in every]
    if unknown:
        raise SuiteError(f"{suite.name} has no group {unknown[0]!r}")
    groups = named or ([group for group in suite.quick if group in every] if quick else every)
    part = "named" if named else "quick" if quick else "full"
    outcomes = {mode: outcome(suite, groups, place, watch, part) for mode, watch in watches.items()}
    plain = outcomes["plain"]
    result = {"version": suite.version(), "groups": len(groups), "modes": {}}
    for mode, this in outcomes.items():
        entry = {"tests": len(this.verdicts), "seconds": round(this.seconds), "verdicts": totals(this.verdicts)}
        if mode != "plain":
            found = differences(suite, place, watches["plain"], watches[mode], plain.verdicts, this.verdicts)
            same = sum(plain.verdicts.get(test) == verdict for test, verdict in this.verdicts.items())
            entry |= {"same_at_once": same, "differences": [listed(suite, mode, one) for one in found]}
        result["modes"][mode] = entry
    return result


def outcome(suite: Suite, groups: list[str], place: Place, watch: Watch, part: str) -> Outcome:
    """Runs a suite in a mode, or takes what an earlier run in the same working folder found."""
    kept = place.folder / f"verdicts-{suite.name}-{part}-{watch.mode}.json"
    if part != "named" and kept.exists():
        return Outcome(**json.loads(kept.read_text()))
    say(f"{suite.name}, {watch.mode}: {len(groups)} groups")
    began = time.monotonic()
    verdicts = suite.run(place, groups, watch)
    this = Outcome(verdicts, time.monotonic() - began)
    kept.write_text(json.dumps(dataclasses.asdict(this)))
    say(f"{suite.name}, {watch.mode}: {len(verdicts)} tests in {this.seconds:.0f} s")
    return this


def differences(suite: Suite, place: Place, plain: Watch, watched: Watch, before: Verdicts, after: Verdicts) -> list[Difference]:
    """Tests that differ; what differed at once is run again together with its group."""
    tests = sorted(test for test in before.keys() | after.keys() if before.get(test) != after.get(test))
    if not tests:
        return []
    groups = sorted({test.split("::")[0] for test in tests})
    say(f"{suite.name}, {watched.mode}: {len(tests)} tests differ at first, in {' '.join(groups)}; again")
    found = {test: Difference(test, [before.get(test, ABSENT)], [after.get(test, ABSENT)]) for test in tests}
    for _ in range(AGAIN):
        first = suite.run(place, groups, plain)
        second = suite.run(place, groups, watched)
        for test, one in found.items():
            one.plain.append(first.get(test, ABSENT))
            one.watched.append(second.get(test, ABSENT))
    return list(found.values())


def listed(suite: Suite, mode: str, difference: Difference) -> dict:
    """A difference as it is written, with its cause if that is known."""
    known = tomllib.loads((HERE / "causes.toml").read_text())["cause"]
    cause = next((entry["why"] for entry in known if entry["suite"] == suite.name and mode in entry.get("modes", MODES)
                  and re.search(entry["test"], difference.test)), None)
    return dataclasses.asdict(difference) | {"kind": difference.kind, "cause": cause}


def totals(verdicts: Verdicts) -> dict[str, int]:
    """How often each verdict occurs; figures are one kind."""
    words = ("a figure" if re.search(r"\d", verdict) else verdict for verdict in verdicts.values())
    return dict(sorted(collections.Counter(words).items()))


def table(results: dict) -> str:
    rows = [("suite", "mode", "tests", "seconds", "differ", "sometimes", "unsteady")]
    for name, result in results.items():
        for mode, entry in result["modes"].items():
            kinds = collections.Counter(difference["kind"] for difference in entry.get("differences", ()))
            counts = ("", "", "") if mode == "plain" else (kinds["differs"], kinds["sometimes"], kinds["unsteady"])
            rows.append((name, mode, entry["tests"], entry["seconds"], *counts))
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def machine() -> dict:
    return {"system": platform.system(), "kernel": platform.release(), "architecture": platform.machine(),
            "libc": " ".join(platform.libc_ver()), "processors": os.cpu_count()}


def commit() -> str:
    ended = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() or "unknown"


def say(text: str) -> None:
    print(f"transparency.py: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
