"""subprocess_runner: a build agent that runs a command for each request and reads what it says.

Healthy: each child is waited for and its pipe closed before the next request.
"""

import subprocess

import service

agent = service.Service(6)
said = 0
for request in agent:
    said += len(subprocess.run(["/bin/echo", f"build {request}"], capture_output=True, check=True).stdout)
    agent.work()
assert said
agent.end(0, 0)
