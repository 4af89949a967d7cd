"""Passwords of a Redis: found where compose projects put them, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from onegig.redis.credentials import NONE, Credentials, find_credentials, read_clues

# command | variables | users and passwords that are tried after none
STATED = """
valkey-server --save  --requirepass s3cret | | :s3cret
sh -c exec redis-server --requirepass "$PASS" | PASS=from-env | :from-env
redis-server --requirepass ${PASS} | PASS=a=b | :a=b
redis-server --requirepass "${PASS:-dev}" | PASS=a | :a
sh -c redis-server --requirepass "$(cat /run/secrets/redis)" | | :of-secret
sh -c redis-server --requirepass $(< $FILE) | FILE=/run/secrets/redis | :of-secret
docker-entrypoint.sh redis-server | REDIS_PASSWORD=one VALKEY_AUTH=two OTHER_PASSWORD=no | :one :two
redis-server --user app on >pw ~* +@all | | app:pw
redis-server /conf/redis.conf | | :in-file ops:secret
redis-server | REDIS_PASSWORD_FILE=/run/secrets/redis | :of-secret
redis-server /conf/../outside.conf | |
redis-server /conf/link.conf | |
redis-server /etc/passwd | |
"""
CASES = [line.split("|") for line in STATED.strip().splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "redis.conf").write_text('port 6379\nrequirepass "in-file"\nuser ops on >secret ~*')
    (tmp_path / "outside.conf").write_text("requirepass not-mounted")
    (folder / "link.conf").symlink_to(tmp_path / "outside.conf")
    (tmp_path / "secret").write_text("of-secret\n")
    mount = {"type": "bind", "source": str(folder), "target": "/conf"}
    return {
        "services": {"cache": {"volumes": [mount], "secrets": [{"source": "redis"}]}},
        "secrets": {"redis": {"file": str(tmp_path / "secret")}},
    }


def inspected(command: str, variables: str = "", health: str = "") -> dict[str, Any]:
    path, *words = command.split()
    test = ["CMD-SHELL", health] if health else None
    return {
        "Path": path,
        "Args": words,
        "Config": {"Env": variables.split(), "Healthcheck": {"Test": test}},
        "NetworkSettings": {"Networks": {"default": {"Aliases": ["cache", "store"]}}},
    }


def tried(found: tuple[Credentials, ...]) -> list[str]:
    assert found[0] == NONE
    return [f"{each.username}:{each.password}" for each in found[1:]]


@pytest.mark.parametrize(("command", "variables", "expected"), CASES)
def test_a_password_is_found_where_the_service_has_it(
    command: str, variables: str, expected: str, project: dict[str, Any]
) -> None:
    found = find_credentials(read_clues("cache", inspected(command, variables), project))
    assert tried(found) == expected.split()


def test_a_password_is_found_in_health_checks_and_in_urls_of_other_services() -> None:
    urls = "redis://app:p%40ss@store:6379/0 redis://:pw@elsewhere:6379 rediss://:t1s@cache"
    services = {"cache": {}, "web": {"environment": {"URL": urls, "EMPTY": None}, "command": None}}
    container = inspected("redis-server", health="redis-cli -a checked ping | grep PONG")
    found = find_credentials(read_clues("cache", container, {"services": services}))
    assert tried(found) == [":checked", "app:p@ss", ":t1s"]
    assert "p@ss" not in repr(found)
