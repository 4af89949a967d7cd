"""Building and pulling images: every service's through buildx bake, in parallel, what changed.

A builder in a container of its own (driver docker-container) can keep its layers in GitHub's build
cache, but does not see the images of the engine: if bases were assembled there
(scripts/bases/ensure), only the engine's own builder, "default", can start from them. That one can
use the cache, too, if the engine keeps its images in containerd's store.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from onegig.engine.build_plan import (
    Plan,
    csv_fields,
    dump_plan,
    make_plan,
    secret_variable,
    target_of,
)
from onegig.engine.build_steps import Steps
from onegig.engine.engine import Engine
from onegig.engine.owned import Run
from onegig.errors import BuildError
from onegig.model.stack import BuildInputs, Stack
from onegig.process import CommandError, run, tail

BUILD_SECONDS = 3600
PULL_SECONDS = 1200  # for one image
BOOT_SECONDS = 120
SETTINGS = {
    # bake would ask before a build reads files outside of its folder: compose reads the same ones,
    # and what no build may read is refused with the plan
    "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
    # git would run by the settings of the checkout, for a statement that nobody asked for
    "BUILDX_GIT_INFO": "0",
    # In containerd's store the statement on how an image was made gives it another id every time.
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
}
LOCAL_BASES = "assembled locally"  # ONEGIG_BASES, as scripts/bases/ensure writes it
ENGINES_OWN = "default"
CACHE_VARIABLES = ("ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL")
# Cache service v2, the only one left; buildx learns from the variable which one it is.
CACHE_SERVICE = {"ACTIONS_CACHE_SERVICE_V2": "true"}
OLDEST_BUILDKIT = (0, 20)  # that speaks v2: docs.docker.com/build/ci/github-actions/cache
CACHE_TIMEOUT = "5m"  # to read or write one image's layers
CONTAINERD_LABEL = "org.mobyproject.buildkit.worker.snapshotter"
NOTHING_MORE = BuildInputs()

_DRIVER = re.compile(r"^Driver:\s*(\S+)", re.MULTILINE)
_BUILDKIT = re.compile(r"^\s*Build[Kk]it(?: version)?:\s*v?(\d+)\.(\d+)", re.MULTILINE)
_FAILED = re.compile(r"^ERROR: target (?P<target>\S+): ", re.MULTILINE)
_NO_BASE = re.compile(r"load metadata for (?P<base>\S+?):?$", re.MULTILINE)
_STEP_OF = re.compile(r" > \[(?P<target>\S+) ")
_FAILED_STEP = re.compile(r"^ > \[[^\]]*\d+/\d+\] ", re.MULTILINE)
_EXCERPT = re.compile(r"^-{6,}\n(?P<text> > \[.*?)\n-{6,}$", re.DOTALL | re.MULTILINE)

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """The builder for one build; `remark` says why there is no cache if one was offered."""

    name: str = ""  # "": the one that buildx has chosen
    cache: bool = False
    remark: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)  # to reach another engine

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the option that makes buildx take it."""
        return (f"--builder={self.name}",) if self.name else ()


def build_images(
    stack: Stack, run_: Run, *, say: Say, inputs: BuildInputs = NOTHING_MORE
) -> dict[str, float]:
    """Build every service that has a build section, under the names compose gives its images.

    Returns the seconds that building took, by image, for those that were built from scratch. Raises
    BuildError naming the service that failed, with the tail of its own log.
    """
    images = {target_of(s.name): s.image for s in stack.services if s.builds}
    if not images:
        return {}
    plan = make_plan(stack, inputs)
    builder = choose_builder(os.environ)
    if builder.remark:
        say(builder.remark)
    secrets = {secret_variable(name): value for name, value in inputs.secrets.items()}
    bake = partial(_bake, stack, run_, say, builder, secrets)
    try:
        seconds = _bake_cached(bake, plan, stack.name, say) if builder.cache else bake(plan)
    except CommandError as error:
        raise _build_error(error, list(plan["target"]), stack) from error
    return {images[target]: took for target, took in seconds.items() if target in images}


def build_on(
    engine: Engine,
    stack: Stack,
    run_: Run,
    *,
    say: Say,
    inputs: BuildInputs,
    names: Mapping[str, str],
    on_line: Callable[[str], None],
) -> None:
    """Build on another engine as `docker compose build` does there: all at once, from scratch.

    `names` has the base images that the engine knows by another name. `on_line` sees every line of
    bake's plain progress. Raises BuildError as `build_images` does.
    """
    plan = built_from_scratch(make_plan(stack, inputs), names)
    builder = Builder(name=ENGINES_OWN, environment=engine.environment)
    secrets = {secret_variable(name): value for name, value in inputs.secrets.items()}
    try:
        _bake(stack, run_, say, builder, secrets, plan, on_line)
    except CommandError as error:
        raise _build_error(error, list(plan["target"]), stack) from error


