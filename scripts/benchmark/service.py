"""Services: servers on loopback, and their load. In: Place, Workload, Variant, size. Out: the same as a run's.

CPU is that of the server's process tree for a fixed number of requests, after a warm-up; `whole_cpu_s` is that of its life,
start and end included, which is what a report's own statement is about.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import threading
import time
from typing import Iterator

from . import process, run
from .place import BenchError, Place, need
from .variant import Variant
from .workload import Workload

IDLE_S = 0.4  # for so long pgbench's sessions rest before they leave, so that their CPU time can be read


class Redis:
    """redis-server without persistence, under redis-benchmark."""

    def wait_until_ready(self) -> None:
        """It is when it listens."""

    ends_by = signal.SIGTERM

    def __init__(self, place: Place, workload: Workload):
        self.port = free_port()
        self.words = [need("redis-server", "redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.words += ["--appendonly", "no", "--dir", str(place.scratch), "--daemonize", "no", "--loglevel", "warning"]
        self.depth = ["-P", "16"] if workload.name.endswith("pipelined") else []

    def load(self, size: int, counting: bool) -> list[str]:
        # One client where instructions are counted, so that batches are alike.
        clients = ["-c", "1"] if counting else ["-c", "20"]
        words = [need("redis-benchmark", "redis-tools"), "-h", "127.0.0.1", "-p", str(self.port), "-t", "set,get,lpush,lpop"]
        return [*words, "-d", "200", "-q", *clients, *self.depth, "-r", "20000", "-n", str(max(size // 4, 1))]


NGINX = """
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    default_type text/html;
    server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


class Nginx:
    """nginx with one worker and one small file, under our own client."""

    def wait_until_ready(self) -> None:
        """It is when it listens."""

    ends_by = signal.SIGTERM

    def __init__(self, place: Place, workload: Workload):
        self.port = free_port()
        self.client = str(place.binaries / "connections")
        self.keep = ["keep"] if workload.name == "nginx_keepalive" else []
        user = "user root;\n" if os.geteuid() == 0 else ""
        (place.scratch / "index.html").write_text("<title>small</title>\n" + "a paragraph\n" * 50)
        configuration = place.scratch / "nginx.conf"
        configuration.write_text(NGINX.format(user=user, folder=place.scratch, port=self.port))
        self.words = [need("nginx", "nginx"), "-p", str(place.scratch), "-e", "stderr", "-c", str(configuration)]

    def load(self, size: int, counting: bool) -> list[str]:
        return [self.client, str(self.port), str(size), *self.keep]


TRANSACTION = """\\set id random(1, 10000)
\\set change random(-5000, 5000)
BEGIN;
UPDATE account SET balance = balance + :change WHERE id = :id;
SELECT balance, note FROM account WHERE id = :id;
SELECT count(*), max(balance) FROM account WHERE id BETWEEN :id AND :id + 20;
INSERT INTO history (account, change, at) VALUES (:id, :change, now());
END;
\\set done :done + 1
\\if :done = :last
\\sleep {idle_ms} ms
\\endif
"""
SCHEMA = """
CREATE TABLE account (id int PRIMARY KEY, balance int, note text);
INSERT INTO account SELECT i, 0, 'account number ' || i FROM generate_series(1, 10000) AS i;
CREATE TABLE history (account int, change int, at timestamptz);
"""


