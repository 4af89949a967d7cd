"""The compose project, as `docker compose config` resolves it, and what its builds need.

Compose takes any text as the name of an image. It goes on to commands of docker, in which a comma,
a line break or a dash at its start would be more than a name: such a name is refused.
"""

import json
import os
import platform
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onegig.config.compose import Compose, explain
from onegig.config.document import find_place
from onegig.config.host_access import SOCKETS, find_host_access
from onegig.dockerfiles.stages import platform_arguments, read_stages
from onegig.errors import ConfigError
from onegig.files import read_text, shown
from onegig.model.stack import BuildInputs, Service, Stack, dump_config, unescape
from onegig.process import CommandError, Completed, run
from onegig.text import did_you_mean, plain

MOST_CHARACTERS = 600  # a name of 255, a tag of 128, the longest digest
# The grammar of github.com/distribution/reference.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_ALGORITHM = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*"
_REFERENCE = re.compile(
    rf"(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*"
    rf"(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@{_ALGORITHM}:[0-9a-fA-F]{{32,}})?"
)
TRUE_WORDS = ("true", "1", "yes", "on")
_IMPLIED = ("docker.io/", "library/")  # at the start of an image's name
_DOCKERS = {"x86_64": "amd64", "aarch64": "arm64"}
_LATEST = ":latest"

Config = Mapping[str, Any]


def is_image_name(text: str) -> bool:
    """Return whether docker would accept a text as the name of an image."""
    return len(text) <= MOST_CHARACTERS and bool(_REFERENCE.fullmatch(text))