def image_ids(references: Iterable[str]) -> dict[str, str]:
    """Return the ids that the engine gives to images just built, or {} if it does not tell."""
    names = list(references)
    command = ["docker", "image", "inspect", "--format", "{{.Id}}", *names]
    done = run(command, check=False) if names else None
    return dict(zip(names, done.stdout.split(), strict=True)) if done and done.code == 0 else {}


def pull_images(
    images: Iterable[str], say: Say, platforms: Mapping[str, str] | None = None
) -> None:
    """Pull images one after the other; BuildError names one that could not be pulled.

    `platforms` has those that services ask for, by image. An image that cannot be pulled may still
    be in reach of the builder, which has a cache and settings of its own.
    """
    for image in images:
        say(image)
        platform = (platforms or {}).get(image)
        options = [f"--platform={platform}"] if platform else []
        try:
            run(["docker", "pull", "--quiet", *options, image], timeout_seconds=PULL_SECONDS)
        except CommandError as error:
            if _take_from_builder(image, options):
                say(f"{image} comes from the builder: it could not be pulled")
                continue
            raise BuildError(
                f"the image {image} could not be pulled",
                command=error.command,
                advice="check that its registry can be reached and whether it needs a login",
                detail=error.detail,
            ) from error


def platforms_of(stack: Stack) -> dict[str, str]:
    """Return the platform that services ask for, by image."""
    return {service.image: service.platform for service in stack.services if service.platform}


def absent_images(stack: Stack) -> tuple[str, ...]:
    """Return the images that nothing here builds and that the engine does not have."""
    built = {service.image for service in stack.services if service.builds}
    look = ["docker", "image", "inspect", "--format", "{{.Id}}"]
    taken = [image for image in stack.images if image not in built]
    return tuple(image for image in taken if run([*look, image], check=False).code)


def choose_builder(
    environment: Mapping[str, str], inspect: Callable[[str], str] | None = None
) -> Builder:
    """Return the builder for this environment; it is looked at only if a cache is offered."""
    name = ENGINES_OWN if environment.get("ONEGIG_BASES") == LOCAL_BASES else ""
    if not all(environment.get(variable) for variable in CACHE_VARIABLES):
        return Builder(name=name)
    missing = _missing_for_cache((inspect or _inspect_builder)(name))
    remark = f"GitHub's build cache is not used: {missing}" if missing else ""
    return Builder(name=name, cache=not missing, remark=remark)


def built_from_scratch(plan: Plan, names: Mapping[str, str]) -> Plan:
    """Return the same definition without any cache, and with base images by these names."""
    bases = {image: f"docker-image://{name}" for image, name in names.items()}
    targets = {}
    for name, target in plan["target"].items():
        uncached = {key: value for key, value in target.items() if not key.startswith("cache-")}
        contexts = bases | target.get("contexts", {})
        targets[name] = uncached | ({"contexts": contexts} if contexts else {})
    return plan | {"target": targets}


def with_cache(plan: Plan, stack: str) -> Plan:
    """Return the same definition, with GitHub's build cache for all stages of every target.

    Each target has a scope of its own: a later writer of the same scope takes the place of an
    earlier one. A job of a fork's pull request may write for itself alone; GitHub sees to that.
    """
    targets = {}
    for name, target in plan["target"].items():
        cache = f"type=gha,scope={stack}-{name},timeout={CACHE_TIMEOUT}"
        targets[name] = target | {
            "cache-from": [*target.get("cache-from", []), cache],
            "cache-to": [*target.get("cache-to", []), f"{cache},mode=max,ignore-error=true"],
        }
    return plan | {"target": targets}


def _bake_cached(
    bake: Callable[[Plan], dict[str, float]], plan: Plan, stack: str, say: Say
) -> dict[str, float]:
    """Build with the cache; where that fails for another reason than a step, without it.

    BuildKit goes on without a cache that is out of reach, but not with a token it can't read.
    """
    try:
        return bake(with_cache(plan, stack))
    except CommandError as error:
        if _FAILED_STEP.search(error.output) or _NO_BASE.search(error.output):
            raise
        say(f"building again without GitHub's cache: {tail(error.output, 1)}")
        return bake(plan)


