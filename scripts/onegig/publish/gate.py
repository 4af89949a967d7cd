"""`check --github`: the check as a job of a pull request, a merge group or a push runs it.

The job has no secrets and writes nothing but files: numbers/ for the trusted half, report/ for
people, the job's summary. Whatever happens to the check, run.json is written.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from onegig import __version__, pipeline
from onegig.errors import ConfigError, OnegigError
from onegig.images.dockerfile import line_of
from onegig.judge.compare import compare
from onegig.judge.limits import limit_changes
from onegig.load.budgets import parse_budgets
from onegig.model.baseline import Baseline
from onegig.model.codec import to_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.review import Comparison, LimitChange, Review
from onegig.model.run import Failure, RunReport
from onegig.model.stack import Stack
from onegig.output import write_file
from onegig.pipeline import Options
from onegig.process import CommandError, run
from onegig.progress import Progress
from onegig.publish.job import Job
from onegig.report.annotations import Place
from onegig.report.view import images_by_service

NO_COMMIT = "0" * 40  # GitHub's word for none: the first push of a branch
FindBaseline = Callable[[str, str], tuple[Baseline, int] | Missing]  # by commit and branch
_PLACE = re.compile(r"^(?P<place>\S+:\d+)(?::|$)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What the job found out; `error` is what ended the check before its end, if anything did."""

    report: Report
    claim: RunReport
    places: dict[str, Place]  # of Dockerfiles, by service
    error: OnegigError | None


def run_gate(options: Options, progress: Progress, job: Job, find_baseline: FindBaseline) -> Gate:
    """Check and compare with the commit this one goes on top of; an error is part of the answer."""
    attempt = pipeline.attempt(options, progress)
    report, error = attempt.report, attempt.error
    failure = describe(error, attempt.stack) if error else None
    claim = read_claim(job, options, failure)
    review = _review(report, claim, job, options, find_baseline)
    return Gate(
        report=replace(report, failure=failure, review=review),
        claim=claim,
        places=find_dockerfiles(report, attempt.stack),
        error=error,
    )


def write_numbers(gate: Gate, directory: Path) -> None:
    """run.json, and images.json and memory.json where there are such numbers."""
    write_file(directory / "run.json", to_json(gate.claim))
    if isinstance(gate.report.images, ImagesReport):
        write_file(directory / "images.json", to_json(gate.report.images))
    if isinstance(gate.report.memory, MemoryReport):
        write_file(directory / "memory.json", to_json(gate.report.memory))


def describe(error: OnegigError, stack: Stack | None) -> Failure:
    """An error as data, with the line it names: builders know a Dockerfile by its last part."""
    named = _PLACE.search(error.detail)
    place = named["place"] if named else ""
    for path in _dockerfiles(stack).values():
        if place and f"/{path}".endswith(f"/{place.rpartition(':')[0]}"):
            place = f"{os.path.relpath(path)}:{place.rpartition(':')[2]}"
            break
    return Failure(
        message=error.message,
        command=error.command,
        advice=error.advice,
        detail=error.detail,
        exit_code=int(error.exit_code),
        place=place,
    )


def read_claim(job: Job, options: Options, failure: Failure | None) -> RunReport:
    """Which commit was measured, and which one it goes on top of."""
    commits = _git(options, "rev-list", "--parents", "--max-count=1", "HEAD").split()
    measured, parents = (commits[0], commits[1:]) if commits else ("", [])
    head, base = measured, measured
    if job.event_name == "pull_request":
        head = str(job.event["pull_request"]["head"]["sha"])
        base = parents[0] if parents[1:] == [head] else ""
    elif job.event_name == "merge_group":
        base = str(job.event["merge_group"]["base_sha"])
    elif job.event_name == "push":
        before = str(job.event.get("before", NO_COMMIT))
        base = before if before != NO_COMMIT else ""
    return RunReport(
        event=job.event_name,
        head_sha=head,
        measured_sha=measured,
        base_sha=base,
        onegig_version=__version__,
        reproduce=options.reproduce,
        failure=failure,
    )


def find_dockerfiles(report: Report, stack: Stack | None) -> dict[str, Place]:
    """For each service that is built here, the line that made its image's largest layer."""
    images = images_by_service(report.images)
    places = {}
    for name, path in _dockerfiles(stack).items():
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        layers = images[name].layers if name in images else ()
        largest = max(layers, key=lambda layer: layer.size_bytes, default=None)
        line = line_of(text, largest.instruction if largest else "")
        places[name] = Place(path=os.path.relpath(path), line=line)
    return places


def _dockerfiles(stack: Stack | None) -> dict[str, Path]:
    """The Dockerfile of each service that is built here."""
    if stack is None:
        return {}
    named = {one.name: one.dockerfile for one in stack.services if one.dockerfile}
    return {name: Path(stack.directory) / path for name, path in named.items()}


def _review(
    report: Report, claim: RunReport, job: Job, options: Options, find_baseline: FindBaseline
) -> Review:
    return Review(
        head_sha=claim.head_sha,
        base_sha=claim.base_sha,
        base_branch=job.base_branch,
        branch_behind=Skipped(reason="told by the comment"),
        comparison=_comparison(report, claim, job, find_baseline),
        limit_changes=_limit_changes(claim, options),
        run_url=job.run_url,
    )


def _comparison(
    report: Report, claim: RunReport, job: Job, find_baseline: FindBaseline
) -> Comparison | Missing:
    if not claim.base_sha:
        return Skipped(reason="the commit that was measured is no merge into another")
    found = find_baseline(claim.base_sha, job.base_branch)
    if isinstance(found, Missing):
        return found
    baseline, behind = found
    return compare(report, baseline, behind)


def _limit_changes(claim: RunReport, options: Options) -> tuple[LimitChange, ...]:
    """What this commit does to budgets.yml; nothing where the other one has none, or a bad one."""
    old = _git(options, "show", f"{claim.base_sha}:./{options.budgets.name}")
    new = _git(options, "show", f"{claim.measured_sha}:./{options.budgets.name}")
    if not old or not new or old == new:
        return ()
    name = str(options.budgets)
    try:
        return limit_changes(parse_budgets(name, old.encode()), parse_budgets(name, new.encode()))
    except ConfigError:
        return ()


def _git(options: Options, *arguments: str) -> str:
    """What git says of the checkout that holds budgets.yml; "" where it knows nothing."""
    try:
        return run(["git", "-C", str(options.budgets.parent), *arguments]).stdout
    except CommandError:
        return ""