def refuse_bad_names(config: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Raise ConfigError for the first service whose `image` is not a valid image name.

    `config` is the project as compose resolves it, `files` what it was read from.
    """
    for name, service in (config.get("services") or {}).items():
        image = str((service or {}).get("image") or "")
        if image and not is_image_name(image):
            place = find_place(files, (("services", name, "image"), ("services", name)))
            raise ConfigError(
                f"{place}: the service {name} has an image "
                f"name that is not valid: {plain(image[:MOST_CHARACTERS])}",
                advice="write it as [registry[:port]/]name[:tag][@digest], in lower case; "
                "check that its variables are set",
            )


def load_stack(
    files: tuple[Path, ...] = (),
    *,
    folder: Path = Path(),
    profiles: tuple[str, ...] = (),
    run: Callable[..., Completed] = run,
    env: Mapping[str, str] | None = None,
) -> Stack:
    """Return the project as `docker compose` in `folder` resolves it, active services only.

    Later `files` override earlier ones; without any, compose chooses them. `env` is set for compose
    in addition to our own environment. Raises ConfigError when a file is missing, compose refuses
    the project, an image has no name that docker takes, or nothing in it would start.
    """
    compose = Compose(folder=folder, files=files, profiles=profiles, environment=env or {}, run=run)
    paths = compose.existing_files()
    resolved = compose.resolve(paths)
    directory = paths[0].parent
    config: Config = unescape(resolved.config)
    refuse_bad_names(config, tuple(map(shown, paths)))
    services = _services(config, directory)
    if not services:
        raise ConfigError(
            f"{shown(paths[0])} has no service that would start",
            advice="services of inactive profiles are ignored; activate them with `profiles:` in "
            "budgets.yml, --profile or COMPOSE_PROFILES",
        )
    names = {service.name for service in services}
    return Stack(
        name=str(config["name"]),
        directory=str(directory),
        files=tuple(str(shown(path)) for path in paths),
        services=services,
        config_json=dump_config(resolved.config),
        warnings=resolved.warnings,
        working_directory=str(compose.directory),
        host_access=tuple(access for access in find_host_access(config) if access.service in names),
    )


def part_of(stack: Stack, names: Collection[str]) -> Stack:
    """Return the stack as if it had only these services, and those that share their images.

    Raises ConfigError for a name that no service has.
    """
    known = {service.name: service for service in stack.services}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{stack.name} has no service {name}{did_you_mean(name, known)}",
                advice=f"its services are {', '.join(known)}",
            )
    images = {known[name].image for name in names}
    services = tuple(service for service in stack.services if service.image in images)
    return replace(stack, services=services)


def _services(config: Config, directory: Path) -> tuple[Service, ...]:
    """Return the services that would start, in compose's order; those scaled to zero would not."""
    services: Config = config.get("services") or {}
    running = {name: service for name, service in services.items() if _replicas(service)}
    return tuple(
        _service(name, service, project=str(config["name"]), directory=directory, running=running)
        for name, service in running.items()
    )


def _service(
    name: str, config: Config, *, project: str, directory: Path, running: Config
) -> Service:
    labels: Config = config.get("labels") or {}
    limits: Config = ((config.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    memory_bytes = int(limits.get("memory") or config.get("mem_limit") or 0)
    return Service(
        name=name,
        image=config.get("image") or f"{project}-{name}",
        builds="build" in config,
        dockerfile=_dockerfile(config.get("build"), directory),
        replicas=_replicas(config),
        has_healthcheck=_has_healthcheck(config.get("healthcheck")),
        depends_on=tuple(entry for entry in config.get("depends_on") or {} if entry in running),
        optional=str(labels.get("onegig.optional", "")).lower() in TRUE_WORDS,
        criticality=str(labels.get("onegig.criticality", "")),
        memory_limit_bytes=memory_bytes or None,
        cpus=float(limits.get("cpus") or config.get("cpus") or 0) or None,
        platform=str(config.get("platform") or ""),
        single=next(_single(config), ""),
    )


def _single(config: Config) -> Iterator[str]:
    """Yield why two containers of a service cannot run at once; sockets hold no data."""
    for mount in config.get("volumes") or ():
        kept = mount.get("type") in ("volume", "bind") and not mount.get("read_only")
        if kept and Path(str(mount.get("source") or "")).name not in SOCKETS:
            yield f"writes to {mount['target']}"
    for port in config.get("ports") or ():
        published = str(port.get("published") or "")
        if published and "-" not in published:  # of a range the engine takes a free one
            yield f"publishes port {published}"
    if config.get("container_name"):
        yield f"has the container_name {config['container_name']}"
    if config.get("network_mode") == "host":
        yield "uses the host's network"


def _replicas(config: Config) -> int:
    deploy: Config = config.get("deploy") or {}
    return int(deploy.get("replicas", config.get("scale", 1)))


def _dockerfile(build: Config | None, directory: Path) -> str | None:
    """Return a path in the project's folder; None without a file here (inline, remote context)."""
    path = None if build is None else _dockerfile_path(build)
    return os.path.relpath(path, directory) if path else None


def _dockerfile_path(build: Config) -> Path | None:
    context = Path(build.get("context", "."))
    if "dockerfile_inline" in build or not context.is_absolute():
        return None  # compose makes paths absolute and leaves URLs alone
    return context / str(build.get("dockerfile", "Dockerfile"))


def _has_healthcheck(healthcheck: Config | None) -> bool:
    """Return whether compose sets one; an image's own is not known before the image is built."""
    if not healthcheck or healthcheck.get("disable"):
        return False
    return bool(healthcheck.get("test")) and healthcheck["test"][0] != "NONE"


def read_build_inputs(stack: Stack, environment: Mapping[str, str]) -> BuildInputs:
    """Return the inputs of the stack's builds; `environment` is compose's when it read the stack.

    Raises ConfigError if compose does not print the variables of secrets.
    """
    config: Config = unescape(json.loads(stack.config_json))
    builds = {
        name: service
        for name, service in (config.get("services") or {}).items()
        if service.get("build")
    }
    secrets = _secrets(stack, config, builds, environment)
    return BuildInputs(bases=_bases(builds, stack.name), secrets=secrets)


def familiar(reference: str) -> str:
    """Return an image's name without the parts that may be left out, as BuildKit compares names."""
    for part in _IMPLIED:
        reference = reference.removeprefix(part)
    return reference.removesuffix(_LATEST)


def _bases(builds: Mapping[str, Config], project: str) -> dict[str, dict[str, str]]:
    """Find the images of other services that each Dockerfile names, and who builds each.

    A stage or an additional context of the same name goes before the image.
    """
    builders: dict[str, str] = {}
    for name, service in builds.items():
        for image in _images(name, service, project):
            builders.setdefault(familiar(image), name)
    all_bases: dict[str, dict[str, str]] = {}
    for name, service in builds.items():
        build: Config = service["build"]
        apart = {*map(familiar, _images(name, service, project))}
        apart |= {*(build.get("additional_contexts") or {})}
        bases = {
            image: builders[image]
            for image in map(familiar, _named_images(service))
            if image in builders and image not in apart
        }
        if bases:
            all_bases[name] = bases
    return all_bases


def _images(name: str, service: Config, project: str) -> Iterator[str]:
    """Yield the names that a service's build gives its image."""
    yield service.get("image") or f"{project}-{name}"
    yield from service["build"].get("tags") or ()


def _named_images(service: Config) -> tuple[str, ...]:
    """Return the images that a Dockerfile names; () for one that is not a file here."""
    build: Config = service["build"]
    path = _dockerfile_path(build)
    text = read_text(path) if path else build.get("dockerfile_inline")
    arguments = {name: str(value) for name, value in (build.get("args") or {}).items() if value}
    predefined = platform_arguments(_architecture(str(service.get("platform") or "")))
    return read_stages(text or "", arguments, predefined).images(build.get("target", ""))


def _architecture(platform_name: str) -> str:
    """Return the architecture to build for, in Docker's words; by default this machine's."""
    machine = platform.machine()
    return platform_name.split("/")[1] if "/" in platform_name else _DOCKERS.get(machine, machine)


def _secrets(
    stack: Stack, config: Config, builds: Mapping[str, Config], environment: Mapping[str, str]
) -> dict[str, str]:
    """Read the variables that secrets of builds name: bake, unlike compose, reads no .env."""
    sources: Config = config.get("secrets") or {}
    names = [
        (sources.get(secret.get("source", "")) or {}).get("environment")
        for service in builds.values()
        for secret in service["build"].get("secrets") or ()
    ]
    compose = Compose(folder=Path(stack.working_directory or "."), environment=environment)
    try:
        return compose.variables(filter(None, names), Path(stack.directory))
    except CommandError as error:
        raise explain(error, tuple(map(Path, stack.files))) from error
