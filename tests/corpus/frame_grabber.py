"""frame_grabber: maps a frame of shared memory for each picture and keeps the mapping in a history that nobody trims."""

import mmap

import service

HISTORY = []


def grab(number):
    frame = mmap.mmap(-1, 256 * 1024)
    frame[:8] = number.to_bytes(8, "little")
    HISTORY.append(frame)


grabber = service.Service(15)
for request in grabber:
    grab(request)
    grabber.work()
grabber.end(len(HISTORY), 0)