class Postgresql:
    """PostgreSQL under pgbench with a transaction of ours. As it refuses to be root, it is user postgres then."""

    ends_by = signal.SIGINT  # its "fast shutdown"
    clients = 4

    def __init__(self, place: Place, workload: Workload):
        versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not versions:
            raise BenchError("PostgreSQL is missing; run scripts/install-deps.sh (Debian package postgresql)")
        self.tools = versions[-1].parent
        self.port = free_port()
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.folder = place.scratch / "postgresql"
        if not (self.folder / "ready").exists():
            self.make()
        self.words = [*self.as_user(), *self.server()]

    def wait_until_ready(self) -> None:
        """It listens before it takes sessions."""
        checked(["sh", "-c", 'for i in $(seq 600); do "$0" -q "$@" && exit; sleep 0.05; done; exit 1', str(self.tools / "pg_isready"), *self.where()[:-1]], "pg_isready")

    def as_user(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return [need("setpriv", "util-linux"), "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]

    def server(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "autovacuum": "off",
            "max_connections": 20,
            "checkpoint_timeout": "1h",
            "log_min_messages": "fatal",
        }
        return [str(self.tools / "postgres"), "-D", str(self.folder / "data"), *(f"--{k}={v}" for k, v in settings.items())]

    def make(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        arguments = ["-D", str(self.folder / "data"), "-U", self.user, "--auth=trust", "--no-sync", "--locale=C", "-E", "UTF8"]
        checked([*self.as_user(), str(self.tools / "initdb"), *arguments], "initdb")
        with open(self.folder / "log", "w+b") as log:
            server = subprocess.Popen(
                [*self.as_user(), *self.server()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            try:
                wait_for_port(server, self.port, "plain")
                self.wait_until_ready()
                checked([str(self.tools / "psql"), *self.where(), "-q", "-v", "ON_ERROR_STOP=1", "-c", SCHEMA], "psql")
            finally:
                process.end(server, self.ends_by)
                server.wait()
        (self.folder / "transaction.sql").write_text(TRANSACTION.format(idle_ms=int(IDLE_S * 1000)))
        (self.folder / "ready").touch()

    def where(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, "postgres"]

    def load(self, size: int, counting: bool) -> list[str]:
        each = max(size // self.clients, 1)
        words = [str(self.tools / "pgbench"), "-n", "-c", str(self.clients), "-j", "1", "-t", str(each), "--random-seed=1"]
        return [*words, "-D", "done=0", "-D", f"last={each}", "-f", str(self.folder / "transaction.sql"), *self.where()]


KINDS = {"redis": Redis, "nginx": Nginx, "postgresql": Postgresql}


@contextlib.contextmanager
def serving(place: Place, workload: Workload, variant: Variant, tool: list[str]) -> Iterator[tuple[subprocess.Popen, object, dict]]:
    """A server that answers; ended in any case. `life` is filled in at its end."""
    kind = KINDS[workload.service](place, workload)
    environment = {**os.environ, **variant.variables(workload, place), "MEMGUARD_DIR": str(run.sessions(place))}
    as_user = kind.as_user() if isinstance(kind, Postgresql) else []
    words = kind.words[len(as_user) :]
    life: dict = {}
    with open(place.scratch / "stderr", "w+b") as errors:
        server = subprocess.Popen(
            [*as_user, *variant.command([*tool, *words])],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
        try:
            wait_for_port(server, kind.port, variant.name)
            kind.wait_until_ready()
            yield server, kind, life
        finally:
            process.end(server, kind.ends_by)
            _, status, usage = os.wait4(server.pid, 0)
            server.returncode = os.waitstatus_to_exitcode(status)
            life["whole_cpu_s"] = usage.ru_utime + usage.ru_stime
        errors.seek(0)
        life["said"] = errors.read().decode(errors="replace")
    if server.returncode not in (0, -kind.ends_by, 128 + kind.ends_by):
        said = run.last_line(life["said"])
        raise BenchError(f"{workload.service} under {variant.name} ended with {server.returncode}: {said}")


def once(place: Place, workload: Workload, variant: Variant, size: int) -> dict:
    with serving(place, workload, variant, []) as (server, kind, life):
        checked(kind.load(max(size // 10, 1), False), f"the client of {workload.name}")
        before = process.tree_cpu(server.pid)
        seen = Readings(server.pid)
        start = time.perf_counter()
        with seen if workload.service == "postgresql" else contextlib.nullcontext():
            checked(kind.load(size, False), f"the client of {workload.name}")
        wall = time.perf_counter() - start
        seen.read()
        memory = process.memory_kb(server.pid)
    if workload.service == "postgresql":
        wall -= IDLE_S
    cpu = sum(seconds - before.get(pid, 0.0) for pid, seconds in seen.seconds.items())
    stated = run.stated(place) if variant.watched else None
    run.tidy(place)
    return {"wall_s": wall, "cpu_s": cpu, "whole_cpu_s": life["whole_cpu_s"], "stated": stated, **memory}


class Readings:
    """The last CPU time seen of each process: those that leave meanwhile rest a while before they do."""

    def __init__(self, root: int):
        self.root = root
        self.seconds: dict[int, float] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.keep_reading)

    def read(self) -> None:
        self.seconds.update(process.tree_cpu(self.root))

    def keep_reading(self) -> None:
        while not self.over.wait(IDLE_S / 4):
            self.read()

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def count(place: Place, workload: Workload, variant: Variant, size: int) -> int:
    """As run.count; timers of the server make it vary a little."""
    with serving(place, workload, variant, run.callgrind()) as (_, kind, life):
        checked(kind.load(size, True), f"the client of {workload.name}")
    run.tidy(place)
    return run.collected(life["said"], f"callgrind of {workload.name} under {variant.name}")


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(server: subprocess.Popen, port: int, variant: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not process.ended(server.pid):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise BenchError(f"the server under {variant} does not listen on port {port}")


def checked(command: list[str], what: str) -> None:
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=run.LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{what} does not end within {run.LONGEST_S} s") from None
    if ended.returncode != 0:
        raise BenchError(f"{what} ended with {ended.returncode}: {run.last_line((ended.stderr + ended.stdout).decode(errors='replace'))}")
