"""Variants: the ways a workload is run. In: a Place and the names asked for. Out: Variants, and a line for each peer left out.

  plain       the command as it is
  again       the same once more: how far two equal things differ here
  forward     a preload library that only forwards malloc, calloc, realloc and free: the floor of any interposer
  bare        the same without the check that the real functions are known: one indirect jump per call
  guard       `memguard run --quiet -- COMMAND`: CPU time includes the collector's
  aggressive  `memguard run --quiet --aggressive -- COMMAND`: audit mode, every allocation recorded
  preload     LD_PRELOAD=libmemguard.so without the launcher
and the peers, where they are installed.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import shlex
import shutil
import subprocess

from .place import BenchError, Place, system_python
from .workload import Workload

OWN = ("plain", "again", "forward", "bare", "guard", "aggressive", "preload")
PEERS = (
    "heaptrack",
    "memcheck",
    "jemalloc_prof",
    "jemalloc",
    "gperftools",
    "tcmalloc",
    "mimalloc",
    "lsan",
    "memray",
    "memleak",
)
# Shown in tables and in the chart.
TITLES = {
    "again": "plain again (noise)",
    "forward": "forward only",
    "bare": "one jump",
    "guard": "MemGuard",
    "aggressive": "MemGuard audit",
    "preload": "MemGuard, no launcher",
    "memcheck": "Valgrind memcheck",
    "jemalloc_prof": "jemalloc prof",
    "gperftools": "gperftools sampling",
    "tcmalloc": "tcmalloc minimal",
    "lsan": "LSan preloaded",
    "memleak": "bcc memleak",
}
ALLOCATORS = ("jemalloc_prof", "jemalloc", "gperftools", "tcmalloc", "mimalloc", "lsan")


@dataclasses.dataclass(frozen=True)
class Variant:
    name: str
    prefix: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    preload: str = ""
    interpreter: bool = False  # the prefix brings its own Python and takes the place of the command's first word
    one_word: bool = False  # takes the command as one word
    watched: bool = False  # leaves a session whose report states the cost

    def command(self, words: list[str]) -> list[str]:
        if self.interpreter:
            words = words[1:]
        return [*self.prefix, shlex.join(words)] if self.one_word else [*self.prefix, *words]

    def variables(self, workload: Workload, place: Place) -> dict[str, str]:
        """The variant's library comes first: what it hands on arrives at the workload's."""
        variables = {"PYTHONHASHSEED": "0", **dict(workload.environment), **dict(self.environment)}
        preloads = [self.preload] if self.preload else []
        if workload.preload:
            preloads.append(str(place.binaries / workload.preload))
        if preloads:
            variables["LD_PRELOAD"] = ":".join(preloads)
        return variables

    def fits(self, workload: Workload) -> bool:
        if self.name == "memray":
            return workload.python
        if self.name in ALLOCATORS and workload.peers != "all":
            return False
        # Servers under these two: memcheck's is another world of slowness, memleak cannot be told to end with them. What has one
        # size alone would take minutes.
        return not (self.name in ("memcheck", "memleak") and (workload.service or workload.fixed_size))


def chosen(asked: str, own: list[str], place: Place) -> tuple[list[Variant], dict[str, str]]:
    """Variants in order, and why peers are missing."""
    names = [*OWN[:3], "guard", "aggressive", *PEERS] if asked == "all" else list(filter(None, asked.split(",")))
    variants, missing = [Variant("plain")], {}
    custom = {}
    for text in own:
        name, equals, prefix = text.partition("=")
        if not name or not equals:
            raise BenchError(f"--variant needs NAME=PREFIX, not {text}")
        custom[name] = Variant(name, tuple(shlex.split(prefix)))
    for name in dict.fromkeys([*names, *custom]):
        if name == "plain":
            continue
        if name in custom:
            variants.append(custom[name])
        elif name in OWN:
            variants.append(make_own(name, place))
        elif name in PEERS:
            found = make_peer(name, place)
            if isinstance(found, str):
                missing[name] = found
            else:
                variants.append(found)
        else:
            raise BenchError(f"no variant is called {name}; there are {', '.join((*OWN, *PEERS))}")
    return variants, missing


def make_own(name: str, place: Place) -> Variant:
    launcher, library = str(place.product / "memguard"), str(place.product / "libmemguard.so")
    if name in ("guard", "aggressive"):
        mode = ("--aggressive",) if name == "aggressive" else ()
        return Variant(name, (launcher, "run", "--quiet", *mode, "--"), watched=True)
    if name == "preload":
        return Variant(name, preload=library, watched=True)
    files = {"forward": "forward_only.so", "bare": "forward_bare.so"}
    return Variant(name, preload=str(place.binaries / files[name])) if name in files else Variant(name)


def make_peer(name: str, place: Place) -> Variant | str:
    """The variant, or why it is left out."""
    libraries = {
        "jemalloc_prof": ("libjemalloc.so.2", "libjemalloc2"),
        "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
        "gperftools": ("libtcmalloc.so.4", "libgoogle-perftools4"),
        "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
        "mimalloc": ("libmimalloc.so.2", "libmimalloc2.0"),
        "lsan": ("liblsan.so.0", "liblsan0"),
    }
    if name in libraries:
        file, package = libraries[name]
        path = find_library(file)
        if path is None:
            return f"{file} is not installed (Debian package {package}; scripts/install-deps.sh --peers)"
        environment: tuple[tuple[str, str], ...] = ()
        if name == "jemalloc_prof":
            if not has_profiling(path):
                return f"{path} is built without profiling"
            # 2^19 bytes between samples, as MemGuard's default; no dump.
            environment = (("MALLOC_CONF", "prof:true,prof_active:true,lg_prof_sample:19,prof_final:false"),)
        elif name == "gperftools":
            environment = (("TCMALLOC_SAMPLE_PARAMETER", "524288"),)
        elif name == "lsan":
            environment = (("LSAN_OPTIONS", f"exitcode=0:log_path={place.scratch / 'lsan'}"),)
        return Variant(name, preload=path, environment=environment)
    if name == "heaptrack":
        path = shutil.which("heaptrack")
        out = str(place.scratch / "heaptrack-%p")
        return Variant(name, (path, "-o", out)) if path else "not installed (scripts/install-deps.sh --peers)"
    if name == "memcheck":
        path = shutil.which("valgrind")
        words = ("-q", "--leak-check=full", "--trace-children=yes", "--log-file=/dev/null")
        return Variant(name, (path, *words)) if path else "valgrind is not installed (scripts/install-deps.sh)"
    return make_memray(place) if name == "memray" else make_memleak()


def find_library(file: str) -> str | None:
    for folder in ("/usr/lib/" + platform.machine() + "-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"):
        if os.path.exists(os.path.join(folder, file)):
            return os.path.join(folder, file)
    return None


def has_profiling(path: str) -> bool:
    """Asks jemalloc itself, in a process that it may do what it likes with."""
    script = (
        "import ctypes, sys; j = ctypes.CDLL(sys.argv[1]); b = ctypes.c_bool(); n = ctypes.c_size_t(1); "
        "sys.exit(0 if j.mallctl(b'config.prof', ctypes.byref(b), ctypes.byref(n), None, 0) == 0 and b.value else 1)"
    )
    environment = {**os.environ, "LD_PRELOAD": path}
    return subprocess.run([system_python(), "-c", script, path], env=environment, capture_output=True, check=False).returncode == 0


def make_memray(place: Place) -> Variant | str:
    folder = place.target / "bench-tools" / "memray"
    python = folder / "bin" / "python"
    if not works(str(python), "-m", "memray", "--version"):
        pathlib.Path(folder.parent).mkdir(parents=True, exist_ok=True)
        made = works(system_python(), "-m", "venv", "--clear", str(folder))
        if not made or not works(str(folder / "bin" / "pip"), "install", "-q", "memray"):
            return "memray cannot be installed by pip (python3-venv and a reachable PyPI are needed)"
    words = (str(python), "-m", "memray", "run", "-q", "-f", "-o", str(place.scratch / "memray.bin"))
    return Variant("memray", words, interpreter=True)


def make_memleak() -> Variant | str:
    tool = shutil.which("memleak-bpfcc", path="/usr/sbin:/usr/bin:/usr/local/sbin") or shutil.which("memleak")
    if tool is None:
        return "not installed (Debian package bpfcc-tools)"
    headers = pathlib.Path("/lib/modules") / platform.release() / "build"
    if not headers.exists() and not os.path.exists("/sys/kernel/kheaders.tar.xz"):
        return f"this kernel has no headers ({headers}), which its program in the kernel is compiled with"
    if os.geteuid() != 0:
        return "needs root"
    if not works(tool, "1", "1", "-c", "/bin/true"):
        return "this kernel does not let it trace /bin/true"
    return Variant("memleak", (tool, "3600", "1", "-c"), one_word=True)


def works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
