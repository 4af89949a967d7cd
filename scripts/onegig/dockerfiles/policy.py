"""The Dockerfiles of a stack held against hadolint and onegig's own rules."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegig.dockerfiles import hadolint
from onegig.dockerfiles.rules import Context, check_dockerfile
from onegig.files import read_text
from onegig.model.dockerfiles import WITH, DockerfilePolicy, Level, Remark
from onegig.model.measured import Unknown
from onegig.model.stack import Stack, unescape
from onegig.paths import from_here

IGNORE = ".dockerignore"
_ORDER = {level: place for place, level in enumerate(Level)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One service's build section: which image is made of which file."""

    service: str
    dockerfile: Path
    path: str  # the Dockerfile's, as a person here would write it
    context: Path
    target: str
    arguments: tuple[tuple[str, str], ...]

    def read(self, name: str) -> str | None:
        """A file of the context; None where there is none that can be read.

        What lies outside is none, by `..` or by a link: no build gets it, either.
        """
        try:
            path = (self.context / name.lstrip("/")).resolve()
            return read_text(path) if path.is_relative_to(self.context.resolve()) else None
        except (OSError, RuntimeError, ValueError):  # links in a circle, a null byte
            return None

    @property
    def has_dockerignore(self) -> bool:
        """Whether one is beside the context, or beside the Dockerfile for it alone."""
        own = self.dockerfile.with_name(f"{self.dockerfile.name}{IGNORE}")
        return own.is_file() or (self.context / IGNORE).is_file()


def builds_of(stack: Stack) -> tuple[Build, ...]:
    """The builds whose Dockerfile is a file here, in the order of services."""
    services: Mapping[str, Any] = unescape(json.loads(stack.config_json)).get("services") or {}
    found: list[Build] = []
    for service in stack.services:
        if service.dockerfile is None:
            continue
        build: Mapping[str, Any] = services[service.name]["build"]
        arguments = build.get("args") or {}
        found.append(
            Build(
                service=service.name,
                dockerfile=Path(stack.directory) / service.dockerfile,
                path=from_here(Path(stack.directory) / service.dockerfile),
                context=Path(build.get("context", ".")),
                target=build.get("target", ""),
                arguments=tuple((key, str(value)) for key, value in arguments.items() if value),
            )
        )
    return tuple(found)


def check_policies(
    stack: Stack,
    linter: hadolint.Linter | Unknown | None = None,
    *,
    settings_commit: str | None = None,
) -> tuple[DockerfilePolicy, ...]:
    """Every Dockerfile of the stack once, with what is to be said of it for all its services.

    `linter` is the hadolint to use (default: the one installed). Its configuration is that of the
    stack's folder, by default as it is there, else as `settings_commit` has it.
    """
    settings = hadolint.read_settings(Path(stack.directory), settings_commit)
    linter = hadolint.find() if linter is None else linter
    files: defaultdict[Path, list[Build]] = defaultdict(list)
    for build in builds_of(stack):
        files[build.dockerfile].append(build)
    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(lambda builds: _policy(builds, linter, settings), files.values()))


def _policy(
    builds: Sequence[Build], linter: hadolint.Linter | Unknown, settings: hadolint.Settings
) -> DockerfilePolicy:
    first = builds[0]
    text = read_text(first.dockerfile)
    remarks: list[Remark] = []
    linted: tuple[Remark, ...] | Unknown = ()
    version: str | Unknown = (
        linter
        if isinstance(linter, Unknown)
        else f"{linter.version}{WITH}{settings.name}".removesuffix(WITH)
    )
    if text is None:
        version = Unknown(reason=f"not looked at: {first.path} can't be read")
    else:
        remarks += [remark for build in builds for remark in _own(text, build)]
        if not isinstance(linter, Unknown):
            linted = hadolint.lint(linter, first.dockerfile, path=first.path, settings=settings)
    if isinstance(linted, Unknown):
        version = linted
    else:
        remarks += linted
    worst = sorted(dict.fromkeys(remarks), key=lambda one: (_ORDER[one.level], one.line))
    return DockerfilePolicy(
        path=first.path,
        services=tuple(build.service for build in builds),
        remarks=tuple(worst),
        hadolint=version,
    )


def _own(text: str, build: Build) -> tuple[Remark, ...]:
    return check_dockerfile(
        text,
        path=build.path,
        target=build.target,
        arguments=dict(build.arguments),
        context=Context(has_dockerignore=build.has_dockerignore, read=build.read),
    )
