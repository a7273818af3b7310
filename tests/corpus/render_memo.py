"""render_memo: remembers each rendered page under its arguments. The arguments hold the time of day, so that most are new."""

import service

MEMO = {}
HITS = 0


def render(user, minute):
    global HITS
    key = (user, minute)
    if key in MEMO:
        HITS += 1
    else:
        MEMO[key] = (f"page of {user} at {minute} ".encode() * 200)[:2500]
    return len(MEMO[key])


pages = service.Service(120)
for request in pages:
    render(*(("guest", request % 5) if pages.random.random() < 0.4 else ("user", request)))
    pages.work()
assert HITS
pages.end(len(MEMO), 0)
