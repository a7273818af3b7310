"""The machine: what a figure was measured on. In: the product's folder. Out: names, versions, load."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import platform
import re
import subprocess

from .place import ROOT


def first(pattern: str, path: str, otherwise: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        match = re.search(pattern, file.read(), re.MULTILINE)
        if match:
            return match.group(1).strip()
    return otherwise


def output(*command: str) -> str:
    with contextlib.suppress(OSError):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return (ended.stdout.strip().splitlines() or [""])[0]
    return ""


def describe(product: pathlib.Path) -> dict:
    return {
        "cpu": first(r"^model name\s*:\s*(.*)$", "/proc/cpuinfo", platform.machine()),
        "cores": os.cpu_count(),
        "memory_kb": int(first(r"^MemTotal:\s*(\d+)", "/proc/meminfo", "0")),
        "kernel": platform.release(),
        "system": first(r'^PRETTY_NAME="(.*)"$', "/etc/os-release", ""),
        "libc": " ".join(platform.libc_ver()),
        "governor": first(r"(.*)", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
        "load": list(os.getloadavg()),
        "python": platform.python_version(),
        "gcc": output("gcc", "--version"),
        "valgrind": output("valgrind", "--version"),
        "heaptrack": output("heaptrack", "--version"),
        "redis": output("redis-server", "--version"),
        "commit": output("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "changed_files": bool(output("git", "-C", str(ROOT), "status", "--porcelain")),
        "libmemguard_sha256": hashlib.sha256((product / "libmemguard.so").read_bytes()).hexdigest(),
    }
