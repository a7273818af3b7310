"""Workloads: the rows of the table. Out: WORKLOADS, each with its command or service, its sizes and its targets."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    """`command` may contain {n} (size), {bin}, {programs}, {python}, {sqlite}, {cc1plus}, {multiarch}, {tmp}."""

    name: str
    title: str
    command: tuple[str, ...]
    size: int  # for peers: about 0.2 s, services 1 s; our own variants run longer
    short_size: int  # for callgrind, 50 times slower; 0: instructions are not counted
    target: float  # CPU and wall, guard / plain
    forward_target: float | None = None  # instructions, guard / forward; else instructions are held against `target`
    service: str = ""  # name in service.py
    environment: tuple[tuple[str, str], ...] = ()
    preload: str = ""  # library of benches/programs that belongs to the workload itself
    peers: str = "all"  # "all"; "no-allocator": other allocators cannot stand in; "none"
    python: bool = False
    per_item: str = ""  # what one of `size` is, where the difference per item is worth showing
    audit: bool = False  # audit mode has its targets here
    kernel: bool = False  # most of its CPU time is the kernel's, of which callgrind sees nothing
    fixed_size: bool = False  # the size is no number of repetitions
    turns: str = ""  # the word that benches/programs/turns.c knows it by


def micro(name: str, title: str, size: int, short: int, *words: str, audit: bool = False, turns: bool = False) -> Workload:
    program = "cross_thread" if name.startswith("cross_thread") else name
    command = ("{bin}/" + program, "{n}", *words)
    return Workload(name, title, command, size, short, 1.05, 1.03 if short else None, audit=audit, turns=name if turns else "")


def pair(name: str, what: str, size: int, short: int) -> Workload:
    word = name.split("_")[0]
    return Workload(name, f"{what} pair", ("{bin}/pairs", "{n}", word), size, short, 1.15, per_item="pair", turns=word)


MALLOC = (("PYTHONMALLOC", "malloc"),)
JSON = ("{python}", "{programs}/json_roundtrip.py", "{n}")
CC1PLUS = ("{cc1plus}", "-quiet", "-fsyntax-only", "-O1", "-D_GNU_SOURCE", "-imultiarch", "{multiarch}", "-DPART={n}")

WORKLOADS = (
    micro("lifo", "malloc+free, LIFO", 25_000_000, 1_000_000, audit=True, turns=True),
    micro("random_replacement", "random replacement, 10,000 live", 7_000_000, 600_000, audit=True, turns=True),
    micro("cross_thread", "two threads, cross-thread free, in turns", 3_000_000, 300_000),
    micro("cross_thread_contended", "the same at once", 2_000_000, 0, "together"),
    micro("realloc_growth", "realloc growth", 800_000, 20_000, turns=True),
    Workload("containers", "C++ containers and strings", ("{bin}/containers", "{n}"), 100_000, 5_000, 1.05, audit=True),
    Workload("collections", "Rust collections", ("{bin}/collections", "{n}"), 300_000, 20_000, 1.05),
    Workload("sqlite3", "sqlite3 in memory", ("{sqlite}", ":memory:", ".read {tmp}/memory-{n}.sql"), 60_000, 8_000, 1.01),
    Workload("cpython", "CPython json, pymalloc", JSON, 120, 10, 1.01, python=True),
    Workload("cpython_malloc", "CPython json, PYTHONMALLOC=malloc", JSON, 120, 10, 1.01, environment=MALLOC, python=True),
    Workload("cc1plus", "cc1plus", (*CC1PLUS, "{programs}/compiled.cpp"), 2, 1, 1.01, fixed_size=True),
    Workload("redis_pipelined", "redis, jemalloc, pipeline 16", (), 1_200_000, 40_000, 1.01, service="redis", peers="no-allocator"),
    Workload("redis", "redis, jemalloc, no pipeline", (), 120_000, 0, 1.01, service="redis", peers="no-allocator"),
    Workload(
        "redis_libc_pipelined", "redis, glibc malloc, pipeline 16", (), 1_200_000, 40_000, 1.01, service="redis", preload="libc_malloc.so"
    ),
    Workload("redis_libc", "redis, glibc malloc, no pipeline", (), 120_000, 0, 1.01, service="redis", preload="libc_malloc.so"),
    Workload("nginx_keepalive", "nginx, keep-alive", (), 60_000, 8_000, 1.01, service="nginx", kernel=True),
    Workload("nginx_connections", "nginx, a connection per request", (), 20_000, 4_000, 1.01, service="nginx", kernel=True),
    Workload("postgresql", "PostgreSQL, pgbench", (), 8_000, 0, 1.01, service="postgresql"),
    pair("open_close", "device open+close", 200_000, 20_000),
    pair("file_close", "file open+close", 200_000, 20_000),
    pair("socket_close", "socket+close", 80_000, 20_000),
    pair("pipe_close", "pipe+close", 80_000, 20_000),
    pair("accept_close", "accept+close", 12_000, 2_000),
    pair("timerfd_close", "timerfd+close", 120_000, 20_000),
    pair("thread_join", "thread create+join", 10_000, 2_000),
    pair("map_unmap", "mmap+munmap", 200_000, 20_000),
    Workload("process_start", "fork+exec of true", ("{bin}/process_start", "{n}"), 300, 4, 1.20, per_item="process"),
)

NOTHING = Workload("true", "true", ("/bin/true",), 1, 1, 1.0)

SQL = """
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})
INSERT INTO t SELECT i, printf('row %d of the table', (i * 7919) % {n}), i * 0.5 FROM n;
CREATE INDEX by_a ON t(a);
SELECT count(*), sum(b), max(length(a)) FROM t WHERE a LIKE 'row 1%';
SELECT group_concat(a, ',') FROM (SELECT a FROM t ORDER BY a DESC LIMIT 5);
UPDATE t SET a = upper(a) WHERE id % 3 = 0;
SELECT a, count(*) FROM t GROUP BY substr(a, 5, 2) ORDER BY 2 DESC, 1 LIMIT 5;
DELETE FROM t WHERE id % 2 = 0;
SELECT count(*) FROM t;
"""
