"""The compose project as onegig needs it: services, images, start order, labels.

Describe a request of a compose file that can reach the machine it runs on.

A resolved compose project as text: JSON that compose reads back, and the dollars in it. Pure.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class HostAccess:
    """One thing that a service asks for."""

    service: str
    reason: str  # "privileged: true", "mounts /var/run/docker.sock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One service of the compose file."""

    name: str
    image: str  # reference the engine knows it by
    builds: bool  # has a build section
    dockerfile: str | None  # relative to the project folder, None for pulled images
    replicas: int
    has_healthcheck: bool
    depends_on: tuple[str, ...]
    optional: bool  # label onegig.optional
    criticality: str  # label onegig.criticality
    memory_limit_bytes: int | None  # compose mem_limit
    cpus: float | None = None  # compose cpus; None: no limit
    platform: str = ""  # "linux/arm64"; "": the engine's own
    single: str = ""  # why two of its containers cannot run at once: "publishes port 80"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A compose project.

    `config_json` is what `docker compose config` resolves, as JSON that compose can read back.
    """

    name: str
    directory: str  # the project's folder, that of the first file
    files: tuple[str, ...]  # the compose files that count, as the user would name them
    services: tuple[Service, ...]
    config_json: str
    warnings: tuple[str, ...] = ()  # compose's own, each once
    working_directory: str = ""  # where compose was run; "": in the project's folder
    host_access: tuple[HostAccess, ...] = ()  # of services that would start

    @property
    def images(self) -> tuple[str, ...]:
        """Return every image once, in the order of services."""
        return tuple(dict.fromkeys(service.image for service in self.services))

    @property
    def users_by_image(self) -> dict[str, tuple[str, ...]]:
        """Return the services that run each image."""
        return {
            image: tuple(service.name for service in self.services if service.image == image)
            for image in self.images
        }

    def needs(self, name: str) -> tuple[str, ...]:
        """Return the services that one depends on, directly or through others, nearest first."""
        direct = {service.name: service.depends_on for service in self.services}
        reached: dict[str, None] = {}
        todo = list(direct.get(name, ()))
        while todo:
            needed = todo.pop(0)
            if needed not in reached and needed != name:
                reached[needed] = None
                todo += direct.get(needed, ())
        return tuple(reached)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInputs:
    """Inputs of a stack's builds from beside their own build sections."""

    # by service: the image that its Dockerfile names, and the service that builds that image
    bases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # the variables that build secrets name, with their values; never printed
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


_BEYOND_ASCII = re.compile("[\x7f-\uffff]")


def dump_config(config: Mapping[str, Any]) -> str:
    """Return JSON that compose can read back.

    Compose reads it as YAML: that knows no surrogate pairs, and takes some characters beyond ASCII
    for line breaks.
    """
    text = json.dumps(config, ensure_ascii=False)
    return _BEYOND_ASCII.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def unescape(value: Any) -> Any:
    """Return the value with the dollars that compose writes twice written once, at any depth."""
    return map_texts(lambda text: text.replace("$$", "$"), value)


def map_texts(change: Callable[[str], str], value: Any) -> Any:
    """Return a value of JSON with every text in it changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): map_texts(change, inner) for key, inner in value.items()}
    return [map_texts(change, inner) for inner in value] if isinstance(value, list) else value
