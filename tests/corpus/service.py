"""service: what service.h is for C, for the corpus' Python programs: requests at random times, and the ledger.

In: --seconds S. Out: one line, "NAME: requests=R leaked=L held=H".
"""

import argparse
import os
import pathlib
import random
import sys
import time


class Service:
    def __init__(self, rate):
        """`rate` is the mean number of requests a second."""
        self.name = pathlib.Path(sys.argv[0]).stem
        parser = argparse.ArgumentParser(prog=self.name)
        parser.add_argument("--seconds", type=float, default=6.0)
        self.seconds = parser.parse_args().seconds
        self.random = random.Random(self.name)
        self.gap = 1.0 / rate
        self.requests = 0
        self.start = self.due = time.monotonic()

    def progress(self):
        """Share of the run that is over."""
        return min((time.monotonic() - self.start) / self.seconds, 1.0)

    def __iter__(self):
        """The numbers of the requests, each when it comes."""
        while True:
            now = time.monotonic()
            self.due = max(self.due + self.random.expovariate(1.0) * self.gap, now - 1.0)
            if self.due > now:
                time.sleep(self.due - now)
            if self.progress() >= 1.0:
                return
            self.requests += 1
            yield self.requests

    def work(self):
        """The ordinary work of one request."""
        return sum(len(word) for word in ("word " * self.random.randrange(50, 500)).split())

    def end(self, leaked, held):
        """Says what was counted and ends the program at once: the interpreter does not tidy up."""
        print(f"{self.name}: requests={self.requests} leaked={leaked} held={held}", flush=True)
        os._exit(0)
