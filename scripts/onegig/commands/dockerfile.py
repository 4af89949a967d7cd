"""`onegig dockerfile`: a minimal Dockerfile for a Python service, tried out when asked for."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from onegig import pipeline
from onegig.commands.options import DEFAULT_BUDGETS, SOME_FILE, progress_options
from onegig.config.stack import load_stack, part_of, read_build_inputs
from onegig.dockerfiles.builds import Build, builds_of
from onegig.dockerfiles.dependencies import plan_dependencies
from onegig.dockerfiles.proposal import Base, Proposal, Source, propose
from onegig.dockerfiles.recipe import Recipe, read_recipe
from onegig.dockerfiles.requirements import check_wheels
from onegig.dockerfiles.stages import read_stages
from onegig.errors import BootError, ConfigError, InspectError
from onegig.files import write_file
from onegig.model.images import ImagesReport, Side, Trial
from onegig.model.stack import Stack
from onegig.pipeline import Options
from onegig.progress import Progress
from onegig.report.inspection import render_trial
from onegig.text import plain

PYTHON_IMAGE = "PYTHON_IMAGE"  # the argument of the proposal, and the variable that sets it
HEALTHY_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    stack: Stack
    build: Build
    recipe: Recipe
    source: Source


@click.command()
@click.argument("service")
@click.option(
    "--budgets",
    type=SOME_FILE,
    default=DEFAULT_BUDGETS,
    show_default=True,
    help="The budgets file, which names the compose file.",
)
@click.option(
    "--compose",
    type=SOME_FILE,
    multiple=True,
    help="A compose file instead of those that budgets.yml names; may be repeated.",
)
@click.option("--python", help="The version of Python, where the base does not tell it: 3.13.")
@click.option(
    "--base",
    type=click.Choice([base.value for base in Base]),
    help="Alpine (musl) or Debian's slim image (glibc); left out, what the wheels allow.",
)
@click.option(
    "--build",
    is_flag=True,
    help="Build the service's image before and after, boot both with the service's health check, "
    "print what each takes. Nothing of it stays on the engine.",
)
@click.option(
    "--output",
    type=SOME_FILE,
    help="Write the Dockerfile here, not to stdout, and a .dockerignore for it where there is "
    "none. No file is written over.",
)
@progress_options
def dockerfile(
    *,
    service: str,
    budgets: Path,
    compose: tuple[Path, ...],
    python: str | None,
    base: str | None,
    build: bool,
    output: Path | None,
    progress: Progress,
) -> None:
    """Propose a minimal Dockerfile for a Python SERVICE: two stages, Alpine, no root.

    Reads the service's own Dockerfile, which stays as it is. Development dependencies, caches and
    compilers are left out; how the service runs is taken over word for word. The image is
    python:X.Y-alpine; the environment variable PYTHON_IMAGE names another one for --build.
    """
    _refuse_overwriting(output)
    source = click.get_current_context().get_parameter_source("budgets")
    options = Options(
        budgets=budgets,
        budgets_may_be_missing=source is ParameterSource.DEFAULT,
        compose=compose,
    )
    case = _read(options, service)
    with progress.step(f"read {case.source.path}") as say:
        proposal = _propose(case, python, Base(base) if base else None)
        say(f"{proposal.base} with Python from {proposal.image}")
    if output:
        _write(output, proposal)
    else:
        click.echo(proposal.text, nl=False)
    for remark in proposal.remarks:
        click.echo(f"note: {plain(remark)}", err=True)
    if build:
        _try(case, proposal, progress)


def _read(options: Options, service: str) -> _Case:
    stack = load_stack(options.compose) if options.compose else pipeline.load(options)[1]
    part_of(stack, (service,))
    build = next((each for each in builds_of(stack) if each.service == service), None)
    if build is None or build.dockerfile is None or build.file is None:
        raise ConfigError(
            f"{service} is not built from a Dockerfile that can be read here",
            advice="name a service whose build section has a context and a Dockerfile",
        )
    try:
        stages = read_stages(build.file.text, dict(build.file.arguments))
        recipe = read_recipe(stages, build.file.target)
    except ConfigError as error:
        raise ConfigError(
            f"{build.path} can't be rewritten: {error.message}", advice=error.advice
        ) from error
    source = Source(
        service=service,
        path=build.path,
        recipe=recipe,
        read=build.read,
        has_dockerignore=build.has_dockerignore,
        probes=_probes(stack, service),
    )
    return _Case(stack=stack, build=build, recipe=recipe, source=source)


def _probes(stack: Stack, service: str) -> tuple[str, ...]:
    """What compose runs in the container: its health check and its command."""
    config: Mapping[str, Any] = json.loads(stack.config_json)["services"][service]
    found = [(config.get("healthcheck") or {}).get("test")]
    found += [config.get("command"), config.get("entrypoint")]
    return tuple(
        " ".join(words) if isinstance(words, list) else str(words) for words in found if words
    )


def _propose(case: _Case, python: str | None, base: Base | None) -> Proposal:
    version = python or case.recipe.python
    if not version:
        raise ConfigError(
            f"which Python {case.recipe.base or 'an ARG without a default'} has is not known",
            advice="give it: --python 3.13; for services in other languages there is no proposal",
        )
    plan = plan_dependencies(case.recipe, case.build.read)

    from onegig.engine.owned import new_run  # not where results are only judged

    with new_run() as run:
        wheels = check_wheels(plan.requirements, version, run.directory)
    return propose(case.source, version, wheels, base)


def _refuse_overwriting(output: Path | None) -> None:
    if output and output.exists():
        raise ConfigError(f"{output} is there already", advice="choose another place for --output")


def _write(output: Path, proposal: Proposal) -> None:
    write_file(output, proposal.text)
    ignore = output.with_name(f"{output.name}.dockerignore")
    if proposal.dockerignore and not ignore.exists():
        write_file(ignore, proposal.dockerignore)


def _try(case: _Case, proposal: Proposal, progress: Progress) -> None:
    from onegig.dockerfiles import trial

    service = case.source.service
    with pipeline.session(progress) as (engine, run):
        arguments = _arguments(proposal)
        before, after = trial.variants(case.stack, service, proposal, arguments, run)
        inputs = read_build_inputs(case.stack, {})
        with progress.step("build the image as it is") as say:
            trial.build(before, run, say, inputs, alone=False)
        with progress.step("build the image as proposed") as say:
            trial.build(after, run, say, inputs, alone=True)
        users = {before.image: (f"{service} before",), after.image: (f"{service} after",)}
        report = pipeline.inspect(engine, users, Options(weigh=True), progress)
        if not isinstance(report, ImagesReport):
            raise InspectError(report.reason)
        images = {image.reference: image for image in report.images}
        sides = []
        own = arguments.get(PYTHON_IMAGE, proposal.image)
        for variant, base in ((before, case.recipe.base), (after, own)):
            with progress.step(f"boot {service} {variant.image.rpartition('/')[2]}"):
                fared = trial.boot(engine, variant, run, timeout_seconds=HEALTHY_SECONDS)
            sides.append(Side(base=base, image=images[variant.image], boot=fared))
    made = Trial(service=service, before=sides[0], after=sides[1])
    click.echo(f"\n{render_trial(made)}", nl=False)
    if made.after.boot.problem:
        raise BootError(
            f"{service} as proposed did not turn healthy",
            command=f"docker compose up --wait {service}",
            advice="its own words are above; a package that Alpine lacks, or a folder it may no "
            "longer write to, are the usual reasons",
        )


def _arguments(proposal: Proposal) -> dict[str, str]:
    """The image to build with: the environment's, where it is of the same Python."""
    image = os.environ.get(PYTHON_IMAGE, "")
    tag = proposal.image.partition("@")[0].rpartition(":")[2]
    return {PYTHON_IMAGE: image} if f":{tag}" in image else {}
