"""variants: what variant.h is for C, for the Python programs: --what NAME, the arguments of target.h, an even pace."""

import argparse
import time


def run(program, variants, end=lambda: None):
    """Runs the variant that the command line names and says in one line, the same on every run, that it is done."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--what", required=True, choices=list(variants), help="the variant")
    parser.add_argument("--objects", type=int, default=60, help="steps")
    parser.add_argument("--size", type=int, default=4096, help="accepted and not used")
    parser.add_argument("--seconds", type=float, default=8.0, help="time over which they are spread")
    parser.add_argument("--threads", type=int, default=1, help="accepted and not used")
    options = parser.parse_args()
    step = variants[options.what]
    start = time.monotonic()
    total = 0
    for request in range(options.objects):
        total += step(request)
        ahead = start + options.seconds * (request + 1) / options.objects - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    end()
    print(f"{program}: {options.what}, {options.objects} steps, sum {total}", flush=True)
