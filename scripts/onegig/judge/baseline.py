"""The numbers of a report that later ones are compared with, and reasons not to compare."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onegig.judge.memory import own_ranges, size_difference
from onegig.judge.scan import describe_finding
from onegig.model.budgets import METRIC_NAMES, MemoryBudget, Metric
from onegig.model.images import ImagesReport
from onegig.model.measured import Environment, Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.scan import FindingKind, Scan
from onegig.model.sizes import format_mb
from onegig.model.twin import MachineKind
from onegig.model.verdict import (
    CHECK_KINDS,
    NO_CONTENTS,
    NO_REMARKS,
    Baseline,
    Check,
    Contents,
    Fit,
    PastCheck,
    Remarked,
    ServiceNumbers,
    Unit,
    Verdict,
)
from onegig.text import plain

MOST_ITEMS = 10_000  # packages and findings of a stack, those that images share counted once
MOST_REMARKS = 2_000  # of a stack

# The reference stack's total came to 494 to 506 MB in runs on a quiet machine, 2.4 % apart, and to
# 493 to 520 MB on a busy one: health checks start processes in the engine of 10 MB each, and some
# overlap at the peak. The floor is for the quiet machine: a false change costs less than a hidden
# service of 20 MB.
MEMORY_SHARE = 0.03  # of the larger value: a little more than those 2.4 %
MEMORY_LEAST = 1024**2  # a small service moves by some hundred pages without any cause
MEMORY_MOST = 32 * 1024**2  # what happens to overlap does not grow with the stack
STORAGE_SHARE = 0.005  # the same Dockerfile built again: package indexes and caches differ
STORAGE_BYTES = 100_000
SHARE_POINTS = 0.005  # half a per cent point: what dive's rounded figure can't show


def make_baseline(report: Report, costs: Mapping[str, float]) -> Baseline:
    """Return the report's numbers; `costs` are the seconds that building each service's image took.

    A service without a cost has none of its own in the baseline.
    """
    verdict = report.verdict
    return Baseline(
        commit=report.commit,
        created=report.created,
        state=verdict.state,
        metric=verdict.metric,
        total_bytes=verdict.total_bytes,
        limit_bytes=verdict.limit_bytes,
        spread_bytes=verdict.spread_bytes,
        marks=tuple(
            PastCheck(id=c.id, subject=c.subject, value=c.value, limit=c.limit, state=c.state)
            for c in verdict.checks
        ),
        services=service_numbers(report, costs),
        environment=environment_of(report),
        contents=contents_of(report.images),
        dockerfiles=remarks_of(report.images),
        machine=machine_of(report.memory) or MachineKind.BOX,
        peaks=verdict.fit.peaks if isinstance(verdict.fit, Fit) else (),
    )


def service_numbers(report: Report, costs: Mapping[str, float]) -> tuple[ServiceNumbers, ...]:
    """Return every service that was measured or whose image was inspected, in the stack's order."""
    memory: dict[str, int] = {}
    images: dict[str, int] = {}
    if isinstance(report.memory, MemoryReport):
        ranges = own_ranges(report.memory, Metric(report.verdict.metric))
        memory = {name: highest for name, (_, highest) in ranges.items()}
    if isinstance(report.images, ImagesReport):
        inspected = report.images.images
        images = {name: image.size_bytes for image in inspected for name in image.services}

    def number(name: str, known: dict[str, int], part: object, done: str) -> int | Missing:
        if isinstance(part, Missing):
            return part
        return known.get(name, Unknown(reason=f"{name} was not {done}"))

    return tuple(
        ServiceNumbers(
            name=name,
            memory_bytes=number(name, memory, report.memory, "measured"),
            image_bytes=number(name, images, report.images, "inspected"),
            cost_seconds=costs.get(name),
        )
        for name in dict.fromkeys((*memory, *images))
    )


def machine_of(memory: MemoryReport | Missing) -> MachineKind | None:
    """Return the kind of machine that was measured, or None."""
    return None if isinstance(memory, Missing) else memory.machine


def environment_of(report: Report) -> Environment | Missing:
    """Return the environment of the numbers; that of memory takes precedence over the images'."""
    for part in (report.memory, report.images):
        if not isinstance(part, Missing):
            return part.environment
    return Unknown(reason="nothing was measured")


def contents_of(report: ImagesReport | Missing) -> tuple[Contents, ...] | Missing:
    """Return the stack's packages and findings, each once with the services whose images have it.

    A service that was not scanned, or whose findings were not all passed on, is in none of the
    parts; one that has nothing is in an empty one.
    """
    if isinstance(report, Missing):
        return NO_CONTENTS
    scans = {name: image.scan for image in report.images for name in image.services}
    scanned = {name: scan for name, scan in scans.items() if isinstance(scan, Scan)}
    if not scanned:
        return Skipped(reason="no image was scanned")
    known, packages_of, findings_of = [], {}, {}
    for name, scan in scanned.items():
        if isinstance(scan.packages, Missing) or any(
            finding.kind is not FindingKind.VULNERABILITY for finding in scan.nameless
        ):
            continue  # a later run would ask for more than is known
        known.append(name)
        packages_of[name] = [plain(text) for text in scan.packages]
        findings_of[name] = [  # of vulnerabilities a later database knows more
            describe_finding(finding)
            for finding in scan.findings
            if finding.id and finding.kind is not FindingKind.VULNERABILITY
        ]
    packages, findings = _users(packages_of), _users(findings_of)
    if not known or len(packages) + len(findings) > MOST_ITEMS:
        return Unknown(reason=f"there are more than {MOST_ITEMS:,} packages and findings")
    alone = [(name,) for name in known]
    return tuple(
        Contents(
            services=group,
            packages=tuple(sorted(name for name, users in packages.items() if users == group)),
            findings=tuple(sorted(name for name, users in findings.items() if users == group)),
        )
        for group in sorted({*packages.values(), *findings.values(), *alone})
    )


