"""The Docker Engine of this machine: connecting, and refusing one that is too old."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker import DockerClient
from docker.errors import DockerException

from onegig.errors import EngineError

OLDEST_ENGINE = 24
CALL_SECONDS = 120


@contextmanager
def connect() -> Iterator[DockerClient]:
    """A client for the engine that DOCKER_HOST or the default socket names.

    Raises EngineError when none answers, when this user may not ask it, or when it is too old.
    """
    try:
        client = docker.from_env(timeout=CALL_SECONDS)
        version = str(client.version().get("Version", "0"))
    except DockerException as error:
        raise _unreachable(error) from error
    try:
        if int(version.partition(".")[0]) < OLDEST_ENGINE:
            raise EngineError(
                f"Docker Engine {version} is too old: onegig needs {OLDEST_ENGINE} or later",
                command="docker version",
                advice="upgrade the engine, or run scripts/check as root on Debian or Ubuntu",
            )
        yield client
    finally:
        client.close()


def _unreachable(error: DockerException) -> EngineError:
    if "Permission denied" in str(error) or "PermissionError" in str(error):
        return EngineError(
            "this user may not talk to the Docker Engine",
            command="docker version",
            advice="add the user to the docker group (`sudo usermod -aG docker $USER`, then log in "
            "again) or run as root",
        )
    return EngineError(
        "no Docker Engine answers",
        command="docker version",
        advice="start one (`sudo systemctl start docker`), point DOCKER_HOST at one, or run "
        "scripts/check as root on Debian or Ubuntu to have one installed",
        detail=str(error),
    )
