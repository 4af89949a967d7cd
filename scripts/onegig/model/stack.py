"""The compose project as onegig needs it: services, images, start order, labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from onegig.model.host_access import HostAccess


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
        """Every image once, in the order of services."""
        return tuple(dict.fromkeys(service.image for service in self.services))

    @property
    def users_by_image(self) -> dict[str, tuple[str, ...]]:
        """The services that run each image."""
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
    """What the builds of a stack take from beside their own build sections."""

    # by service: the image that its Dockerfile names, and the service that builds that image
    bases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # the variables that build secrets name, with their values; never printed
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
