"""The place: where tools, libraries, programs and the scratch directory are. In: options. Out: a Place, everything built.

The product is copied into the scratch directory: a build meanwhile changes nothing, and PostgreSQL's user may read it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

from .workload import SQL, Workload

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAMS = ROOT / "benches" / "programs"
LIBRARIES = ("libmemguard.so", "libmemguard_operators.so", "libmemguard_allocx.so")


class BenchError(Exception):
    """Something is missing or failed; the message is one line and says what to do."""


@dataclasses.dataclass
class Place:
    target: pathlib.Path
    product: pathlib.Path  # the folder with memguard and its libraries
    binaries: pathlib.Path
    scratch: pathlib.Path

    def fill(self, workload: Workload, size: int) -> list[str]:
        words = workload.command
        places = {"n": size, "bin": self.binaries, "tmp": self.scratch, "programs": PROGRAMS}
        text = " ".join(words)
        if "{sqlite}" in text:
            places["sqlite"] = need("sqlite3", "sqlite3")
            script = self.scratch / f"memory-{size}.sql"
            if not script.exists():
                script.write_text(SQL.format(n=size))
        if "{python}" in text:
            places["python"] = system_python()
        if "{cc1plus}" in text:
            places["cc1plus"] = said_by("g++", "-print-prog-name=cc1plus")
            places["multiarch"] = said_by("g++", "-print-multiarch")
        return [word.format(**places) for word in words]


def need(tool: str, package: str) -> str:
    path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise BenchError(f"{tool} is missing; run scripts/install-deps.sh (Debian package {package})")
    return path


def said_by(*command: str) -> str:
    need(command[0], command[0])
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def system_python() -> str:
    """Debian's, whose libraries a version manager's may not be."""
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def prepare(target: pathlib.Path, product: pathlib.Path | None, scratch: pathlib.Path) -> Place:
    binaries = scratch / "programs"
    build_programs(target / "bench-programs")
    shutil.copytree(target / "bench-programs", binaries)
    scratch.chmod(0o755)
    copied = scratch / "product"
    copied.mkdir()
    source = product or target / "release"
    for name in ("memguard", *LIBRARIES):
        if not (source / name).exists():
            raise BenchError(f"{source / name} is missing; run `make build`, or name its folder with --product")
        shutil.copy2(source / name, copied / name)
    return Place(target, copied, binaries, scratch)


def build_programs(binaries: pathlib.Path) -> None:
    """Compiles what is older than its source."""
    binaries.mkdir(parents=True, exist_ok=True)
    # Where a loop of ten instructions happens to lie makes a tenth of a nanosecond a call, as much as half a hook.
    aligned = ["-falign-functions=64", "-falign-loops=64"]
    c = [need("gcc", "gcc"), "-O2", "-g", "-Wall", "-Wextra", "-pthread", *aligned]
    shared = ["-shared", "-fPIC", "-fvisibility=hidden"]
    headers = max(header.stat().st_mtime for header in PROGRAMS.glob("*.h"))
    for source in sorted(PROGRAMS.iterdir()):
        outputs: dict[str, list[str]] = {}
        if source.stem == "forward_only":
            outputs = {"forward_only.so": [*c, *shared], "forward_bare.so": [*c, *shared, "-DBARE"]}
        elif source.stem == "libc_malloc":
            outputs = {"libc_malloc.so": [*c, *shared]}
        elif source.suffix == ".c":
            outputs = {source.stem: c}
        elif source.suffix == ".cpp" and source.stem != "compiled":
            outputs = {source.stem: [need("g++", "g++"), "-std=c++17", "-O2", "-g", "-Wall", "-Wextra", *aligned]}
        elif source.suffix == ".rs":
            rustc = shutil.which("rustc") or os.path.expanduser("~/.cargo/bin/rustc")
            outputs = {source.stem: [rustc, "--edition", "2021", "-O", "-g"]}
        for name, compiler in outputs.items():
            output = binaries / name
            newest = max(source.stat().st_mtime, headers)
            if output.exists() and output.stat().st_mtime >= newest:
                continue
            libraries = ["-lm"] if source.suffix == ".c" else []
            try:
                failed = subprocess.run([*compiler, str(source), "-o", str(output), *libraries], check=False).returncode != 0
            except OSError as error:
                raise BenchError(f"{compiler[0]} cannot be started ({error.strerror})") from None
            if failed:
                raise BenchError(f"{source.name} does not compile")
