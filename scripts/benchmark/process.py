"""Processes: the tree below one, what it used, how it ends. In: a process id. Out: CPU seconds, KiB; nothing left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time

# Never the target itself: launchers, shells and readers that a variant brings.
HELPERS = {"memguard", "measure", "heaptrack_interpret", "heaptrack", "sh", "dash", "bash", "setpriv", "cat", "zstd", "gzip"}


def tree(root: int) -> list[int]:
    """`root` and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                children.setdefault(int(stat.read().rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def is_target(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) not in HELPERS
    return False


def tree_cpu(root: int) -> dict[int, float]:
    """CPU seconds of each process of the tree, to the nanosecond, ended threads included."""
    seconds = {}
    for pid in tree(root):
        with contextlib.suppress(OSError):
            seconds[pid] = time.clock_gettime((~pid << 3) | 2)  # the kernel's id of that process's CPU clock
    return seconds


def number(path: str, key: str) -> int:
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        match = re.search(rf"^{key}:\s*(\d+)", file.read(), re.MULTILINE)
        return int(match.group(1)) if match else 0
    return 0


def memory_kb(root: int) -> dict[str, int]:
    """Proportional share of the whole tree now; highest resident memory of the largest process of the program itself."""
    members = tree(root)
    peaks = [number(f"/proc/{pid}/status", "VmHWM") for pid in members if is_target(pid)]
    return {
        "tree_pss_kb": sum(number(f"/proc/{pid}/smaps_rollup", "Pss") for pid in members),
        "target_peak_kb": max(peaks, default=0),
    }


def end(process: subprocess.Popen, by: signal.Signals = signal.SIGTERM, patience_s: float = 30) -> None:
    """Asks the program itself to end, else whoever started it; what is left is ended by its id. Leaves the process to be
    waited for by who started it, if it wants what the kernel says about it."""
    members = tree(process.pid)
    server = next((pid for pid in members if is_target(pid)), process.pid)
    with contextlib.suppress(OSError):
        os.kill(server, by)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and not ended(process.pid):
        time.sleep(0.005)
    for pid in members:
        # The session, which is the process's own, tells a survivor from another process that got its number.
        with contextlib.suppress(OSError):
            if os.getsid(pid) == process.pid and not ended(pid):
                os.kill(pid, signal.SIGKILL)


def ended(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
