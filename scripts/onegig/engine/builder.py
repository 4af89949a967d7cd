"""Which of buildx's builders builds, and whether it may use GitHub's build cache.

A builder in a container of its own (driver docker-container) can keep its layers in that cache, but
does not see the images of the engine: where bases were assembled there (scripts/bases/ensure), only
the engine's own builder, "default", can start from them. That one can use the cache, too, where the
engine keeps its images in containerd's store.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from onegig.process import CommandError, run

LOCAL_BASES = "assembled locally"  # ONEGIG_BASES, as scripts/bases/ensure writes it
ENGINES_OWN = "default"
CACHE_VARIABLES = ("ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL")
# Cache service v2, the only one left; buildx learns from the variable which one it is.
CACHE_SERVICE = {"ACTIONS_CACHE_SERVICE_V2": "true"}
OLDEST_BUILDKIT = (0, 20)  # that speaks v2: docs.docker.com/build/ci/github-actions/cache
CACHE_TIMEOUT = "5m"  # to read or write one image's layers
CONTAINERD_LABEL = "org.mobyproject.buildkit.worker.snapshotter"
BOOT_SECONDS = 120

_DRIVER = re.compile(r"^Driver:\s*(\S+)", re.MULTILINE)
_BUILDKIT = re.compile(r"^\s*Build[Kk]it(?: version)?:\s*v?(\d+)\.(\d+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """The builder for one build; `remark` says why there is no cache where one was offered."""

    name: str = ""  # "": the one that buildx has chosen
    cache: bool = False
    remark: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What tells buildx to take it."""
        return (f"--builder={self.name}",) if self.name else ()


def inspect_builder(name: str) -> str:
    """`docker buildx inspect`, of the chosen builder for ""; "" when it does not work."""
    try:
        return run(
            ["docker", "buildx", "inspect", "--bootstrap", *([name] if name else [])],
            timeout_seconds=BOOT_SECONDS,
        ).stdout
    except CommandError:
        return ""


def choose_builder(
    environment: Mapping[str, str], inspect: Callable[[str], str] = inspect_builder
) -> Builder:
    """The builder for this process's environment; it is only looked at where a cache is offered."""
    name = ENGINES_OWN if environment.get("ONEGIG_BASES") == LOCAL_BASES else ""
    if not all(environment.get(variable) for variable in CACHE_VARIABLES):
        return Builder(name=name)
    missing = _missing(inspect(name))
    remark = f"GitHub's build cache is not used: {missing}" if missing else ""
    return Builder(name=name, cache=not missing, remark=remark)


def cache_options(scope: str) -> dict[str, list[str]]:
    """What a target of bake says to read and to keep its layers, all stages', in GitHub's cache.

    A scope of its own for each target: a later writer of the same scope takes the place of an
    earlier one. A job of a fork's pull request may write for itself alone; GitHub sees to that.
    """
    cache = f"type=gha,scope={scope},timeout={CACHE_TIMEOUT}"
    return {"cache-from": [cache], "cache-to": [f"{cache},mode=max,ignore-error=true"]}


def cache_access(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that let buildx, and no other program, use GitHub's cache."""
    return {name: environment[name] for name in CACHE_VARIABLES} | CACHE_SERVICE


def _missing(inspected: str) -> str:
    """What a builder lacks to use the cache, "" for nothing."""
    driver, version = _DRIVER.search(inspected), _BUILDKIT.search(inspected)
    if driver is None:
        return "buildx does not tell which builder it has"
    if driver[1] == "docker" and CONTAINERD_LABEL not in inspected:
        return "the engine's own builder has none (docker/setup-buildx-action makes one that has)"
    if driver[1] not in ("docker", "docker-container"):
        return f"its use with a builder of the kind {driver[1]} is not known"
    if version is None or (int(version[1]), int(version[2])) < OLDEST_BUILDKIT:
        return f"it needs BuildKit {'.'.join(map(str, OLDEST_BUILDKIT))} or later"
    return ""
