"""`check --github`: the check as a job of a pull request, a merge group or a push.

The job has no secrets and writes nothing but files: numbers/ for `onegig comment`, report/ for
people, the job's summary. Whatever happens to the check, run.json says so. `onegig comment` reads
only so much of a stranger's numbers, so a large images.json is cut: sums stay, the smallest items
go. Limits count findings by kind, severity, package and fix: groups of those left out keep these.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from heapq import nsmallest
from pathlib import Path
from typing import Any, TypeVar, cast

from onegig import __version__, pipeline
from onegig.config.budgets import parse_budgets
from onegig.dockerfiles.parse import line_of
from onegig.engine.build_plan import target_of
from onegig.errors import ConfigError, ExitCode, OnegigError
from onegig.files import read_text, relative_to_here, write_file
from onegig.github.job import Job
from onegig.github.trusted.artifact import MOST_FILE_BYTES, MOST_OBJECTS, MOST_VALUES
from onegig.github.trusted.plan import abridge as abridge_plan
from onegig.github.trusted.plausibility import MOST_FIXES, MOST_ITEMS, MOST_REASON
from onegig.judge.compare import compare
from onegig.judge.limits import limit_changes
from onegig.judge.scan import Weight, weigh_findings
from onegig.model.codec import to_json
from onegig.model.images import Accounting, Cause, Dive, Image, ImagesReport, Part
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.options import Options
from onegig.model.plan import Plan
from onegig.model.report import Failure, LimitChange, Report, Review, RunReport
from onegig.model.scan import Finding, Scan
from onegig.model.stack import HostAccess, Stack
from onegig.model.verdict import Baseline
from onegig.planning import NO_STACK
from onegig.process import ask_git
from onegig.progress import Progress
from onegig.report.accounts import images_by_service, largest_fix
from onegig.report.annotations import Place, parse_place
from onegig.trials import try_plan

INHERITING = ("pull_request", "merge_group")  # a push is judged for itself
NO_COMMIT = "0" * 40  # GitHub's word for none: the first push of a branch
CUT_SHORT = Failure(
    message="the job ended before the check did: it ran out of time, was cancelled or was killed",
    advice="read its log; the time limits are under `measure` in budgets.yml",
    exit_code=int(ExitCode.INTERRUPTED),
)
LENGTHS = (9_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 30, 20, 10, 5, 3)  # of an image's lists
TOO_MANY = Unknown(reason="the list of packages is too long to store")
_UNCOUNTED = max(Weight) + 1
_PLACE = re.compile(r"^(?P<place>\S+:\d+)(?::|$)", re.MULTILINE)
_STEP = re.compile(r"^ *> \[(?P<target>\S+) (?:\S+ )?\d+/\d+\] (?P<step>.+?):?$", re.MULTILINE)
T = TypeVar("T")
FindBaseline = Callable[[str, str], tuple[Baseline, int] | Missing]  # by commit and branch
FindingWeights = Mapping[Finding, Weight]
Weights = Mapping[str, FindingWeights]  # by the image's reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Results of the job; `error` is the error that ended the check early, if any."""

    report: Report
    claim: RunReport
    places: dict[str, Place]  # of Dockerfiles, by service
    error: OnegigError | None
    weights: Weights  # of what trivy found


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Bound images.json as text, counted as its reader does."""

    bytes: int = MOST_FILE_BYTES["images.json"]
    objects: int = MOST_OBJECTS
    values: int = MOST_VALUES

    def holds(self, text: str) -> bool:
        """Return whether a text fits."""
        return (
            len(text.encode()) <= self.bytes
            and text.count("{") <= self.objects
            and text.count(",") <= self.values
        )


ROOM = Room()


def run_gate(options: Options, progress: Progress, job: Job, find_baseline: FindBaseline) -> Gate:
    """Check, and compare with the commit below this one; an error is part of the answer."""
    if job.event_name in INHERITING:  # else a pull request would silence what blocks it
        base = read_claim(job, options, None).base_sha
        options = replace(options, settings_commit=base)
    attempt = pipeline.attempt(options, progress)
    report, error, budgets = attempt.report, attempt.error, attempt.budgets
    failure = describe(error, attempt.stack) if error else None
    host_access = attempt.stack.host_access if attempt.stack else ()
    claim = read_claim(job, options, failure, host_access)
    baseline: tuple[Baseline, int] | Missing = Skipped(
        reason="the measured commit is not a merge into a base branch"
    )
    if claim.base_sha:
        baseline = find_baseline(claim.base_sha, job.base_branch)
    main = baseline[0] if isinstance(baseline, tuple) and claim.event in INHERITING else None
    if main:
        stack = attempt.stack or NO_STACK
        report = pipeline.judge_reports(
            options, budgets, report.images, report.memory, main, stack=stack
        )
    if error is None:
        report = try_plan(report, options, progress)
    images = () if isinstance(report.images, Missing) else report.images.images
    today = datetime.fromisoformat(report.created).date()
    review = Review(
        head_sha=claim.head_sha,
        base_sha=claim.base_sha,
        base_branch=job.base_branch,
        branch_behind=Skipped(reason="the comment shows it"),
        comparison=baseline if isinstance(baseline, Missing) else compare(report, *baseline),
        limit_changes=_limit_changes(claim, options),
        run_url=job.run_url,
    )
    return Gate(
        report=replace(report, failure=failure, review=review),
        claim=claim,
        places=find_dockerfiles(report, attempt.stack),
        error=error,
        weights={
            image.reference: weigh_findings(budgets, image, today=today, main=main)
            for image in images
        },
    )


def announce(job: Job, options: Options, directory: Path) -> None:
    """Write the run.json that counts if this job is cut short."""
    write_file(directory / "run.json", to_json(read_claim(job, options, CUT_SHORT)))


def write_numbers(gate: Gate, directory: Path) -> None:
    """Write run.json, and images.json, memory.json and plan.json if there are such numbers."""
    write_file(directory / "run.json", to_json(shorten_texts(gate.claim)))
    if isinstance(gate.report.images, ImagesReport):
        write_file(directory / "images.json", to_json(abridge(gate.report.images, gate.weights)))
    if isinstance(gate.report.memory, MemoryReport):
        write_file(directory / "memory.json", to_json(shorten_texts(gate.report.memory)))
    if isinstance(gate.report.plan, Plan) and not gate.report.plan.roomy:
        write_file(directory / "plan.json", to_json(abridge_plan(gate.report.plan)))


def shorten_texts(value: T) -> T:
    """Return a document with the ends of its longest texts: that of a log says what failed."""
    shorter: Any = value
    if isinstance(value, str) and len(value) > MOST_REASON:
        shorter = value[-MOST_REASON:]
    elif isinstance(value, tuple):
        shorter = tuple(map(shorten_texts, value))
    elif is_dataclass(value) and not isinstance(value, type):
        shorter = replace(
            value, **{each.name: shorten_texts(getattr(value, each.name)) for each in fields(value)}
        )
    return cast("T", shorter)


def read_claim(
    job: Job,
    options: Options,
    failure: Failure | None,
    host_access: tuple[HostAccess, ...] = (),
) -> RunReport:
    """Return which commits a job measured and compares with, by its event and its checkout."""
    arguments = ("rev-list", "--parents", "--max-count=1", "HEAD")
    measured, *parents = ask_git(options.budgets.parent, *arguments).split() or [""]
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


def _limit_changes(claim: RunReport, options: Options) -> tuple[LimitChange, ...]:
    """Compare budgets.yml at both commits, or () if either has none, or a bad one."""
    folder, file, name = options.budgets.parent, options.budgets.name, str(options.budgets)
    old, new = (
        ask_git(folder, "show", f"{commit}:./{file}").encode()
        for commit in (claim.base_sha, claim.measured_sha)
    )
    if not old or not new or old == new:
        return ()
    try:
        return limit_changes(parse_budgets(name, old), parse_budgets(name, new))
    except ConfigError:
        return ()


def describe(error: OnegigError, stack: Stack | None) -> Failure:
    """Return an error as data, with the line that it names."""
    return Failure(
        message=error.message,
        command=error.command,
        advice=error.advice,
        detail=error.detail,
        exit_code=int(error.exit_code),
        place=next(_places(error.detail, stack), ""),
    )


def find_dockerfiles(report: Report, stack: Stack | None) -> dict[str, Place]:
    """Return, by service built here, the line to change to make its image smaller."""
    images = images_by_service(report.images)
    lines = {
        name: parse_place(_line_to_change(path, images.get(name)))
        for name, path in _dockerfiles(stack).items()
    }
    return {name: place for name, place in lines.items() if place}


def _line_to_change(path: Path, image: Image | None) -> str:
    """Return the line of the fix that saves most; without one, that of the largest layer."""
    fix = largest_fix(image) if image else None
    if fix and fix.place:
        return fix.place
    layers = image.layers if image else ()
    largest = max(layers, key=lambda layer: layer.size_bytes, default=None)
    return _line(path, largest.instruction if largest else "")


def _places(detail: str, stack: Stack | None) -> Iterator[str]:
    """Yield what an error's output names, the surest first: a place, or the step that failed."""
    files = _dockerfiles(stack)
    for named in _PLACE.finditer(detail):
        written, _, line = named["place"].rpartition(":")
        known = (path for path in files.values() if f"/{path}".endswith(f"/{written}"))
        path = next(known, None)  # builders know a Dockerfile by its last part
        yield f"{relative_to_here(path)}:{line}" if path else named["place"]
    for step in _STEP.finditer(detail):
        for name, path in files.items():
            if target_of(name) == step["target"]:
                yield _line(path, step["step"])


