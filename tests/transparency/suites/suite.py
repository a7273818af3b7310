"""What every suite is: groups of tests that can be run by themselves, plain or behind a prefix that watches.

In: a place to work in and a mode. Out: one verdict for each test, a word that is compared and never interpreted.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
from typing import Callable, Iterable

# Verdicts by test; a test is GROUP::CASE.
Verdicts = dict[str, str]

JOBS = 2
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What `memguard run` ends with when it cannot start the program.
NOT_STARTED = 125


class SuiteError(Exception):
    """A suite cannot be run; the message is one line and says what to do."""


@dataclasses.dataclass(frozen=True)
class Ran:
    """How a command ended and what it said on both streams."""

    code: int
    text: str


@dataclasses.dataclass(frozen=True)
class Watch:
    """A mode: options of `memguard run`, or none at all."""

    mode: str
    launcher: pathlib.Path
    library: pathlib.Path
    options: tuple[str, ...] | None

    def prefix(self) -> list[str]:
        return [] if self.options is None else [str(self.launcher), "run", "--quiet", *self.options, "--"]


class Place:
    """A folder that outlives modes: sources and what was built from them stay, everything else is made anew."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, command: list[str], watch: Watch, seconds_max: float, cwd: pathlib.Path | None = None,
            environment: dict[str, str] | None = None) -> Ran:
        """Runs a command in a session of its own with an empty home; nothing of it is left behind."""
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        try:
            for name in ("home", "tmp", "sessions"):
                (scratch / name).mkdir()
            os.chmod(scratch, 0o755)
            variables = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": str(scratch / "home"), "TMPDIR": str(scratch / "tmp"),
                         "MEMGUARD_DIR": str(scratch / "sessions"), "MEMGUARD_LIB": str(watch.library),
                         "SHELL": "/bin/sh", "USER": "tester", "LOGNAME": "tester", **(environment or {})}
            output = scratch / "output"
            with output.open("wb") as stream:
                process = subprocess.Popen([*watch.prefix(), *command], cwd=cwd or scratch / "tmp", env=variables,
                                           stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
                                           start_new_session=True)
                try:
                    code = process.wait(seconds_max)
                except subprocess.TimeoutExpired:
                    code = -signal.SIGALRM
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            text = output.read_text(errors="replace")
            if watch.options is not None:
                if code == NOT_STARTED and text.startswith("memguard: "):
                    raise SuiteError(text.splitlines()[0])
                reports = (scratch / "sessions").glob("*/report.json")
                if not any(json.loads(report.read_text())["processes"] for report in reports):
                    raise SuiteError(f"nothing of `{' '.join(command)[:100]}` was watched ({watch.mode})")
            return Ran(code, text)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


class Suite:
    """One suite. `packages` are Debian's; `quick` names the groups of the representative part."""

    name = ""
    packages: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()

    def version(self) -> str:
        """The version of what is tested."""
        raise NotImplementedError

    def prepare(self, place: Place) -> None:
        """Fetches and builds what the packages do not hold; does nothing the second time."""

    def groups(self, place: Place) -> list[str]:
        """All groups of the full run."""
        raise NotImplementedError

    def run(self, place: Place, groups: list[str], watch: Watch) -> Verdicts:
        """Verdicts of these groups. By default each group is a session of its own."""
        verdicts: Verdicts = {}
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for part in pool.map(lambda group: self.run_group(place, group, watch), groups):
                verdicts.update(part)
        return verdicts

    def run_group(self, place: Place, group: str, watch: Watch) -> Verdicts:
        """One group by itself."""
        raise NotImplementedError


def count(verdicts: Verdicts, group: str, cases: Iterable[tuple[str, str]]) -> None:
    """Adds cases of a group; a name that occurs again is numbered."""
    for case, verdict in cases:
        name, again = f"{group}::{case}", 1
        while name in verdicts:
            again += 1
            name = f"{group}::{case} ({again})"
        verdicts[name] = verdict


def output_of(command: list[str], pick: Callable[[str], str] = str.strip) -> str:
    """The picked part of what a plain command says."""
    try:
        return pick(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SuiteError(f"{command[0]} does not run ({error}); run scripts/transparency.py with --install") from error
