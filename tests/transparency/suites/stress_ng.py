"""stress-ng: stressors that fork, map, open, signal and allocate for some seconds each and check the kernel's answers.

A group is one stressor; its cases are the exit code, how the run was completed, whether work was done, and every kind of
complaint.
"""

from __future__ import annotations

import re

from suites.suite import Place, Suite, Verdicts, Watch, output_of

PROGRAM = "/usr/bin/stress-ng"
SECONDS = 3
STRESSORS = (
    "fork", "vfork", "clone", "exec", "spawn", "daemon", "wait", "zombie", "kill", "session", "pthread", "malloc", "bigheap", "brk",
    "mmap", "mmapfork", "mmapmany", "mremap", "munmap", "madvise", "memfd", "shm", "shm-sysv", "dup", "close", "open", "fd-fork",
    "fd-race", "epoll", "eventfd", "timerfd", "timer", "itimer", "sigfd", "signal", "sigq", "sigrt", "sigsegv", "sigabrt", "sigpipe",
    "sigchld", "sigpending", "sigsuspend", "sigtrap", "sigaltstack", "sigio", "context", "stack", "stackmmap", "bad-altstack",
    "dynlib", "sock", "sockpair", "sockfd", "sockmany", "udp", "pipe", "pipeherd", "fifo", "poll", "inotify", "mq", "sem", "futex",
    "env", "rlimit", "resources", "dir", "dirmany", "fault", "fp-error", "judy", "tree", "tsearch", "hsearch", "qsort", "funccall",
    "schedpolicy", "tee", "splice", "nanosleep", "prctl", "mlock", "msync", "pty", "loadavg", "get", "peterson", "switch",
)
# A round of these takes longer than that by default.
SMALLER = {"mmap": ("--mmap-bytes", "32M")}


class StressNg(Suite):
    name = "stress-ng"
    packages = ("stress-ng",)
    quick = ("fork", "vfork", "clone", "exec", "wait", "pthread", "malloc", "mmap", "dup", "close", "epoll", "timerfd", "sigaltstack",
             "context", "dynlib", "sock", "pipe", "zombie", "kill")

    def version(self) -> str:
        return output_of([PROGRAM, "--version"], lambda text: " ".join(text.split()[:3]).rstrip(","))

    def groups(self, place: Place) -> list[str]:
        known = output_of([PROGRAM, "--stressors"]).split()
        return [name for name in STRESSORS if name in known]

    def run_group(self, place: Place, group: str, watch: Watch) -> Verdicts:
        command = [PROGRAM, f"--{group}", "1", "--timeout", f"{SECONDS}s", "--verify", "--metrics-brief", *SMALLER.get(group, ())]
        ran = place.run(command, watch, seconds_max=120)
        completed = re.search(r"(\w+) run completed", ran.text)
        work = re.search(rf"^stress-ng: metrc: \[\d+\] {group} +(\d+) ", ran.text, re.MULTILINE)
        verdicts = {
            f"{group}::exit code": str(ran.code),
            f"{group}::completed": completed.group(1) if completed else "not said",
            f"{group}::work": "not said" if work is None else "none" if work.group(1) == "0" else "some",
        }
        for complaint in re.findall(r"^stress-ng: (?:fail|error|warn): +\[\d+\] (.*)$", ran.text, re.MULTILINE):
            verdicts[f"{group}::complaint: " + re.sub(r"\d+", "N", complaint)] = "said"
        return verdicts
