"""json_roundtrip: encodes and decodes a nested document with CPython's json module. json_roundtrip.py ROUNDS"""

import json
import sys

document = {
    "items": [{"id": i, "name": f"item {i}", "tags": ["a", "b", str(i)], "price": i * 1.5} for i in range(300)]
}
checksum = 0
for round_number in range(int(sys.argv[1])):
    document["round"] = round_number
    text = json.dumps(document, sort_keys=True)
    checksum += len(json.loads(text)["items"]) + len(text)
print(checksum)
