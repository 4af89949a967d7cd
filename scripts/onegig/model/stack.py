"""The compose project as onegig needs it: services, images, start order, labels."""

from dataclasses import dataclass


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
    has_ports: bool = False
    restart: str = ""  # "always", "on-failure:3", ...; "" where it is not written
    cpus: float | None = None
    platform: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A compose project. `config_json` is `docker compose config`'s output."""

    name: str
    directory: str
    files: tuple[str, ...]
    services: tuple[Service, ...]
    config_json: str
    warnings: tuple[str, ...] = ()

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
