"""log_shipper: opens each log segment to ship it and keeps the file object in a list "to resume", which is never emptied."""

import service

OPEN = []


def ship(path):
    segment = open(path, "rb")
    OPEN.append(segment)
    return len(segment.read(200))


shipper = service.Service(12)
for _request in shipper:
    ship("/etc/passwd")
    shipper.work()
shipper.end(len(OPEN), 0)
