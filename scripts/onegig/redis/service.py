"""Addresses of a compose service's running container, with the passwords that may be the right."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from onegig.errors import ConfigError
from onegig.model.redis import RedisAudit
from onegig.redis.connect import Address, RefusedError
from onegig.redis.credentials import Clues, find_credentials

PORT = 6379
LOCAL = ("", "0.0.0.0", "::")  # noqa: S104 - where a port is published, not bound to


def find_address(service: str, containers: Iterable[Mapping[str, Any]]) -> Address:
    """Return where a service's first running container is reached, by `docker inspect`.

    Raises ConfigError when none runs, or none has a port that this machine reaches.
    """
    running = [each for each in containers if (each.get("State") or {}).get("Running")]
    if not running:
        raise ConfigError(
            f"no container of {service} is running",
            advice="start the project with `docker compose up --wait`, or give a redis:// URL",
        )
    settings = running[0].get("NetworkSettings") or {}
    port = _port(running[0].get("Config") or {})
    for binding in (settings.get("Ports") or {}).get(f"{port}/tcp") or ():
        host = binding.get("HostIp", "")
        host = "127.0.0.1" if host in LOCAL else host
        return Address(url=f"redis://{_bracketed(host)}:{binding['HostPort']}", name=service)
    for network in (settings.get("Networks") or {}).values():
        if network.get("IPAddress"):
            return Address(url=f"redis://{network['IPAddress']}:{port}", name=service)
    raise ConfigError(
        f"the container of {service} has no port that this machine reaches",
        advice=f"publish its port {port}, or give a redis:// URL",
    )


def _port(config: Mapping[str, Any]) -> int:
    """Return the port an image says it listens on; Redis's own where it says several or none."""
    exposed = [name.partition("/")[0] for name in config.get("ExposedPorts") or ()]
    return int(exposed[0]) if len(exposed) == 1 and exposed[0].isdecimal() else PORT


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def audit_service(
    address: Address, clues: Clues, audit: Callable[[Address], RedisAudit]
) -> RedisAudit:
    """Return a service's audit with the first password that it accepts.

    Raises RefusedError when it accepts none, RedisError.
    """
    refusal: RefusedError | None = None
    for each in find_credentials(clues):
        try:
            return audit(replace(address, username=each.username, password=each.password))
        except RefusedError as error:
            refusal = error
    raise refusal or RefusedError(f"{address} accepts no password of the project")
