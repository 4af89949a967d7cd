"""Which containers of a stack are audited, and what counts as an answer of a Redis."""

import socket
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest

from onegig.machine.machine import SERVICE_LABEL
from onegig.model.engines import EngineKind
from onegig.model.measured import Unknown
from onegig.redis.stack import audit_stack, find_servers, is_redis


def container(service: str, image: str, command: str = "", number: int = 1) -> dict[str, Any]:
    path, _, words = command.partition(" ")
    return {
        "Name": f"/demo-{service}-{number}",
        "Path": path,
        "Args": words.split(),
        "State": {"Running": service != "stopped"},
        "Config": {"Image": image, "Labels": {SERVICE_LABEL: service}},
    }


STACK = [
    container("web", "python:3.13", "python redis_client.py"),
    container("cache", "docker.io/library/redis:8-alpine", "docker-entrypoint.sh redis-server", 2),
    container("cache", "docker.io/library/redis:8-alpine", "docker-entrypoint.sh redis-server"),
    container("own", "acme/store", "sh -c exec valkey-server /etc/valkey.conf"),
    container("stack", "redis/redis-stack:7.4.0-v1", "/entrypoint.sh"),
    container("pinned", "bitnami/valkey@sha256:0123", "/run.sh"),
    container("stopped", "redis:8", "redis-server"),
    container("proxy", "registry.redis.example/proxy:1", "proxy"),
]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ((), ["cache-1", "own-1", "pinned-1", "stack-1"]),
        (("web", "cache", "stopped"), ["cache-1", "web-1"]),
    ],
)
def test_servers_are_found_by_program_and_image_or_by_name(
    named: tuple[str, ...], expected: list[str]
) -> None:
    found = [each["Name"].removeprefix("/demo-") for _, each in find_servers(STACK, named)]
    assert found == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"+PONG\r\n", True),
        (b"-NOAUTH Authentication required.\r\n", True),
        (b"-LOADING Redis is loading the dataset in memory\r\n", True),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"ERROR\r\n", False),
        (b"", False),
    ],
)
def test_only_answers_of_a_redis_count(reply: bytes, expected: bool, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(reply)

        thread = Thread(target=answer)
        thread.start()
        assert is_redis(path) is expected
        thread.join()
    assert not is_redis(tmp_path / "nothing")


def test_under_podman_no_redis_is_audited() -> None:
    """Nor asked: an audit's connections would wait there for answers that do not come."""
    machine = Mock()
    machine.plan.budgets.engine = EngineKind.PODMAN
    assert isinstance(audit_stack(machine, {}), Unknown)
    machine.engine.inspect.assert_not_called()