def _line(path: Path, instruction: str) -> str:
    text = read_text(path)
    return "" if text is None else f"{relative_to_here(path)}:{line_of(text, instruction)}"


def _dockerfiles(stack: Stack | None) -> dict[str, Path]:
    services = stack.services if stack else ()
    folder = Path(stack.directory) if stack else Path()
    return {service.name: folder / service.dockerfile for service in services if service.dockerfile}


def abridge(report: ImagesReport, weights: Weights, room: Room = ROOM) -> ImagesReport:
    """Return the report as far as there is room for it, unchanged if it all fits.

    Each image keeps its largest parts, losses and fixes, and the findings that decide the verdict.
    Whole lists of packages go last: later runs are compared with them.
    """
    lean, bare = _with_packages(report, MOST_ITEMS), _with_packages(report, 0)
    longest = _longest(lean, weights, room) or _longest(bare, weights, room)
    return longest or _shorten(bare, LENGTHS[-1], weights)


def _longest(report: ImagesReport, weights: Weights, room: Room) -> ImagesReport | None:
    def fits(most: int) -> bool:
        return room.holds(to_json(_shorten(report, most, weights)))

    place = bisect_left(LENGTHS, 1, key=fits)
    return _shorten(report, LENGTHS[place], weights) if place < len(LENGTHS) else None


