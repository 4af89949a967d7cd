"""`check --github`: the check as a job of a pull request, a merge group or a push runs it.

The job has no secrets and writes nothing but files: numbers/ for the trusted half, report/ for
people, the job's summary. Whatever happens to the check, run.json says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from onegig import pipeline
from onegig.errors import ConfigError, OnegigError
from onegig.git import ask_git
from onegig.judge.compare import compare
from onegig.judge.limits import limit_changes
from onegig.judge.scan_checks import weigh_findings
from onegig.load.budgets import parse_budgets
from onegig.model.baseline import Baseline
from onegig.model.budgets import Budgets
from onegig.model.codec import to_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.review import LimitChange, Review
from onegig.model.run import RunReport
from onegig.pipeline import Options
from onegig.progress import Progress
from onegig.publish.gating.abridge import Weights, abridge
from onegig.publish.gating.blame import describe, find_dockerfiles
from onegig.publish.gating.claim import CUT_SHORT, read_claim
from onegig.publish.github.job import Job
from onegig.report.annotations import Place
from onegig.writing import write_file

INHERITING = ("pull_request", "merge_group")  # a push is judged for itself
FindBaseline = Callable[[str, str], tuple[Baseline, int] | Missing]  # by commit and branch


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What the job found out; `error` is what ended the check before its end, if anything did."""

    report: Report
    claim: RunReport
    places: dict[str, Place]  # of Dockerfiles, by service
    error: OnegigError | None
    weights: Weights  # of what trivy found


def run_gate(options: Options, progress: Progress, job: Job, find_baseline: FindBaseline) -> Gate:
    """Check and compare with the commit this one goes on top of; an error is part of the answer."""
    if job.event_name in INHERITING:  # else a pull request would silence what blocks it
        base = read_claim(job, options, None).base_sha
        options = replace(options, settings_commit=base)
    attempt = pipeline.attempt(options, progress)
    report, error = attempt.report, attempt.error
    failure = describe(error, attempt.stack) if error else None
    host_access = attempt.stack.host_access if attempt.stack else ()
    claim = read_claim(job, options, failure, host_access)
    found = _baseline(claim, job, find_baseline)
    main = found[0] if isinstance(found, tuple) and claim.event in INHERITING else None
    if main:
        budgets = attempt.budgets
        report = pipeline.judge_reports(options, budgets, report.images, report.memory, main)
    review = _review(report, claim, job, options, found)
    return Gate(
        report=replace(report, failure=failure, review=review),
        claim=claim,
        places=find_dockerfiles(report, attempt.stack),
        error=error,
        weights=_weights(report, attempt.budgets, main),
    )


def announce(job: Job, options: Options, directory: Path) -> None:
    """Write what holds if nothing more is heard of this job: that it was cut short."""
    write_file(directory / "run.json", to_json(read_claim(job, options, CUT_SHORT)))


def write_numbers(gate: Gate, directory: Path) -> None:
    """run.json, and images.json and memory.json where there are such numbers."""
    write_file(directory / "run.json", to_json(gate.claim))
    if isinstance(gate.report.images, ImagesReport):
        write_file(directory / "images.json", to_json(abridge(gate.report.images, gate.weights)))
    if isinstance(gate.report.memory, MemoryReport):
        write_file(directory / "memory.json", to_json(gate.report.memory))


def _weights(report: Report, budgets: Budgets, main: Baseline | None) -> Weights:
    images = () if isinstance(report.images, Missing) else report.images.images
    today = datetime.fromisoformat(report.created).date()
    return {
        image.reference: weigh_findings(budgets, image, today=today, main=main) for image in images
    }


def _review(
    report: Report,
    claim: RunReport,
    job: Job,
    options: Options,
    found: tuple[Baseline, int] | Missing,
) -> Review:
    return Review(
        head_sha=claim.head_sha,
        base_sha=claim.base_sha,
        base_branch=job.base_branch,
        branch_behind=Skipped(reason="told by the comment"),
        comparison=found if isinstance(found, Missing) else compare(report, *found),
        limit_changes=_limit_changes(claim, options),
        run_url=job.run_url,
    )


def _baseline(
    claim: RunReport, job: Job, find_baseline: FindBaseline
) -> tuple[Baseline, int] | Missing:
    if not claim.base_sha:
        return Skipped(reason="the commit that was measured is no merge into another")
    return find_baseline(claim.base_sha, job.base_branch)


def _limit_changes(claim: RunReport, options: Options) -> tuple[LimitChange, ...]:
    """What this commit does to budgets.yml; nothing where the other one has none, or a bad one."""
    folder, file = options.budgets.parent, options.budgets.name
    old = ask_git(folder, "show", f"{claim.base_sha}:./{file}")
    new = ask_git(folder, "show", f"{claim.measured_sha}:./{file}")
    if not old or not new or old == new:
        return ()
    name = str(options.budgets)
    try:
        return limit_changes(parse_budgets(name, old.encode()), parse_budgets(name, new.encode()))
    except ConfigError:
        return ()
