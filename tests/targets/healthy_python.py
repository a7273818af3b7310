#!/usr/bin/python3
"""healthy_python: a Python service that gives back what it opens, mostly by `with`.

files        a file for each request
file_pool    twenty files from the first request on
connections  both ends of a connection for each request
keep_alive   five connections at a time, each for ten requests
threads      a thread for each request, joined
executor     a pool of threads that grows to eight
children     a child process for each request, waited for

expect: silence
what: files file_pool connections keep_alive threads executor children
"""

import collections
import concurrent.futures
import socket
import subprocess
import threading

import variants

LISTENER = socket.create_server(("127.0.0.1", 0))
POOL = []
ALIVE = collections.deque()
EXECUTOR = concurrent.futures.ThreadPoolExecutor(8)


def read(file):
    file.seek(0)
    return len(file.read(20))


def files(_request):
    with open("/etc/passwd", "rb") as file:
        return read(file)


def file_pool(request):
    if not POOL:
        POOL.extend(open("/etc/passwd", "rb") for _ in range(20))
    return read(POOL[request % len(POOL)])


def connect():
    client = socket.create_connection(LISTENER.getsockname())
    served, _ = LISTENER.accept()
    return client, served


def ask(client, served):
    client.sendall(b"words")
    return len(served.recv(5, socket.MSG_WAITALL))


def connections(_request):
    client, served = connect()
    with client, served:
        return ask(client, served)


def keep_alive(request):
    if request % 2 == 0:
        ALIVE.append(connect())
    if len(ALIVE) > 5:
        for side in ALIVE.popleft():
            side.close()
    return sum(ask(*pair) for pair in ALIVE)


def threads(_request):
    thread = threading.Thread(target=sum, args=(range(100),))
    thread.start()
    thread.join()
    return 1


def executor(_request):
    return EXECUTOR.submit(sum, range(100)).result()


def children(_request):
    return subprocess.run(["/bin/true"], check=True).returncode + 1


def end():
    EXECUTOR.shutdown()
    for pair in ALIVE:
        for side in pair:
            side.close()
    for file in POOL:
        file.close()
    LISTENER.close()


STEPS = (files, file_pool, connections, keep_alive, threads, executor, children)
variants.run("healthy_python", {step.__name__: step for step in STEPS}, end)
