"""metric_points: appends the points of its metrics to one list, to send them when somebody asks. Nobody does.

The points are small integers that exist anyway: all that grows is the list's own table, which is enlarged again and again.
"""

import service

POINTS = []

metrics = service.Service(150)
for _request in metrics:
    POINTS.extend(metrics.random.randrange(200) for _ in range(400))
    metrics.work()
metrics.end(len(POINTS), 0)