def _users(items: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    users: dict[str, tuple[str, ...]] = {}
    for service, names in items.items():
        for name in dict.fromkeys(names):
            users[name] = (*users.get(name, ()), service)
    return users


def remarks_of(report: ImagesReport | Missing) -> tuple[Remarked, ...] | Missing:
    """Return the remarks about a stack's Dockerfiles in the form that the history stores."""
    if isinstance(report, Missing):
        return NO_REMARKS
    if sum(len(file.remarks) for file in report.dockerfiles) > MOST_REMARKS:
        return Unknown(reason=f"there are more than {MOST_REMARKS:,} remarks about Dockerfiles")
    return tuple(
        Remarked(path=f.path, hadolint=f.hadolint, remarks=tuple(r.summary for r in f.remarks))
        for f in report.dockerfiles
    )


def list_differences(report: Report, baseline: Baseline) -> tuple[str, ...]:
    """Return differences other than the commit: "engine 29.1, was 28.0"; empty for runs alike.

    Engine and kernel count to their second number. Of GitHub's runner images only the name does:
    they are renewed every week, and what matters of that is listed here by itself.
    """
    return condition_differences(environment_of(report), machine_of(report.memory), baseline)


def condition_differences(
    now: Environment | Missing, kind: MachineKind | None, baseline: Baseline
) -> tuple[str, ...]:
    """Return what differs between an environment with its machine and the baseline's."""
    before = baseline.environment
    if isinstance(before, Missing):
        return () if isinstance(now, Missing) else ("the baseline's environment is not known",)
    if isinstance(now, Missing):
        return ("this run's environment is not known",)
    machine = kind or baseline.machine
    pairs = zip(_facts(now, machine), _facts(before, baseline.machine), strict=True)
    return tuple(
        plain(f"{name} {value}, was {old}") for (name, value), (_, old) in pairs if value != old
    )


def _facts(env: Environment, machine: MachineKind) -> Iterator[tuple[str, str]]:
    yield "machine", machine
    yield "engine", ".".join(env.engine_version.split(".")[:2])
    yield "kernel", ".".join(env.kernel.split(".")[:2])
    yield "cgroup", f"v{env.cgroup_version}"
    yield "architecture", env.architecture
    yield "base images", env.bases
    yield "runner", env.runner.partition(" ")[0]
    yield "onegig", env.onegig_version


def machine_difference(baseline: Baseline, now: MachineKind | None) -> Skipped | None:
    """Return why memory can't be compared: one side is a box's, where kernel and OS are assumed."""
    if now in (None, baseline.machine):
        return None
    return Skipped(reason=f"the baseline was measured on a {baseline.machine}, not on a {now}")


def total_difference(
    baseline: Baseline, now: Verdict | MemoryBudget, machine: MachineKind | None
) -> Skipped | None:
    """Return why the baseline's total is of another kind, or None if it is not."""
    if other := machine_difference(baseline, machine):
        return other
    metric, limit_bytes = str(now.metric), now.limit_bytes
    if baseline.metric != metric:
        names = [METRIC_NAMES.get(metric, plain(metric)) for metric in (baseline.metric, metric)]
        return Skipped(reason=f"the baseline adds up {names[0]}, not {names[1]}")
    if baseline.limit_bytes != limit_bytes:
        boxes = f"{format_mb(baseline.limit_bytes)}, not {format_mb(limit_bytes)}"
        return Skipped(reason=f"the baseline was measured against a limit of {boxes}")
    return None


def memory_difference(
    baseline: Baseline, report: MemoryReport, budget: MemoryBudget
) -> Skipped | None:
    """Return why memory can't be compared: metric, limit, box or architecture differ."""
    if not baseline.is_complete:
        return Skipped(reason="the baseline was not measured in full")
    if other := size_difference(report, budget):
        return Skipped(reason=f"this run was measured {other}")
    total = total_difference(baseline, budget, report.machine)
    return total or architecture_difference(baseline, report.environment)


def architecture_difference(baseline: Baseline, environment: Environment) -> Skipped | None:
    """Return why programs differ in size anyway: they are of another architecture."""
    before = baseline.environment
    if isinstance(before, Missing) or before.architecture == environment.architecture:
        return None
    names = plain(f"{before.architecture}, not {environment.architecture}")
    return Skipped(reason=f"the baseline was measured on {names}")


def missing_section(id_: str, checks: Sequence[Check] | Sequence[PastCheck]) -> Missing | None:
    """Return why a run can't know of a check: the section that it belongs to is missing."""
    kind = CHECK_KINDS.get(id_)
    total = f"{kind.section}.total" if kind else ""
    values = (check.value for check in checks if check.id == total)
    return next((value for value in values if isinstance(value, Missing)), None)


def noise_floor(unit: Unit, a: float, b: float) -> float:
    """Return the largest difference at which two values of the same thing count as equal."""
    larger = max(abs(a), abs(b))
    if unit is Unit.MEMORY:
        return min(max(MEMORY_LEAST, MEMORY_SHARE * larger), MEMORY_MOST)
    if unit is Unit.STORAGE:
        return max(STORAGE_BYTES, STORAGE_SHARE * larger)
    return SHARE_POINTS if unit is Unit.SHARE else 0.0