def _bake(
    stack: Stack,
    run_: Run,
    say: Say,
    builder: Builder,
    secrets: Mapping[str, str],
    plan: Plan,
    on_line: Callable[[str], None] = lambda _: None,
) -> dict[str, float]:
    """Run bake; return the seconds of each target that it built from scratch."""

    def read(line: str) -> None:
        steps.read(line)
        on_line(line)

    definition = run_.directory / "bake.json"
    definition.write_text(dump_plan(plan))
    targets = plan["target"]
    steps = Steps(say, {name: _dockerfile(target) for name, target in targets.items()})
    command = ["docker", "buildx", "bake", *builder.arguments, "--progress", "plain"]
    on_host = any(target.get("network") == "host" for target in targets.values())
    if on_host and "--allow" in run(["docker", "buildx", "bake", "--help"]).stdout:
        command.append("--allow=network.host")  # newer versions do it only when allowed
    access = {name: os.environ[name] for name in CACHE_VARIABLES} if builder.cache else {}
    started = time.monotonic()
    run(
        [*command, "--file", str(definition)],
        cwd=Path(stack.directory),
        env={
            **secrets,
            **SETTINGS,
            **access,
            **(CACHE_SERVICE if builder.cache else {}),
            **builder.environment,
        },
        timeout_seconds=BUILD_SECONDS,
        on_line=read,
    )
    say(str(steps))
    return steps.shares(time.monotonic() - started)


def _dockerfile(target: Mapping[str, Any]) -> str:
    """Return the key that targets built from one Dockerfile have in common."""
    keys = ("context", "dockerfile", "dockerfile-inline")
    return json.dumps([target.get(key, "") for key in keys])


def _build_error(error: CommandError, targets: list[str], stack: Stack) -> BuildError:
    """Name the service whose step failed, with that step's own log and the Dockerfile's line."""
    base = _NO_BASE.search(error.output, error.output.rfind("\n------\n > "))
    if base:
        return BuildError(
            f"the base image {base['base']} could not be pulled",
            command=f"docker pull {base['base']}",
            advice="check that the registry can be reached; without one, scripts/check assembles "
            "the reference stack's bases",
            detail=tail(error.output, 1),
        )
    excerpt = _EXCERPT.search(error.output)
    named = _FAILED.search(error.output) or _STEP_OF.match(excerpt["text"] if excerpt else "")
    target = named["target"] if named else ""
    if target not in targets:
        target = targets[0] if len(targets) == 1 else ""
    services = {target_of(name): name for name in json.loads(stack.config_json)["services"]}
    name = services.get(target, target)
    return BuildError(
        f"the image of {name} could not be built" if target else "the build failed",
        command=f"docker buildx bake {target}".strip(),
        advice="fix the Dockerfile at the failing step and run again"
        if excerpt
        else "correct the problem that bake reports and run again",
        detail=tail(error.output[excerpt.start() :] if excerpt else error.output),
    )


def _take_from_builder(image: str, options: Iterable[str]) -> bool:
    """Build a Dockerfile that is nothing but the image; return whether the engine has it now."""
    if "@" in image or image.split() != [image]:  # a build gives no image this name
        return False
    output = f"--output={csv_fields(('type=docker', f'name={image}'))}"
    builder = choose_builder(os.environ)
    command = ["docker", "buildx", "build", *builder.arguments, *options, output, "-"]
    with tempfile.TemporaryFile() as dockerfile:
        dockerfile.write(f"FROM {image}\n".encode())
        dockerfile.seek(0)
        done = run(command, timeout_seconds=PULL_SECONDS, check=False, stdin=dockerfile)
    return done.code == 0


def _inspect_builder(name: str) -> str:
    """Return `docker buildx inspect`, of the chosen builder for ""; "" when it does not work."""
    command = ["docker", "buildx", "inspect", "--bootstrap", *([name] if name else [])]
    try:
        return run(command, timeout_seconds=BOOT_SECONDS).stdout
    except CommandError:
        return ""


def _missing_for_cache(inspected: str) -> str:
    """Return why a builder can't use the cache, or ""."""
    driver, version = _DRIVER.search(inspected), _BUILDKIT.search(inspected)
    if driver is None:
        return "buildx does not report its builder"
    if driver[1] == "docker" and CONTAINERD_LABEL not in inspected:
        return (
            "the engine's own builder has no cache (docker/setup-buildx-action creates one "
            "that has)"
        )
    if driver[1] not in ("docker", "docker-container"):
        return f"builders of the kind {driver[1]} are not supported"
    if version is None or (int(version[1]), int(version[2])) < OLDEST_BUILDKIT:
        return f"it needs BuildKit {'.'.join(map(str, OLDEST_BUILDKIT))} or later"
    return ""
