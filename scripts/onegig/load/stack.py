"""The compose project, as `docker compose config` resolves it: any project, not only ours."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onegig.errors import ConfigError
from onegig.load.compose import Compose
from onegig.load.host_access import find_host_access
from onegig.load.image_names import refuse_bad_names
from onegig.load.nearest import did_you_mean
from onegig.model.compose_config import dump_config, unescape
from onegig.model.stack import Service, Stack
from onegig.paths import shown
from onegig.process import Completed, run

TRUE_WORDS = ("true", "1", "yes", "on")

Config = Mapping[str, Any]


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
            advice="services of inactive profiles do not count; activate them with `profiles:` in "
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
        host_access=tuple(one for one in find_host_access(config) if one.service in names),
    )


def part_of(stack: Stack, names: Collection[str]) -> Stack:
    """The stack as if it had only these services, and those that run one of their images, too.

    Raises ConfigError for a name that is no service's.
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
    """The services that would start, in compose's order; those scaled to zero would not."""
    found: Config = config.get("services") or {}
    running = {name: service for name, service in found.items() if _replicas(service)}
    return tuple(
        _service(name, service, project=str(config["name"]), directory=directory, running=running)
        for name, service in running.items()
    )


def _service(
    name: str, config: Config, *, project: str, directory: Path, running: Config
) -> Service:
    labels: Config = config.get("labels") or {}
    return Service(
        name=name,
        image=config.get("image") or f"{project}-{name}",
        builds="build" in config,
        dockerfile=_dockerfile(config.get("build"), directory),
        replicas=_replicas(config),
        has_healthcheck=_has_healthcheck(config.get("healthcheck")),
        depends_on=tuple(one for one in config.get("depends_on") or {} if one in running),
        optional=str(labels.get("onegig.optional", "")).lower() in TRUE_WORDS,
        criticality=str(labels.get("onegig.criticality", "")),
        memory_limit_bytes=_memory_limit(config),
        cpus=_cpus(config),
        platform=str(config.get("platform") or ""),
    )


def _replicas(config: Config) -> int:
    deploy: Config = config.get("deploy") or {}
    return int(deploy.get("replicas", config.get("scale", 1)))


def _dockerfile(build: Config | None, directory: Path) -> str | None:
    """Relative to the project's folder; None where it is no file here (inline, remote context)."""
    if build is None or "dockerfile_inline" in build:
        return None
    context = Path(build.get("context", "."))
    if not context.is_absolute():  # compose makes paths absolute and leaves URLs alone
        return None
    return os.path.relpath(context / build.get("dockerfile", "Dockerfile"), directory)


def _has_healthcheck(healthcheck: Config | None) -> bool:
    """Whether compose sets one; an image's own HEALTHCHECK cannot be known before it is built."""
    if not healthcheck or healthcheck.get("disable"):
        return False
    return bool(healthcheck.get("test")) and healthcheck["test"][0] != "NONE"


def _memory_limit(config: Config) -> int | None:
    """`deploy.resources.limits.memory` or `mem_limit`, which compose gives in bytes."""
    limit = _limits(config).get("memory") or config.get("mem_limit")
    return int(limit) if limit else None


def _cpus(config: Config) -> float | None:
    """`deploy.resources.limits.cpus` or `cpus`; 0 is no limit."""
    return float(_limits(config).get("cpus") or config.get("cpus") or 0) or None


def _limits(config: Config) -> Config:
    return ((config.get("deploy") or {}).get("resources") or {}).get("limits") or {}
