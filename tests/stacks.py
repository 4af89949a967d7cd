"""Services of a compose project as `load` gives them, and a stand-in for compose."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from onegig.machine.machine import Container
from onegig.model.stack import Service
from onegig.process import Completed

_PLAIN = Service(
    name="",
    image="",
    builds=False,
    dockerfile=None,
    replicas=1,
    has_healthcheck=False,
    depends_on=(),
    optional=False,
    criticality="",
    memory_limit_bytes=None,
)


def plain_container(service: str, **changes: object) -> Container:
    """A healthy container of a service; `changes` are its fields."""
    container = Container(
        container_id=f"id-{service}",
        service=service,
        status="running",
        health="healthy",
        exit_code=0,
        restarts=0,
        error="",
    )
    return replace(container, **changes)  # type: ignore[arg-type]  # any field


def plain_service(name: str, image: str = "", **changes: object) -> Service:
    """A service that only runs an image (default: of its own name); `changes` are its fields."""
    return replace(_PLAIN, name=name, image=image or name, **changes)  # type: ignore[arg-type]  # any field


def answering(services: object, stderr: str = "", name: str = "demo") -> Callable[..., Completed]:
    """Return a compose that resolves every project to these services."""
    stdout = json.dumps({"name": name, "services": services})

    def run(command: list[str], **_options: Any) -> Completed:
        return Completed(argv=tuple(command), code=0, stdout=stdout, stderr=stderr)

    return run
