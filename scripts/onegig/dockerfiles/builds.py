"""The builds of a stack: which image is made of which Dockerfile, and how."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegig.dockerfiles.parse import Dockerfile
from onegig.dockerfiles.stages import IMAGE_CONTEXT, BuildFile, read_stages
from onegig.files import read_text, relative_to_here
from onegig.model.stack import Stack, unescape

IGNORE = ".dockerignore"
_SERVICE_CONTEXT = "service:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One service's build section."""

    service: str
    image: str = ""
    dockerfile: Path | None  # None for one that is written in the compose file, or elsewhere
    context: Path
    file: BuildFile | None = None  # None if it cannot be read

    @property
    def path(self) -> str:
        """Return the Dockerfile's path as a person here would write it."""
        return relative_to_here(self.dockerfile) if self.dockerfile else ""

    def read(self, name: str) -> str | None:
        """Read a file of the context, or None if it cannot be read.

        What lies outside, by `..` or by a link, cannot: no build gets it, either.
        """
        try:
            path = (self.context / name.lstrip("/")).resolve()
            return read_text(path) if path.is_relative_to(self.context.resolve()) else None
        except (OSError, RuntimeError, ValueError):  # links in a circle, a null byte
            return None

    @property
    def has_dockerignore(self) -> bool:
        """Return whether the context has one, or the Dockerfile one for it alone."""
        file = self.dockerfile
        is_own = bool(file and file.with_name(f"{file.name}{IGNORE}").is_file())
        return is_own or (self.context / IGNORE).is_file()


def builds_of(stack: Stack) -> Iterator[Build]:
    """Yield the builds in the order of services."""
    services: Mapping[str, Any] = unescape(json.loads(stack.config_json)).get("services") or {}
    images = {service.name: service.image for service in stack.services}
    for service in stack.services:
        build: Mapping[str, Any] = (services.get(service.name) or {}).get("build") or {}
        path = Path(stack.directory) / service.dockerfile if service.dockerfile else None
        text = build.get("dockerfile_inline", read_text(path) if path else None)
        if text is None and path is None:
            continue
        file = BuildFile(
            text=text or "",
            target=build.get("target", ""),
            arguments=tuple(_texts(build.get("args") or {})),
            contexts=tuple(_contexts(build.get("additional_contexts") or {}, images)),
        )
        yield Build(
            service=service.name,
            image=service.image,
            dockerfile=path,
            context=Path(build.get("context", ".")),
            file=None if text is None else file,
        )


def read_dockerfiles(stack: Stack) -> dict[str, Dockerfile]:
    """Read the Dockerfiles that are files here, by service."""
    return {
        build.service: Dockerfile(path=build.path, text=build.file.text)
        for build in builds_of(stack)
        if build.dockerfile and build.file
    }


def read_build_files(stack: Stack) -> dict[str, BuildFile]:
    """Return by image how each is built; of several services the first counts."""
    files: dict[str, BuildFile] = {}
    for build in builds_of(stack):
        if build.file:
            files.setdefault(build.image, build.file)
    return files


def read_base_images(stack: Stack) -> tuple[str, ...]:
    """Return the images that builds of the stack start or copy from, without its own."""
    images: dict[str, None] = {}
    for build in builds_of(stack):
        if build.file:
            file, contexts = build.file, dict(build.file.contexts)
            stages = read_stages(file.text, dict(file.arguments))
            images |= dict.fromkeys(name for name in stages.images(file.target))
            sources = (source for source in contexts.values() if source.startswith(IMAGE_CONTEXT))
            images |= dict.fromkeys(source.removeprefix(IMAGE_CONTEXT) for source in sources)
    return tuple(image for image in images if image and image not in stack.images)


def _contexts(contexts: Mapping[str, Any], images: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, source in _texts(contexts):
        service = source.removeprefix(_SERVICE_CONTEXT)
        image = images.get(service) if source.startswith(_SERVICE_CONTEXT) else None
        yield name, f"{IMAGE_CONTEXT}{image}" if image else source


def _texts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in values.items() if value is not None)
