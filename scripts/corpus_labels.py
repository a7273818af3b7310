"""Labels of the corpus: tests/corpus/labels.toml, read and checked against the programs' sources.

In: the file, the sources. Out: `Program`s with their `Leak`s, or a `LabelError` of one line that names the entry at fault.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests/corpus"
LANGUAGES = {"c": "C", "cpp": "C++", "rs": "Rust", "py": "Python"}
SHARED = {"service.h", "service.rs", "service.py"}
MODES = ("guard", "aggressive")
SPLITS = ("fit", "test")

# Every kind that a finding can have, by pattern: section "Kinds" of tests/corpus/README.md.
PATTERNS = {
    "leaks": ("heap-unreachable", "heap-growth", "heap-error-path", "api-result-not-freed"),
    "caches": ("cache-unbounded", "container-growing", "queue-backlog", "stale-reachable"),
    "cycles": ("refcount-cycle",),
    "handles": (
        "file-not-closed", "file-error-path", "stream-not-closed", "dir-not-closed", "popen-not-closed", "pipe-end-not-closed",
        "socket-not-closed", "socket-close-wait", "socket-idle", "dup-not-closed", "eventfd-not-closed", "memfd-not-closed",
        "fd-received-not-closed", "fd-limit-near", "descriptor-not-closed",
    ),
    "timers": ("timerfd-not-closed", "timerfd-unread", "posix-timer-not-deleted"),
    "threads": ("thread-not-joined", "thread-growth"),
    "listeners": ("epoll-registrations-growing", "inotify-watches-growing", "callback-registrations-growing"),
    "processes": ("zombie-not-reaped",),
    "mappings": ("mmap-not-unmapped", "dlopen-growth"),
    "fragmentation": ("allocator-fragmentation",),
}
KINDS = {kind for kinds in PATTERNS.values() for kind in kinds}


class LabelError(Exception):
    """A label that cannot be; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Leak:
    """One leak of a program."""

    # Kinds that are right for it, the main one first.
    kinds: tuple[str, ...]
    # The application's function that must be named; None where no function can be (interpreted code, whole-heap findings).
    function: str | None
    # Kinds of other findings about the same leak: the memory of a stream, the stack of a thread.
    beside: tuple[str, ...]
    # Share of the run after which it begins.
    begins: float
    # Lines of the source that are marked with its function.
    lines: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Program:
    """One program under one mode."""

    name: str
    family: str
    split: str
    mode: str
    seconds: float
    leaks: tuple[Leak, ...]
    source: pathlib.Path
    environment: dict[str, str]

    @property
    def language(self) -> str:
        return LANGUAGES[self.source.suffix[1:]]

    @property
    def healthy(self) -> bool:
        return not self.leaks


def read(folder: pathlib.Path = FOLDER) -> list[Program]:
    """All labels. Every one names a program and functions that are there, and every source has one."""
    file = folder / "labels.toml"
    try:
        table = tomllib.loads(file.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise LabelError(f"{file.name}: {error}") from None
    programs = [_program(name, entry, folder) for name, entry in table.items()]
    labelled = {program.source.name for program in programs}
    sources = {path.name for ending in LANGUAGES for path in folder.glob(f"*.{ending}")}
    for name in sorted(sources - labelled - SHARED):
        if not name.startswith("lib"):
            raise LabelError(f"{name} has no entry in {file.name}")
    for program in programs:
        twin = program.name.endswith("_fixed")
        if not twin and _knows_fixed(program.source) and f"{program.name}_fixed" not in table:
            raise LabelError(f"{program.name} can be built FIXED and has no entry {program.name}_fixed")
    return programs


def _knows_fixed(source: pathlib.Path) -> bool:
    return re.search(r"^#if.*FIXED|cfg!\(fixed\)", source.read_text(), re.MULTILINE) is not None


def _source(name: str, folder: pathlib.Path) -> pathlib.Path:
    stem = name.removesuffix("_fixed")
    found = [path for ending in LANGUAGES if (path := folder / f"{stem}.{ending}").is_file()]
    if len(found) != 1:
        raise LabelError(f"{name}: tests/corpus has {len(found) or 'no'} source{'s' if found else ''} of that name")
    if stem != name and not _knows_fixed(found[0]):
        raise LabelError(f"{name}: {found[0].name} does not know FIXED")
    return found[0]


def _program(name: str, entry: dict, folder: pathlib.Path) -> Program:
    known = {"family", "split", "mode", "seconds", "leaks", "environment"}
    if not isinstance(entry, dict) or set(entry) - known:
        raise LabelError(f"{name}: unknown key {', '.join(sorted(set(entry) - known))}")
    for key, allowed in (("split", SPLITS), ("mode", MODES)):
        if entry.get(key) not in allowed:
            raise LabelError(f"{name}: {key} is one of {', '.join(allowed)}, not {entry.get(key)!r}")
    if not isinstance(entry.get("seconds"), (int, float)) or not 1 <= entry["seconds"] <= 120:
        raise LabelError(f"{name}: seconds is a number from 1 to 120, not {entry.get('seconds')!r}")
    if not entry.get("family"):
        raise LabelError(f"{name}: family is missing")
    source = _source(name, folder)
    leaks = tuple(_leak(name, leak, source, folder) for leak in entry.get("leaks", []))
    if name.endswith("_fixed") and leaks:
        raise LabelError(f"{name} is fixed and has leaks")
    return Program(name, entry["family"], entry["split"], entry["mode"], float(entry["seconds"]), leaks, source,
                   dict(entry.get("environment", {})))


def _leak(name: str, entry: dict, source: pathlib.Path, folder: pathlib.Path) -> Leak:
    if unknown := set(entry) - {"kinds", "function", "beside", "begins", "marked_in"}:
        raise LabelError(f"{name}: unknown key {', '.join(sorted(unknown))} of a leak")
    kinds, beside = tuple(entry.get("kinds", ())), tuple(entry.get("beside", ()))
    if not kinds or (set(kinds) | set(beside)) - KINDS:
        raise LabelError(f"{name}: no such kind: {', '.join(sorted((set(kinds) | set(beside)) - KINDS)) or 'none is named'}")
    function = entry.get("function")
    lines: tuple[int, ...] = ()
    if function is not None:
        text = (folder / entry.get("marked_in", source.name)).read_text()
        marked = re.compile(rf"(//|#|/\*) LEAK {re.escape(function)}( \*/)?$")
        lines = tuple(number for number, line in enumerate(text.splitlines(), 1) if marked.search(line))
        last = re.escape(function.rsplit("::", 1)[-1])
        if not re.search(rf"\b{last}\s*(<[^>]*>)?\(", text):
            raise LabelError(f"{name}: {source.name} has no function {function}")
        if not lines:
            raise LabelError(f"{name}: {source.name} marks no line with LEAK {function}")
    return Leak(kinds, function, beside, float(entry.get("begins", 0.0)), lines)
