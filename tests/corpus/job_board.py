"""job_board: keeps each finished job's result in a dictionary by number, for a page that shows results. Nobody removes them."""

import service

RESULTS = {}


def finish(number, rows):
    RESULTS[number] = {"rows": [f"job {number} row {row}" for row in range(rows)], "text": "x" * 700}


board = service.Service(60)
for job in board:
    finish(job, 3 + job % 4)
    board.work()
board.end(len(RESULTS), 0)
