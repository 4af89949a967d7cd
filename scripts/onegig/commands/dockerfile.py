"""`onegig dockerfile`: propose a minimal Dockerfile for a Python service, and try it out."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from onegig import pipeline
from onegig.commands.options import SOME_FILE, progress_options, project_options
from onegig.config.stack import load_stack, part_of, read_build_inputs
from onegig.dockerfiles.builds import builds_of
from onegig.dockerfiles.dependencies import plan_dependencies
from onegig.dockerfiles.proposal import Base, Proposal, Source, propose
from onegig.dockerfiles.recipe import read_recipe
from onegig.dockerfiles.requirements import check_wheels
from onegig.dockerfiles.stages import read_stages
from onegig.errors import BootError, ConfigError, InspectError
from onegig.files import write_file
from onegig.model.images import ImagesReport, Side, Trial
from onegig.model.options import Options
from onegig.model.stack import Stack
from onegig.progress import Progress
from onegig.report.inspection import render_trial
from onegig.text import plain, printable

PYTHON_IMAGE = "PYTHON_IMAGE"  # the argument of the proposal, and the variable that sets it
HEALTHY_SECONDS = 120.0


@click.command()
@click.argument("service")
@project_options
@click.option("--python", help="Python version, such as 3.13, if the base image does not show it.")
@click.option(
    "--base",
    type=click.Choice([base.value for base in Base]),
    help="Alpine (musl) or Debian's slim image (glibc). Default: depends on the available wheels.",
)
@click.option(
    "--build",
    is_flag=True,
    help="Build the image before and after, boot both with the service's health check and print a "
    "comparison. Both are removed from the engine afterwards.",
)
@click.option(
    "--output",
    type=SOME_FILE,
    help="Write the Dockerfile here instead of to stdout, and a .dockerignore if there is none. "
    "Existing files are not changed.",
)
@progress_options
def dockerfile(
    *,
    service: str,
    options: Options,
    python: str | None,
    base: str | None,
    build: bool,
    output: Path | None,
    progress: Progress,
) -> None:
    """Propose a minimal Dockerfile for a Python SERVICE: two stages, Alpine, no root.

    Reads the service's own Dockerfile and does not change it. Development dependencies, caches and
    compilers are left out; the instructions that run the service are copied unchanged. The base is
    python:X.Y-alpine; the environment variable PYTHON_IMAGE overrides it for --build.
    """
    if output and output.exists():
        raise ConfigError(f"{output} already exists", advice="choose another path for --output")
    stack = (
        load_stack(options.compose, profiles=options.profiles)
        if options.compose
        else pipeline.load(options)[1]
    )
    source = _read(stack, service)
    with progress.step(f"read {source.path}") as say:
        proposal = _propose(source, python, Base(base) if base else None)
        say(f"{proposal.base} with Python from {proposal.image}")
    if output:
        _write(output, proposal)
    else:
        click.echo(printable(proposal.text), nl=False)
    for remark in proposal.remarks:
        click.echo(f"note: {plain(remark)}", err=True)
    if build:
        _try(stack, source, proposal, progress)


def _read(stack: Stack, service: str) -> Source:
    part_of(stack, (service,))
    build = next((each for each in builds_of(stack) if each.service == service), None)
    if build is None or build.dockerfile is None or build.file is None:
        raise ConfigError(
            f"{service} is not built from a Dockerfile that can be read here",
            advice="choose a service whose build section has a context and a Dockerfile",
        )
    try:
        stages = read_stages(build.file.text, dict(build.file.arguments))
        recipe = read_recipe(stages, build.file.target)
    except ConfigError as error:
        raise ConfigError(
            f"{build.path} can't be rewritten: {error.message}", advice=error.advice
        ) from error
    config: Mapping[str, Any] = json.loads(stack.config_json)["services"][service]
    calls = ((config.get("healthcheck") or {}).get("test"), config.get("command"))
    return Source(
        service=service,
        path=build.path,
        recipe=recipe,
        read=build.read,
        has_dockerignore=build.has_dockerignore,
        probes=tuple(
            " ".join(call) if isinstance(call, list) else str(call)
            for call in (*calls, config.get("entrypoint"))
            if call
        ),
    )


def _propose(source: Source, python: str | None, base: Base | None) -> Proposal:
    recipe = source.recipe
    version = python or recipe.python
    if not version:
        raise ConfigError(
            f"the version of Python in {recipe.base or 'an ARG without a default'} is not known",
            advice="add --python 3.13; services in other languages get no proposal",
        )
    from onegig.engine.owned import new_run  # not if `--help` only lists this command

    plan = plan_dependencies(recipe, source.read)
    with new_run() as run:
        wheels = check_wheels(plan.requirements, version, run.directory)
    return propose(source, version, wheels, base)


def _write(output: Path, proposal: Proposal) -> None:
    write_file(output, proposal.text)
    ignore = output.with_name(f"{output.name}.dockerignore")
    if proposal.dockerignore and not ignore.exists():
        write_file(ignore, proposal.dockerignore)


def _try(stack: Stack, source: Source, proposal: Proposal, progress: Progress) -> None:
    from onegig.dockerfiles import trial  # likewise

    service = source.service
    with pipeline.session(progress) as (engine, run):
        arguments = _arguments(proposal)
        before, after = trial.variants(stack, service, proposal, arguments, run)
        inputs = read_build_inputs(stack, {})
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
        proposed = arguments.get(PYTHON_IMAGE, proposal.image)
        for variant, base in ((before, source.recipe.base), (after, proposed)):
            with progress.step(f"boot {service} {variant.image.rpartition('/')[2]}"):
                boot = trial.boot(engine, variant, run, timeout_seconds=HEALTHY_SECONDS)
            sides.append(Side(base=base, image=images[variant.image], boot=boot))
    result = Trial(service=service, before=sides[0], after=sides[1])
    click.echo(f"\n{render_trial(result)}", nl=False)
    if result.after.boot.problem:
        raise BootError(
            f"{service} as proposed did not become healthy",
            command=f"docker compose up --wait {service}",
            advice="read its output above; a package that Alpine lacks, or a folder it may no "
            "longer write to, are the usual reasons",
        )


def _arguments(proposal: Proposal) -> dict[str, str]:
    """Return the base image to build with: PYTHON_IMAGE, if it has the same Python version."""
    image = os.environ.get(PYTHON_IMAGE, "")
    tag = proposal.image.partition("@")[0].rpartition(":")[2]
    return {PYTHON_IMAGE: image} if f":{tag}" in image else {}
