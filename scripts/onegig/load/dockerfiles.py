"""The Dockerfiles of a stack, read for the lines that reports point to and for what FROM names."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onegig.images.accounts.fix_places import Dockerfile
from onegig.images.dockerfiles.base_image import IMAGE_CONTEXT, BuildFile
from onegig.model.stack import Service, Stack
from onegig.paths import from_here
from onegig.regular import read_text

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
