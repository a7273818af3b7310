#!/bin/sh
# CPython on a script: JSON, regular expressions, dictionaries, classes, compression, threads. python.sh [PREFIX...]
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
need python3

# The system's interpreter where there is one: a shim of a version manager would be a shell script.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

cat >"$scratch/script.py" <<'PYTHON'
import collections, hashlib, json, re, sys, threading, zlib


class Node:
    def __init__(self, key, children):
        self.key, self.children = key, children

    def total(self):
        return self.key + sum(child.total() for child in self.children)


def build(depth, key):
    return Node(key, [build(depth - 1, key * 2 + i) for i in range(3)] if depth else [])


def one_round(number):
    text = json.dumps([{"id": i, "name": f"name {i * number}", "tags": [str(j) for j in range(5)]} for i in range(2000)])
    names = collections.Counter(name[-1] for name in re.findall(r'"name (\d+)"', text))
    packed = zlib.compress(text.encode(), 3)
    assert json.loads(zlib.decompress(packed)) == json.loads(text)
    ordered = sorted({hashlib.sha256(f"{number}:{i}".encode()).hexdigest() for i in range(4000)})
    return f"{names.most_common(2)} {build(6, number).total()} {ordered[0][:12]} {len(text)}"


results = {}


def in_thread(number):
    results[number] = one_round(number)


rounds = int(sys.argv[1])
for first in range(0, rounds, 2):
    threads = [threading.Thread(target=in_thread, args=(n,)) for n in range(first, min(first + 2, rounds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
for number in sorted(results):
    print(number, results[number])
PYTHON

status=0
PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 "$@" "$python" "$scratch/script.py" $((seconds * 110)) || status=$?
echo "python: $status"
exit "$status"
