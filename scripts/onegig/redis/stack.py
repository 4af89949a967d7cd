"""The audit of every Redis of a booted stack, through the machine that it runs on."""

import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from onegig.errors import OnegigError
from onegig.machine.forward import open_forwarder
from onegig.machine.machine import SERVICE_LABEL, Machine
from onegig.model.budgets import RedisBudget
from onegig.model.measured import Missing, Unknown
from onegig.model.redis import RedisAudit, ServiceRedis
from onegig.redis.audit import AuditOptions, audit
from onegig.redis.connect import Address
from onegig.redis.credentials import Clues, read_clues
from onegig.redis.service import PORT, audit_service

ANSWER_SECONDS = 120.0  # on an emulated machine containers start and answer slowly
_PROGRAM = re.compile(r"\b(?:redis|valkey|keydb)-server\b")
_IMAGE = re.compile(r"(?:^|/)[\w.-]*(?:redis|valkey|keydb)[\w.-]*(?:[:@]|$)")
_ANSWERS = re.compile(rb"\+PONG|-[A-Z]+ ")  # to PING: also a refusal is one
_NONE = "no service of the stack runs a Redis or Valkey"
_SILENT = Unknown(reason="no port of its container answers as a Redis does")
_GONE = Unknown(reason="no container of it was running at the end of the window")
_PODMAN = Unknown(reason="the audit's connections do not pass Podman's API; measure under Docker")

Inspected = Mapping[str, Any]


def audit_stack(machine: Machine, project: Mapping[str, Any]) -> tuple[ServiceRedis, ...] | Missing:
    """Audit what the budgets ask for; a server that can't be is Unknown, with the reason.

    `project` is the stack's, as compose resolved it.
    """
    if machine.plan.budgets.engine.is_podman:
        return _PODMAN
    asked = machine.plan.budgets.redis or RedisBudget()
    try:
        containers = machine.engine.inspect(SERVICE_LABEL)
    except OnegigError as error:
        return Unknown(reason=error.message)
    found = dict(find_servers(containers, asked.services))
    audits = dict[str, RedisAudit | Missing]()
    for service, container in found.items():
        machine.plan.say(f"auditing the Redis of {service}")
        clues = read_clues(service, container, project)
        run = partial(audit, options=_options(asked, service, machine))
        try:
            audits[service] = _audit_container(machine, container, clues, run)
        except OnegigError as error:
            audits[service] = Unknown(reason=error.message)
    audits |= dict.fromkeys((name for name in asked.services if name not in found), _GONE)
    named = {name: each for name, each in audits.items() if each != _SILENT or asked.services}
    return tuple(map(_of_service, named.items())) or Unknown(reason=_NONE)


def _options(asked: RedisBudget, service: str, machine: Machine) -> AuditOptions:
    """Return what the budgets ask for; a replay may need the programs of the service's image."""
    images = {each.name: each.image for each in machine.plan.stack.services}
    return AuditOptions(
        limit_bytes=asked.memory_bytes or 0, replay=asked.replay, image=images.get(service, "")
    )


def _of_service(entry: tuple[str, RedisAudit | Missing]) -> ServiceRedis:
    return ServiceRedis(service=entry[0], audit=entry[1])


def find_servers(
    containers: Sequence[Inspected], named: Sequence[str]
) -> Iterator[tuple[str, Inspected]]:
    """Yield service and running container, one of each service that is named or looks like Redis.

    Containers are those of `docker inspect`. A command or an image with the name of a server looks
    like one.
    """
    seen = set()
    for container in sorted(containers, key=lambda each: str(each["Name"])):
        service = container["Config"]["Labels"][SERVICE_LABEL]
        chosen = service in named if named else looks_like_redis(container)
        if chosen and service not in seen and container["State"].get("Running"):
            seen.add(service)
            yield service, container


def looks_like_redis(container: Inspected) -> bool:
    """Return whether a container's command or image has the name of a Redis or Valkey."""
    command = " ".join((container.get("Path") or "", *(container.get("Args") or ())))
    image = str(container["Config"].get("Image") or "")
    return bool(_PROGRAM.search(command) or _IMAGE.search(image))


def _audit_container(
    machine: Machine, container: Inspected, clues: Clues, run: Callable[[Address], RedisAudit]
) -> RedisAudit | Missing:
    """Return the audit of the first port that answers as Redis does.

    Its usual port comes first.
    """
    service = container["Config"]["Labels"][SERVICE_LABEL]
    with open_forwarder(machine.engine, machine.plan.run, container["Id"]) as forwarder:
        for listener in sorted(forwarder.listeners(), key=lambda each: each.port != PORT):
            with forwarder.open(listener) as path:
                url = f"unix://{path}?socket_timeout={ANSWER_SECONDS:g}"
                if is_redis(path):
                    return audit_service(Address(url=url, name=service), clues, run)
    return _SILENT


def is_redis(path: Path) -> bool:
    """Return whether who listens on a socket answers PING as Redis does."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        return bool(_ANSWERS.match(connection.recv(64)))
    return False
