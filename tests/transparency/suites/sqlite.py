"""SQLite's own tests: testfixture, built from Debian's source package, and the scripts that `veryquick` runs.

A group is one script, run by a testfixture of its own; a case is one of its tests.
"""

from __future__ import annotations

import re

from suites import packages
from suites.suite import Place, Suite, Verdicts, Watch, count

CONFIGURE = ["./configure", "--disable-shared", "--enable-all", "CFLAGS=-O1 -w"]
# Named by the author as slow, as leaders of other scripts, or in need of what is not built.
LEFT_OUT = re.compile(
    r"(all|async|async2|async3|bigfile|bigfile2|corrupt[0-9A-Z]*|crash\d*|extraquick|full|fts4aa|fuzz\w*|malloc\w*|mallocAll|memleak|"
    r"memsubsys\d|misc7|mutex\d|permutations|quick|rtree|savepoint4|selectG|shmlock|soak|speed\w*|sqllimits1|threadtest\w*|"
    r"thread\d+|tkt35xx|vacuum3?|veryquick|walslow|walthread|walcrash\d*|wal3|walfault\d*|pagerfault\d*|.*fault\d*|e_vacuum|"
    r"e_walauto|backup_ioerr|ioerr\d*|.*ioerr\d*|attachmalloc|boundary\d|zeroblob|incrvacuum\d*|like|releasetest|sort4|sort2|"
    r"fts3\w*|fts4\w*|wapptest|manydb|loadext\d*|window\d|windowB|in\d|avtrans)\.test"
)


class Sqlite(Suite):
    name = "sqlite"
    packages = ("tcl", "tcl-dev", "gcc", "make", "libc6-dev", "dpkg-dev")
    quick = ("select1.test", "insert.test", "lock.test", "pager1.test", "wal.test", "e_fkey.test", "temptable.test", "shared.test")

    def version(self) -> str:
        return "SQLite, Debian's source package"

    def prepare(self, place: Place) -> None:
        tree = packages.source("sqlite3", place.folder)
        if not (tree / "Makefile").exists():
            packages.build(CONFIGURE, tree)
        packages.build(["make", "testfixture"], tree)

    def groups(self, place: Place) -> list[str]:
        folder = packages.source("sqlite3", place.folder) / "test"
        return sorted(path.name for path in folder.glob("*.test") if not LEFT_OUT.fullmatch(path.name))

    def run_group(self, place: Place, group: str, watch: Watch) -> Verdicts:
        tree = packages.source("sqlite3", place.folder)
        ran = place.run([str(tree / "testfixture"), str(tree / "test" / group)], watch, 600)
        return read(group, ran.text) | {f"{group}::exit code": str(ran.code)}


def read(group: str, text: str) -> Verdicts:
    """`name... Ok`, or `name...` and then `! name expected: …`."""
    verdicts: Verdicts = {}
    bad = set(re.findall(r"^! (\S+) (?:expected|got)", text, re.MULTILINE))
    names = re.findall(r"^(\S+)\.\.\.(.*)$", text, re.MULTILINE)
    count(verdicts, group, ((name, "fail" if name in bad else "omitted" if "Omitted" in rest else "pass") for name, rest in names))
    totals = re.search(r"(\d+) errors out of (\d+) tests", text)
    verdicts[f"{group}::totals"] = totals.group(0) if totals else "not said"
    return verdicts
