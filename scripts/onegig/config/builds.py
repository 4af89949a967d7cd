"""What builds take from beside their own build sections: images of other services, secrets.

The Dockerfiles of a stack, read for the lines that reports point to and for what FROM names.
"""

import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onegig.config.compose import Compose, explain
from onegig.dockerfiles.history import Dockerfile
from onegig.dockerfiles.stages import IMAGE_CONTEXT, BuildFile, platform_arguments, read_stages
from onegig.files import read_text
from onegig.model.stack import BuildInputs, Service, Stack, unescape
from onegig.paths import from_here
from onegig.process import CommandError

_IMPLIED = ("docker.io/", "library/")  # at the start of an image's name
_DOCKERS = {"x86_64": "amd64", "aarch64": "arm64"}
_LATEST = ":latest"

Config = Mapping[str, Any]


def read_build_inputs(stack: Stack, environment: Mapping[str, str]) -> BuildInputs:
    """Return what the stack's builds need; `environment` is what compose read the stack with.

    Raises ConfigError when compose does not tell the variables of secrets.
    """
    config: Config = unescape(json.loads(stack.config_json))
    builds = {
        name: service
        for name, service in (config.get("services") or {}).items()
        if service.get("build")
    }
    return BuildInputs(
        bases=_bases(builds, stack.name), secrets=_secrets(stack, config, builds, environment)
    )


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
    text = build.get("dockerfile_inline")
    context = Path(build.get("context", "."))
    if text is None and context.is_absolute():  # compose leaves only URLs as they are
        text = read_text(context / build.get("dockerfile", "Dockerfile"))
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


_SERVICE_CONTEXT = "service:"


def read_dockerfiles(stack: Stack) -> dict[str, Dockerfile]:
    """By service, for those that are built here; one that cannot be read is left out."""
    found = {}
    for service in stack.services:
        path = _path(service, stack)
        text = read_text(path) if path else None
        if path and text is not None:
            found[service.name] = Dockerfile(path=from_here(path), text=text)
    return found


def read_build_files(stack: Stack) -> dict[str, BuildFile]:
    """By image, how each that is built here is built; of several services the first counts."""
    services: Mapping[str, Any] = json.loads(stack.config_json).get("services") or {}
    images = {service.name: service.image for service in stack.services}
    found: dict[str, BuildFile] = {}
    for service in stack.services:
        build: Mapping[str, Any] = (services.get(service.name) or {}).get("build") or {}
        path = _path(service, stack)
        text = build.get("dockerfile_inline", read_text(path) if path else None)
        if text is not None:
            file = BuildFile(
                text=text,
                target=build.get("target", ""),
                arguments=tuple(_texts(build.get("args") or {})),
                contexts=tuple(_contexts(build.get("additional_contexts") or {}, images)),
            )
            found.setdefault(service.image, file)
    return found


def _path(service: Service, stack: Stack) -> Path | None:
    return Path(stack.directory) / service.dockerfile if service.dockerfile else None


def _contexts(found: Mapping[str, Any], images: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Another service's image is named by what it is called."""
    for name, source in _texts(found):
        service = source.removeprefix(_SERVICE_CONTEXT)
        known = images.get(service) if source.startswith(_SERVICE_CONTEXT) else None
        yield name, f"{IMAGE_CONTEXT}{known}" if known else source


def _texts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Compose writes a dollar of a value twice."""
    for name, value in found.items():
        if value is not None:
            yield name, str(value).replace("$$", "$")
