"""`check --github`: the check as a job of a pull request, a merge group or a push runs it.

The job has no secrets and writes nothing but files: numbers/ for the trusted half, report/ for
people, the job's summary. Whatever happens to the check, run.json says so.

Which line is to blame: of a Dockerfile for a failed step or a large image.

Which commit a job measured and which one that goes on top of: what run.json claims.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from onegig import __version__, pipeline
from onegig.config.budgets import parse_budgets
from onegig.dockerfiles.history import line_of
from onegig.engine.build_plan import target_of
from onegig.errors import ConfigError, ExitCode, OnegigError
from onegig.files import read_text, write_file
from onegig.git import ask_git
from onegig.github.abridge import Weights, abridge
from onegig.github.job import Job
from onegig.judge.compare import compare
from onegig.judge.limits import limit_changes
from onegig.judge.scan import weigh_findings
from onegig.model.budgets import Budgets
from onegig.model.codec import to_json
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.report import Failure, LimitChange, Report, Review, RunReport
from onegig.model.stack import HostAccess, Stack
from onegig.model.verdict import Baseline
from onegig.paths import from_here
from onegig.pipeline import Options
from onegig.progress import Progress
from onegig.report.accounts import largest_fix
from onegig.report.annotations import Place, parse_place
from onegig.report.view import images_by_service

_PLACE = re.compile(r"^(?P<place>\S+:\d+)(?::|$)", re.MULTILINE)
_STEP = re.compile(r"^ *> \[(?P<target>\S+) (?:\S+ )?\d+/\d+\] (?P<step>.+?):?$", re.MULTILINE)


def describe(error: OnegigError, stack: Stack | None) -> Failure:
    """An error as data, with the line it names."""
    return Failure(
        message=error.message,
        command=error.command,
        advice=error.advice,
        detail=error.detail,
        exit_code=int(error.exit_code),
        place=next(_places(error.detail, stack), ""),
    )


def find_dockerfiles(report: Report, stack: Stack | None) -> dict[str, Place]:
    """For each service that is built here, the line to change to make its image smaller."""
    images = images_by_service(report.images)
    places = {}
    for name, path in _dockerfiles(stack).items():
        place = parse_place(_line_to_change(path, images.get(name)))
        if place:
            places[name] = place
    return places


def _line_to_change(path: Path, image: Image | None) -> str:
    """That of the fix that saves most; without one, that of the largest layer."""
    fix = largest_fix(image) if image else None
    if fix and fix.place:
        return fix.place
    layers = image.layers if image else ()
    largest = max(layers, key=lambda layer: layer.size_bytes, default=None)
    return _line(path, largest.instruction if largest else "")


def _places(detail: str, stack: Stack | None) -> Iterator[str]:
    """What an error's output names, the surest first: a place, or the step that failed."""
    files = _dockerfiles(stack)
    for named in _PLACE.finditer(detail):
        written, _, line = named["place"].rpartition(":")
        known = (path for path in files.values() if f"/{path}".endswith(f"/{written}"))
        path = next(known, None)  # builders know a Dockerfile by its last part
        yield f"{from_here(path)}:{line}" if path else named["place"]
    for step in _STEP.finditer(detail):
        for name, path in files.items():
            if target_of(name) == step["target"]:
                yield _line(path, step["step"])


def _line(path: Path, instruction: str) -> str:
    """Where an instruction stands in a Dockerfile; "" for one that cannot be read."""
    text = read_text(path)
    return "" if text is None else f"{from_here(path)}:{line_of(text, instruction)}"


def _dockerfiles(stack: Stack | None) -> dict[str, Path]:
    """The Dockerfile of each service that is built here."""
    if stack is None:
        return {}
    named = {one.name: one.dockerfile for one in stack.services if one.dockerfile}
    return {name: Path(stack.directory) / path for name, path in named.items()}


NO_COMMIT = "0" * 40  # GitHub's word for none: the first push of a branch
CUT_SHORT = Failure(
    message="the job ended before the check did: out of time, cancelled or killed",
    advice="look at its log; `measure` in budgets.yml says how long things may take",
    exit_code=int(ExitCode.INTERRUPTED),
)


def read_claim(
    job: Job,
    options: Options,
    failure: Failure | None,
    host_access: tuple[HostAccess, ...] = (),
) -> RunReport:
    """The claim of a job, from its event and the checkout that holds budgets.yml."""
    commits = ask_git(
        options.budgets.parent, "rev-list", "--parents", "--max-count=1", "HEAD"
    ).split()
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
        host_access=host_access,
    )


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
