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
from onegig.model.measured import Missing, Unknown
from onegig.model.redis import RedisAudit, ServiceRedis
from onegig.redis.audit import AuditOptions, audit
from onegig.redis.connect import Address
from onegig.redis.credentials import Clues, read_clues
from onegig.redis.service import PORT, audit_service

ANSWER_SECONDS = 30.0  # an emulated machine takes long to start a container
_PROGRAM = re.compile(r"\b(?:redis|valkey|keydb)-server\b")
_IMAGE = re.compile(r"(?:^|/)[\w.-]*(?:redis|valkey|keydb)[\w.-]*(?:[:@]|$)")
_ANSWERS = re.compile(rb"\+PONG|-[A-Z]+ ")  # to PING: also a refusal is one
_NONE = "no service of the stack runs a Redis or Valkey"

Inspected = Mapping[str, Any]


def audit_stack(machine: Machine, project: Mapping[str, Any]) -> tuple[ServiceRedis, ...] | Missing:
    """Audit what the budgets ask for; a server that can't be is Unknown, with the reason.

    `project` is the stack's, as compose resolved it.
    """
    asked = machine.plan.budgets.redis
    named = asked.services if asked else ()
    options = AuditOptions(limit_bytes=(asked.memory_bytes if asked else 0) or 0)
    try:
        containers = machine.engine.inspect(SERVICE_LABEL)
    except OnegigError as error:
        return Unknown(reason=error.message)
    audits = []
    for service, container in find_servers(containers, named):
        machine.plan.say(f"auditing the Redis of {service}")
        result: RedisAudit | Missing | None
        try:
            run = partial(audit, options=options)
            result = _audit_container(
                machine, container, read_clues(service, container, project), run
            )
        except OnegigError as error:
            result = Unknown(reason=error.message)
        if result is not None or service in named:
            missing = Unknown(reason="no port of its container answers as a Redis does")
            audits.append(ServiceRedis(service=service, audit=result or missing))
    absent = set(named) - {each.service for each in audits}
    gone = Unknown(reason="no container of it was running at the end of the window")
    audits += [ServiceRedis(service=name, audit=gone) for name in named if name in absent]
    return tuple(audits) or Unknown(reason=_NONE)


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
) -> RedisAudit | None:
    """Return the audit of the first port that answers as Redis does; None where none does.

    Its usual port comes first.
    """
    service = container["Config"]["Labels"][SERVICE_LABEL]
    with open_forwarder(machine.engine, machine.plan.run, container["Id"]) as forwarder:
        for listener in sorted(forwarder.listeners(), key=lambda each: each.port != PORT):
            with forwarder.open(listener) as path:
                if is_redis(path):
                    return audit_service(Address(url=f"unix://{path}", name=service), clues, run)
    return None


def is_redis(path: Path) -> bool:
    """Return whether who listens on a socket answers PING as Redis does."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        return bool(_ANSWERS.match(connection.recv(64)))
    return False
