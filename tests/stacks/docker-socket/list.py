"""Fail unless the engine behind the socket runs this stack and nothing else."""

import json
import socket
import time

with socket.socket(socket.AF_UNIX) as engine:
    engine.connect("/var/run/docker.sock")
    engine.sendall(b"GET /containers/json HTTP/1.0\r\nHost: docker\r\n\r\n")
    answer = b"".join(iter(lambda: engine.recv(65536), b""))
containers = json.loads(answer.partition(b"\r\n\r\n")[2])
services = sorted(one["Labels"]["com.docker.compose.service"] for one in containers)
assert services == ["proxy", "whoami"], services
time.sleep(86400)
