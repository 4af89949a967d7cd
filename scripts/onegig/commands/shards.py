"""`onegig shards`: which services' images each machine of a matrix builds and inspects."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from onegig import pipeline
from onegig.commands.init import open_client
from onegig.commands.options import SOME_FILE, project_options
from onegig.errors import ConfigError, GithubError
from onegig.files import append_file
from onegig.github.job import DATA_BRANCH
from onegig.github.transport import RAW
from onegig.images.shards import Costs, Shard, costs_of, plan_shards
from onegig.model.codec import from_json
from onegig.model.verdict import Baseline
from onegig.pipeline import Options

BASELINE = "baseline.json"  # on the data branch
MOST_BASELINE_BYTES = 4_000_000
MOST_OUTPUT_BYTES = 1_000_000  # of a job, counted in UTF-16: docs.github.com/actions, job outputs


@click.command()
@project_options
@click.option(
    "--baseline",
    type=SOME_FILE,
    help="baseline.json of the data branch, for what images cost to build. Without it, it is read "
    "from GitHub where GITHUB_TOKEN and GITHUB_REPOSITORY are set.",
)
@click.option(
    "--output", type=SOME_FILE, help="Append shards=JSON to this file, as to $GITHUB_OUTPUT."
)
@click.option("--github", is_flag=True, help="The same as --output $GITHUB_OUTPUT.")
def shards(*, options: Options, baseline: Path | None, output: Path | None, github: bool) -> None:
    """Spread the services over machines that build and inspect their images; JSON.

    A list of {"name", "services"} that a job matrix can take: every service once, about equally
    much work for each, services of one image together. [] where one machine does it as well: below
    `shards.start` images of budgets.yml, or where starting machines takes longer than it saves.

    Needs no engine. That costs are unknown, as before the first run, is no error.
    """
    budgets, stack = pipeline.load(options)
    costs = _read(baseline) if baseline else _fetch(os.environ.get("GITHUB_TOKEN", ""))
    text = _json(plan_shards(stack, costs, budgets.shards))
    click.echo(text)
    path = output or (_github_output() if github else None)
    if path:
        append_file(path, f"shards={text}\n")


def _json(found: tuple[Shard, ...]) -> str:
    """On one line and in ASCII, so that nothing in a name can begin another output."""
    text = json.dumps([asdict(shard) for shard in found])
    if 2 * len(text) > MOST_OUTPUT_BYTES:
        raise ConfigError(
            f"{len(text):,} characters are more than a job of GitHub may put out",
            advice="split the stack",
        )
    return text


def _read(path: Path) -> Costs:
    try:
        text = path.read_bytes()
    except OSError as error:
        return _unknown(f"{path} cannot be read: {error.strerror}")
    return _parse(text, str(path))


def _fetch(token: str) -> Costs:
    """From the data branch of the repository that this is a job of; nothing is known elsewhere."""
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if not token or not repository:
        return Costs()
    try:
        with open_client(repository, token, os.environ.get("GITHUB_API_URL", "")) as client:
            text = client.download(
                f"contents/{BASELINE}", accept=RAW, most_bytes=MOST_BASELINE_BYTES, ref=DATA_BRANCH
            )
    except GithubError as error:
        return _unknown(error.message)
    return _parse(text, f"{BASELINE} of {DATA_BRANCH}")


def _parse(text: bytes, source: str) -> Costs:
    try:
        return costs_of(from_json(Baseline, text, source))
    except ConfigError as error:
        return _unknown(error.message)


def _unknown(reason: str) -> Costs:
    click.echo(f"costs of images are not known: {reason}", err=True)
    return Costs()


def _github_output() -> Path:
    path = os.environ.get("GITHUB_OUTPUT")
    if not path:
        raise ConfigError(
            "--github: GITHUB_OUTPUT is not set, so this is no job of GitHub Actions",
            advice="leave --github out, or name a file with --output",
        )
    return Path(path)
