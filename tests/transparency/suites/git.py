"""git's own tests, run against the installed git.

From Debian's source package only the helper of the tests is built. A group is one script of t/, a case one of its tests.
"""

from __future__ import annotations

import pathlib
import re

from suites import packages
from suites.suite import Place, Suite, Verdicts, Watch, count, output_of

GIT = "/usr/bin/git"
# Left out of the helper: libraries that the tests below do not need.
BUILD = ["NO_CURL=1", "NO_GETTEXT=1", "NO_EXPAT=1", "NO_OPENSSL=1", "NO_TCLTK=1", "CFLAGS=-O0 -w"]
# Basics, commits, refs, index, object store, diffs, patches, merges, packs and protocols.
FULL = re.compile(r"t(0\d\d\d|1[0-5]\d\d|2[0-2]\d\d|3[0-4]\d\d|4[0-1]\d\d|53\d\d|5[5-6]\d\d|7[0-5]\d\d)-.*\.sh")


class Git(Suite):
    name = "git"
    packages = ("git", "gcc", "make", "libc6-dev", "zlib1g-dev", "dpkg-dev")
    quick = ("t0001-init.sh", "t0005-signals.sh", "t0061-run-command.sh", "t1006-cat-file.sh", "t3200-branch.sh", "t5510-fetch.sh",
             "t7500-commit-template-squash-signoff.sh")

    def version(self) -> str:
        return output_of([GIT, "--version"])

    def prepare(self, place: Place) -> None:
        tree = packages.source("git", place.folder)
        packages.build(["make", "-j2", *BUILD, "t/helper/test-tool", "GIT-BUILD-OPTIONS"], tree)
        packages.build(["make", "-C", "templates", "SHELL_PATH=/bin/sh", "PERL_PATH=/usr/bin/perl"], tree)

    def groups(self, place: Place) -> list[str]:
        folder = packages.source("git", place.folder) / "t"
        return sorted(path.name for path in folder.glob("t*.sh") if FULL.fullmatch(path.name))

    def run_group(self, place: Place, group: str, watch: Watch) -> Verdicts:
        folder = packages.source("git", place.folder) / "t"
        # The suite would preload glibc's checking allocator in the place of what is preloaded already.
        environment = {"GIT_TEST_INSTALLED": str(pathlib.Path(GIT).parent), "TEST_NO_MALLOC_CHECK": "1", "TERM": "dumb"}
        trash = folder / f"trash-{group}-{watch.mode}"
        ran = place.run(["/bin/bash", group, f"--root={trash}"], watch, 900, folder, environment)
        packages.remove(trash)
        verdicts: Verdicts = {}
        count(verdicts, group, map(verdict, re.findall(r"^(?:not )?ok \d+.*$", ran.text, re.MULTILINE)))
        verdicts[f"{group}::exit code"] = str(ran.code)
        return verdicts


def verdict(line: str) -> tuple[str, str]:
    """A line of TAP: `ok 3 - name # directive`."""
    found = re.fullmatch(r"(not )?ok (\d+)(?: - )?(.*?)(?: # (skip|SKIP|TODO)(.*))?", line)
    bad, number, name, directive, _ = found.groups() if found else ("", "", line, None, "")
    if directive:
        return f"{number} {name}".strip(), f"{'not ' if bad else ''}ok, {directive.lower()}"
    return f"{number} {name}".strip(), "fail" if bad else "pass"
