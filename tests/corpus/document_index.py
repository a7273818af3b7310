"""document_index: parses documents into dictionaries, counts words, keeps the hundred last documents.

Healthy: ordinary work of an interpreter: much is made and dropped at once, a little is kept for a while.
"""

import collections
import json

import service

RECENT = collections.deque(maxlen=100)
COUNTS = collections.Counter()

index = service.Service(100)
for request in index:
    text = json.dumps({"number": request, "words": [f"w{index.random.randrange(300)}" for _ in range(60)], "tags": {"a": 1, "b": [2, 3]}})
    document = json.loads(text)
    COUNTS.update(document["words"])
    RECENT.append(document)
index.end(0, len(RECENT))