def _with_packages(report: ImagesReport, most: int) -> ImagesReport:
    """Return the report without the lists of more than `most` packages."""

    def trim(scan: Scan | Missing) -> Scan | Missing:
        if isinstance(scan, Missing) or isinstance(scan.packages, Missing):
            return scan
        return scan if len(scan.packages) <= most else replace(scan, packages=TOO_MANY)

    return replace(report, images=tuple(replace(i, scan=trim(i.scan)) for i in report.images))


def _shorten(report: ImagesReport, most: int, weights: Weights) -> ImagesReport:
    def shorten_image(image: Image) -> Image:
        account, dive, scan = image.accounting, image.dive, image.scan
        if isinstance(account, Accounting):
            account = _shorten_account(account, most)
        if isinstance(dive, Dive):
            dive = replace(dive, worst=dive.worst[:most])
        if isinstance(scan, Scan):
            scan = shorten_scan(scan, most, weights.get(image.reference, {}))
        return replace(image, accounting=account, dive=dive, scan=scan)

    return replace(report, images=tuple(map(shorten_image, report.images)))


def _shorten_account(account: Accounting, most: int) -> Accounting:
    """Keep the largest; what is left of a cause in a layer becomes one part of no name."""
    dead = nsmallest(most, account.dead, key=lambda item: -item.bytes)
    fixes = account.fixes[: min(most, MOST_FIXES)]
    account = replace(account, dead=tuple(dead), fixes=fixes)
    if len(account.parts) <= most:
        return account
    largest = nsmallest(most, account.parts, key=lambda each: (not each.name, -each.bytes))
    listed = set(map(id, largest))
    groups: dict[tuple[Cause, tuple[int, ...]], list[Part]] = {}
    for part in account.parts:
        if id(part) not in listed:
            groups.setdefault((part.cause, part.layers), []).append(part)
    rest = (_sum_parts(cause, layers, parts) for (cause, layers), parts in groups.items())
    return replace(account, parts=(*(p for p in account.parts if id(p) in listed), *rest))


def _sum_parts(cause: Cause, layers: tuple[int, ...], parts: Sequence[Part]) -> Part:
    size, files = sum(part.bytes for part in parts), sum(part.files for part in parts)
    return Part(cause=cause, name="", kind="path", bytes=size, files=files, layers=layers)


def shorten_scan(scan: Scan, most: int, weights: FindingWeights) -> Scan:
    """Return at most `most` findings by name, and about as many groups that count the others."""
    if len(scan.findings) <= most:
        return scan
    listed = {*nsmallest(most, scan.findings, key=lambda item: _order(item, weights))}
    groups: dict[Finding, list[Finding]] = {}
    for each in scan.findings:
        if each not in listed:
            groups.setdefault(each.nameless, []).append(each)
    ranked = sorted(groups, key=lambda group: _rank(groups[group], weights))
    counts = Counter({group: len(groups[group]) for group in ranked[:most]})
    for group in ranked[most:]:
        counts[replace(group, target="", installed="", system="")] += len(groups[group])
    rest = (replace(group, count=count) for group, count in counts.items())
    return replace(scan, findings=(*filter(listed.__contains__, scan.findings), *rest))


def _order(finding: Finding, weights: FindingWeights) -> tuple[object, ...]:
    """Sort what decides the verdict first (waivers go by name), then the most severe."""
    names = finding.id, finding.target, finding.installed
    return weights.get(finding, _UNCOUNTED), -finding.severity.rank, not finding.fixed, *names


def _rank(group: Iterable[Finding], weights: FindingWeights) -> tuple[object, ...]:
    """Sort those first that their package excuses, then those that count, then the largest."""
    members = list(group)
    weight = min(weights.get(member, _UNCOUNTED) for member in members)
    is_inherited = weight is Weight.INHERITED
    return not is_inherited, weight == _UNCOUNTED, -len(members), members[0].package
