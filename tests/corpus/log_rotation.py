"""log_rotation: writes a log, and every second closes it and opens the next; only the last three files are kept open for readers.

Healthy: four descriptors at the most.
"""

import collections
import os
import tempfile
import time

import service

with tempfile.TemporaryDirectory(prefix="log_rotation-") as folder:
    readers = collections.deque()
    number, rotated = 0, 0.0
    writer = None
    logs = service.Service(60)
    for request in logs:
        if writer is None or time.monotonic() - rotated > 1.0:
            if writer is not None:
                writer.close()
                readers.append(open(writer.name))
            if len(readers) > 3:
                readers.popleft().close()
            number, rotated = number + 1, time.monotonic()
            writer = open(os.path.join(folder, f"log.{number}"), "w")
        print(f"request {request}", file=writer, flush=True)
        logs.work()
    writer.close()
    held = len(readers)
    while readers:
        readers.popleft().close()
logs.end(0, held)
