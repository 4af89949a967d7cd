"""`build`: every service's image through buildx bake, in parallel, only what changed."""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from onegig.engine.build_plan import Plan, dump_plan, make_plan, secret_variable, target_of
from onegig.engine.build_steps import Steps
from onegig.engine.builder import Builder, cache_access, cache_options, choose_builder
from onegig.engine.owned import Run
from onegig.errors import BuildError
from onegig.model.stack import BuildInputs, Stack
from onegig.process import CommandError, run, tail

TIMEOUT_SECONDS = 3600
SETTINGS = {
    # bake would ask before a build reads files outside of its folder: compose reads the same ones,
    # and what no build may read is refused with the plan
    "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
    # git would run by the settings of the checkout, for a statement that nobody asked for
    "BUILDX_GIT_INFO": "0",
    # In containerd's store the statement on how an image was made gives it another id every time.
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
}
_FAILED = re.compile(r"^ERROR: target (?P<target>\S+): ", re.MULTILINE)
_NO_BASE = re.compile(r"load metadata for (?P<base>\S+?):?$", re.MULTILINE)
_STEP_OF = re.compile(r" > \[(?P<target>\S+) ")
_FAILED_STEP = re.compile(r"^ > \[[^\]]*\d+/\d+\] ", re.MULTILINE)
_EXCERPT = re.compile(r"^-{6,}\n(?P<text> > \[.*?)\n-{6,}$", re.DOTALL | re.MULTILINE)

NOTHING_MORE = BuildInputs()

Say = Callable[[str], None]


def build_images(
    stack: Stack,
    run_: Run,
    *,
    say: Say,
    inputs: BuildInputs = NOTHING_MORE,
) -> dict[str, float]:
    """Build every service that has a build section, under the names compose gives its images.

    Returns the seconds that building took, by image, for those that were built from nothing. Raises
    BuildError naming the service that failed, with the tail of its own log.
    """
    services = [service for service in stack.services if service.builds]
    if not services:
        return {}
    images = {target_of(service.name): service.image for service in services}
    plan = make_plan(stack, inputs)
    builder = choose_builder(os.environ)
    if builder.remark:
        say(builder.remark)
    secrets = {secret_variable(name): value for name, value in inputs.secrets.items()}
    bake = partial(_bake, stack, run_, say, builder, secrets)
    try:
        seconds = _bake_cached(bake, plan, stack.name, say) if builder.cache else bake(plan)
    except CommandError as error:
        raise _build_error(error, list(plan["target"])) from error
    return {images[target]: took for target, took in seconds.items() if target in images}


def image_ids(references: Iterable[str]) -> dict[str, str]:
    """The ids that the engine gives to images just built; {} where it does not tell."""
    names = list(references)
    command = ["docker", "image", "inspect", "--format", "{{.Id}}", *names]
    try:
        found = run(command).stdout.split() if names else []
    except CommandError:
        return {}
    return dict(zip(names, found, strict=True))


def with_cache(plan: Plan, stack: str) -> Plan:
    """The same definition, with GitHub's build cache for every target."""
    targets = {}
    for name, target in plan["target"].items():
        added = cache_options(f"{stack}-{name}")
        targets[name] = target | {key: [*target.get(key, []), *added[key]] for key in added}
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
        say(f"once more without GitHub's cache: {tail(error.output, 1)}")
        return bake(plan)


def _bake(
    stack: Stack, run_: Run, say: Say, builder: Builder, secrets: Mapping[str, str], plan: Plan
) -> dict[str, float]:
    """Run bake; the seconds of each target that it built from nothing."""
    definition = run_.directory / "bake.json"
    definition.write_text(dump_plan(plan))
    steps = Steps(say, {name: _dockerfile(target) for name, target in plan["target"].items()})
    command = ["docker", "buildx", "bake", *builder.arguments, "--progress", "plain"]
    command += _allowances(plan)
    started = time.monotonic()
    run(
        [*command, "--file", str(definition)],
        cwd=Path(stack.directory),
        env={**secrets, **SETTINGS, **(cache_access(os.environ) if builder.cache else {})},
        timeout_seconds=TIMEOUT_SECONDS,
        on_line=steps.read,
    )
    say(str(steps))
    return steps.shares(time.monotonic() - started)


def _allowances(plan: Plan) -> list[str]:
    """Return the options for what newer versions of bake do only when allowed."""
    on_host = any(target.get("network") == "host" for target in plan["target"].values())
    knows = on_host and "--allow" in run(["docker", "buildx", "bake", "--help"]).stdout
    return ["--allow=network.host"] if knows else []


def _dockerfile(target: Mapping[str, Any]) -> str:
    """What two targets have in common that are built from one Dockerfile."""
    keys = ("context", "dockerfile", "dockerfile-inline")
    return json.dumps([target.get(key, "") for key in keys])


def _build_error(error: CommandError, targets: list[str]) -> BuildError:
    """The service whose step failed, that step's own log, and the Dockerfile's line."""
    base = _NO_BASE.search(error.output, error.output.rfind("\n------\n > "))
    if base:
        return BuildError(
            f"the base image {base['base']} could not be had",
            command=f"docker pull {base['base']}",
            advice="does a registry answer? scripts/check assembles the reference stack's bases "
            "where none does",
            detail=tail(error.output, 1),
        )
    excerpt = _EXCERPT.search(error.output)
    detail = error.output[excerpt.start() :] if excerpt else error.output
    named = _FAILED.search(error.output) or _STEP_OF.match(excerpt["text"] if excerpt else "")
    target = named["target"] if named else ""
    if target not in targets:
        target = targets[0] if len(targets) == 1 else ""
    return BuildError(
        f"the image of {target} could not be built" if target else "the build failed",
        command=f"docker buildx bake {target}".strip(),
        advice="fix the Dockerfile at the failing step and run again"
        if excerpt
        else "correct what bake names and run again",
        detail=tail(detail),
    )
