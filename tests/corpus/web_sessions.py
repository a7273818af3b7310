"""web_sessions: sessions in a dictionary, each dropped two seconds after its last use by a sweep on every request.

Healthy: as many sessions as two seconds bring.
"""

import time

import service

SESSIONS = {}


def touch(user):
    session = SESSIONS.pop(user, None) or {"user": f"user-{user}", "basket": [f"article {n}" for n in range(user % 7)]}
    session["used"] = time.monotonic()
    SESSIONS[user] = session  # the newest last: dictionaries keep the order


def sweep():
    too_old = time.monotonic() - 2.0
    while SESSIONS:
        user = next(iter(SESSIONS))
        if SESSIONS[user]["used"] > too_old:
            break
        del SESSIONS[user]


web = service.Service(80)
for _request in web:
    touch(web.random.randrange(5000))
    sweep()
    web.work()
web.end(0, len(SESSIONS))
