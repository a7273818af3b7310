"""Redis's own tests, run against the installed redis-server.

From Debian's source package only the scripts are taken. A group is one unit, run with one client in a copy of the tree.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import tempfile
import threading

from suites import packages
from suites.suite import Place, Suite, SuiteError, Verdicts, Watch, count, output_of

BINARIES = ("redis-server", "redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb", "redis-sentinel")
LIST = re.compile(r"^set ::all_tests \{(.*?)^\}", re.MULTILINE | re.DOTALL)
# Modules would have to be built; the others wait for minutes of wall time.
LEFT_OUT = re.compile(
    r"unit/moduleapi/.*|unit/violations|.*cluster.*|integration/(replication|psync2|dismiss|block|logging|failover|shutdown|corrupt).*|"
    r"unit/(maxmemory|latency-monitor|memefficiency|hyperloglog|oom-score-adj|obuf-limits|replybufsize|client-eviction|querybuf|tls|"
    r"geo|bitops|functions)"
)


class Redis(Suite):
    name = "redis"
    packages = ("redis-server", "redis-tools", "tcl", "dpkg-dev", "procps")
    quick = ("unit/type/string", "unit/type/hash", "unit/auth", "unit/multi", "unit/pubsub", "unit/aofrw")

    def __init__(self) -> None:
        self.ports = [30000, 40000]
        self.lock = threading.Lock()

    def version(self) -> str:
        return output_of(["/usr/bin/redis-server", "--version"], lambda text: " ".join(text.split()[:3]))

    def prepare(self, place: Place) -> None:
        packages.source("redis", place.folder)

    def groups(self, place: Place) -> list[str]:
        text = (packages.source("redis", place.folder) / "tests/test_helper.tcl").read_text()
        found = LIST.search(text)
        if not found:
            raise SuiteError("redis: tests/test_helper.tcl does not list its units as expected; correct suites/redis.py")
        return [unit for unit in found.group(1).split() if not LEFT_OUT.fullmatch(unit)]

    def run_group(self, place: Place, group: str, watch: Watch) -> Verdicts:
        tree = packages.source("redis", place.folder)
        with self.lock:
            port = self.ports.pop()
        copy = pathlib.Path(tempfile.mkdtemp(prefix="redis-", dir=place.folder))
        try:
            shutil.copytree(tree / "tests", copy / "tests", ignore=shutil.ignore_patterns("tmp"))
            (copy / "tests/tmp").mkdir(exist_ok=True)
            shutil.copy(tree / "redis.conf", copy)
            (copy / "src").mkdir()
            for name in BINARIES:
                os.symlink(f"/usr/bin/{name}", copy / "src" / name)
            command = ["/usr/bin/tclsh", "tests/test_helper.tcl", "--clients", "1", "--baseport", str(port), "--portcount", "5000",
                       "--single", group]
            ran = place.run(command, watch, 600, copy, {"TERM": "dumb"})
        finally:
            shutil.rmtree(copy, ignore_errors=True)
            with self.lock:
                self.ports.append(port)
        text = re.sub(r"\x1b\[[0-9;]*m", "", ran.text)
        verdicts: Verdicts = {}
        lines = re.findall(r"^\[(ok|err|ignore|skip)\]: (.*?)(?: \(\d+ ms\))?$", text, re.MULTILINE)
        count(verdicts, group, ((without_figures(name, word), word) for word, name in lines))
        verdicts[f"{group}::exit code"] = str(ran.code)
        return verdicts


def without_figures(name: str, word: str) -> str:
    """An error is followed by its reason; random seeds and counts are part of some names."""
    return re.sub(r"\d{4,}", "N", name.split(" in tests/")[0] if word == "err" else name)
