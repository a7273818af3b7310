"""CPython's own tests, as Debian packages them, run by the system's interpreter.

One `python3.11 -m test` with workers for all groups; a group is a module of tests, a case a method of it.
"""

from __future__ import annotations

import pathlib
import re
import tempfile
import xml.etree.ElementTree

from suites.suite import JOBS, Place, Suite, SuiteError, Verdicts, Watch, output_of

PYTHON = "/usr/bin/python3.11"
MODULE_TIMEOUT_S = 1200
WHOLE = "(module)"
# Heading of each list in the summary, and what it says of the modules below it.
HEADINGS = {
    "failed": "fail", "skipped": "skip", "altered the execution environment": "environment changed", "run no tests": "no tests",
    "skipped (resource denied)": "skip", "omitted": "omitted",
}
# Minutes of pure computation in one process each, which say nothing about a preloaded library.
OMITTED = {
    "test_tokenize", "test_unicodedata", "test_lib2to3", "test_tools", "test_peg_generator", "test_decimal", "test_zipfile64",
    "test_largefile", "test_statistics", "test_idle", "test_turtle", "test_tk", "test_ttk_guionly", "test_ttk_textonly", "test_clinic",
    "test_pickle", "test_picklecommon", "test_zipfile", "test_compileall", "test_tarfile", "test_lzma", "test_random", "test_long",
}


class CPython(Suite):
    name = "cpython"
    packages = ("python3.11", "libpython3.11-testsuite")
    quick = (
        "test_os", "test_subprocess", "test_signal", "test_threading", "test_socket", "test_select", "test_selectors", "test_epoll",
        "test_poll", "test_fork1", "test_wait3", "test_wait4", "test_popen", "test_pty", "test_mmap", "test_gc", "test_ctypes",
        "test_faulthandler", "test_threadsignals", "test_posix", "test_fcntl", "test_file", "test_tempfile", "test_resource",
        "test_atexit", "test_exceptions", "test_memoryview", "test_sys", "test_weakref", "test_eintr", "test_tracemalloc",
        "test_fileio", "test_fdopen", "test_thread", "test_queue",
    )

    def version(self) -> str:
        return output_of([PYTHON, "--version"])

    def groups(self, place: Place) -> list[str]:
        return [name for name in output_of([PYTHON, "-m", "test", "--list-tests"]).split() if name not in OMITTED]

    def run(self, place: Place, groups: list[str], watch: Watch) -> Verdicts:
        known = set(self.groups(place))
        groups = [group for group in groups if group in known]
        with tempfile.TemporaryDirectory(dir=place.folder) as folder:
            results = pathlib.Path(folder) / "results.xml"
            # Sockets of virtual machines wait for ever on hosts that answer for them.
            options = [f"-j{JOBS}", "--timeout", str(MODULE_TIMEOUT_S), "--junit-xml", str(results), "-i", "*VSOCK*"]
            command = [PYTHON, "-m", "test", *options, *groups]
            ran = place.run(command, watch, seconds_max=4 * 3600)
            try:
                cases = xml.etree.ElementTree.parse(results)
            except (OSError, xml.etree.ElementTree.ParseError) as error:
                raise SuiteError(f"cpython ({watch.mode}) ended with {ran.code} and no results: {ran.text[-300:]!r}") from error
        verdicts = {f"{group}::{WHOLE}": verdict for group, verdict in modules(groups, ran.text).items()}
        for case in cases.iter("testcase"):
            add_case(verdicts, case)
        return verdicts


def modules(groups: list[str], text: str) -> Verdicts:
    """What the summary says of each module."""
    said = dict.fromkeys(groups, "pass")
    verdict = None
    summary = text[text.rfind("== Tests result"):]
    for line in summary.splitlines():
        heading = re.fullmatch(r"\d+ tests? (.*):", line)
        if heading:
            verdict = HEADINGS.get(heading.group(1))
        elif line.startswith("    ") and verdict:
            said.update({name: verdict for name in line.split() if name in said})
        else:
            verdict = None
    return said


def add_case(verdicts: Verdicts, case: xml.etree.ElementTree.Element) -> None:
    """One method; what ran twice (subtests, reruns) counts as its worst."""
    name = case.get("name", "")
    # Addresses of objects vary.
    name = re.sub(r"0x[0-9a-f]+", "0x…", name)
    found = re.search(r"\btest\.(test_\w+)", name)
    group = found.group(1) if found else name.split(".")[0]
    kinds = {child.tag for child in case}
    verdict = "error" if "error" in kinds else "fail" if "failure" in kinds else "skip" if "skipped" in kinds else "pass"
    order = ["pass", "skip", "fail", "error"]
    key = f"{group}::{name.removeprefix('test.' + group + '.')}"
    verdicts[key] = max(verdicts.get(key, "pass"), verdict, key=order.index)
