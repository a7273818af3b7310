#!/usr/bin/python3
"""leak_python: a Python service that keeps what it opened in a list that nobody empties.

keep_file    a file for each request
keep_socket  a connection whose other end is closed: CLOSE_WAIT
keep_thread  a thread that waits for ever
keep_child   a child process that ended and is never waited for

expect: leak keep_file keep_socket keep_thread keep_child
kind: keep_file file-not-closed
also: keep_file heap-growth container-growing
kind: keep_socket socket-close-wait
also: keep_socket heap-growth container-growing
kind: keep_thread thread-growth
also: keep_thread heap-growth container-growing mmap-not-unmapped
kind: keep_child zombie-not-reaped
also: keep_child heap-growth container-growing
"""

import os
import socket
import subprocess
import threading

import variants

KEPT = []
NEVER = threading.Event()
LISTENER = socket.create_server(("127.0.0.1", 0))


def keep_file(_request):
    KEPT.append(open("/etc/passwd", "rb"))  # LEAK
    return len(KEPT)


def keep_socket(_request):
    client = socket.create_connection(LISTENER.getsockname())  # LEAK
    served, _ = LISTENER.accept()
    served.close()
    KEPT.append(client)
    return len(KEPT)


def keep_thread(_request):
    thread = threading.Thread(target=NEVER.wait, daemon=True)
    thread.start()  # LEAK
    KEPT.append(thread)
    return len(KEPT)


def keep_child(_request):
    KEPT.append(subprocess.Popen(["/bin/true"]))  # LEAK
    return len(KEPT)


variants.run("leak_python", {f.__name__: f for f in (keep_file, keep_socket, keep_thread, keep_child)})
os._exit(0)  # without the interpreter's cleaning up, which would close and wait
