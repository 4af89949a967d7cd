"""What images contain, as far as a later run needs it to tell what it brings from what was there.

A scan depends on the image and on the day: trivy's database grows. Both sides of a pull request are
judged by one database nevertheless: a vulnerability is found in a package of some version (and of
some release of an OS, each of which has its own fixes), and the baseline has the packages. What the
newer database says of a package that both sides have in the same version, it says of both.

Where a machine's memory goes: as sold, minus kernel, OS, engine and stack, is what is left.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onegig.judge.memory_checks import system_on
from onegig.judge.totals import Total
from onegig.model.budgets import METRIC_NAMES, Budgets, Metric
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Finding, FindingKind, Scan
from onegig.model.sizes import mb_down
from onegig.model.tiers import Tier
from onegig.model.verdict import NO_CONTENTS, Bar, Baseline, Contents, Waterfall
from onegig.text import plain

MOST_ITEMS = 10_000  # packages and findings of a stack, those that images share counted once


class Known:
    """What one service's image contained in the baseline."""

    def __init__(self, contents: Iterable[Contents]) -> None:
        parts = tuple(contents)
        self._packages = {name for part in parts for name in part.packages}
        self._findings = {name for part in parts for name in part.findings}

    def has(self, finding: Finding) -> bool:
        """Whether it is so of the baseline's image, too; what was left out has but its package."""
        if finding.kind is FindingKind.VULNERABILITY:
            return plain(finding.package) in self._packages
        return bool(finding.id) and told(finding) in self._findings


def told(finding: Finding) -> str:
    """A finding in one line: "CVE-2026-1234 in openssl 3.5.1-r0", "github-pat in /app/.env".

    Of what was left out how many there are: "1,200 HIGH, mended, in linux 6.12.48 (debian 13)".
    """
    if not finding.id:
        mended = "mended" if finding.fixed else "not mended"
        where = finding.package or "what is not told"
        return plain(f"{finding.count:,} {finding.severity}, {mended}, in {where}")
    if finding.kind is FindingKind.VULNERABILITY:
        return plain(f"{finding.id} in {finding.target} {finding.installed}")
    return f"{plain(finding.id)} in {plain(finding.target)}"


def known_of(image: Image, baseline: Baseline | None) -> Known | Missing:
    """What the baseline knows of the services that run an image."""
    if baseline is None:
        return Skipped(reason="there is no baseline")
    if isinstance(baseline.contents, Missing):
        return baseline.contents
    parts = [part for part in baseline.contents if set(image.services) & set(part.services)]
    if not parts:
        return Skipped(reason="the baseline does not have it, or did not scan it")
    return Known(parts)


def contents_of(report: ImagesReport | Missing) -> tuple[Contents, ...] | Missing:
    """The stack's packages and findings, each once with the services whose images have it.

    A service that was not scanned, or of which not everything was handed on, is in none of the
    parts; one that has nothing is in an empty one.
    """
    if isinstance(report, Missing):
        return NO_CONTENTS
    scans = {name: image.scan for image in report.images for name in image.services}
    scanned = {name: scan for name, scan in scans.items() if isinstance(scan, Scan)}
    if not scanned:
        return Skipped(reason="no image was scanned")
    names = dict(_packages(scanned))
    packages = _users(names)
    findings = _users({name: _kept(scanned[name].findings) for name in names})
    if not names or len(packages) + len(findings) > MOST_ITEMS:
        return Unknown(reason=f"there are more than {MOST_ITEMS:,} packages and findings")
    return _parts(tuple(names), packages, findings)


def _packages(scanned: Mapping[str, Scan]) -> Iterator[tuple[str, Iterable[str]]]:
    """Those of each service of which all is known that a later run would ask for."""
    for name, scan in scanned.items():
        kinds = {one.kind for one in scan.nameless}
        if not isinstance(scan.packages, Missing) and kinds <= {FindingKind.VULNERABILITY}:
            yield name, map(plain, scan.packages)


def _parts(
    services: Sequence[str],
    packages: Mapping[str, tuple[str, ...]],
    findings: Mapping[str, tuple[str, ...]],
) -> tuple[Contents, ...]:
    alone = [(name,) for name in services]
    groups = dict.fromkeys([*packages.values(), *findings.values(), *alone])
    return tuple(
        Contents(
            services=group,
            packages=tuple(sorted(name for name, users in packages.items() if users == group)),
            findings=tuple(sorted(name for name, users in findings.items() if users == group)),
        )
        for group in sorted(groups)
    )


def _users(items: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The services that have each item."""
    users: dict[str, list[str]] = {}
    for service, names in items.items():
        for name in dict.fromkeys(names):
            users.setdefault(name, []).append(service)
    return {name: tuple(services) for name, services in users.items()}


def _kept(findings: Iterable[Finding]) -> Iterable[str]:
    return (told(one) for one in findings if one.id and one.kind is not FindingKind.VULNERABILITY)


_ENGINE = dict.fromkeys(Metric, "PSS") | {Metric.COST: "PSS and its kernel memory"}
ASSUMED = "assumed: memory.system_overhead"


def waterfalls(budgets: Budgets, total: Total, tier: Tier | None) -> tuple[Waterfall, ...]:
    """Return the budget's own machine, then the tier's; each adds up: sold = steps + headroom."""
    limit = budgets.memory.limit_bytes
    system = Bar(name="kernel and OS", bytes=total.system_bytes, note=ASSUMED)
    own = _waterfall(f"the budget's {mb_down(limit):,} MB", limit, (system,), budgets, total)
    if tier is None:
        return (own,)
    steps = (_kernel(tier), _idle_system(tier, total))
    return (own, _waterfall(tier.name, tier.memory_bytes, steps, budgets, total))


def _waterfall(
    machine: str, sold_bytes: int, system: tuple[Bar, ...], budgets: Budgets, total: Total
) -> Waterfall:
    steps = (
        *system,
        Bar(name="engine", bytes=total.engine_bytes, note=_ENGINE[budgets.memory.metric]),
        Bar(name="stack", bytes=total.stack_bytes, note=METRIC_NAMES[budgets.memory.metric]),
    )
    return Waterfall(
        machine=machine,
        sold_bytes=sold_bytes,
        steps=steps,
        headroom_bytes=sold_bytes - sum(step.bytes for step in steps),
    )


def _kernel(tier: Tier) -> Bar:
    """Return what the kernel keeps for itself: memory as sold that MemTotal does not show."""
    if tier.memtotal_bytes is None:
        return Bar(name="kernel", bytes=0, note="not confirmed")
    return Bar(name="kernel", bytes=tier.memory_bytes - tier.memtotal_bytes)


def _idle_system(tier: Tier, total: Total) -> Bar:
    note = ASSUMED if tier.os_idle_bytes is None else "when idle"
    return Bar(name="OS", bytes=system_on(tier, total), note=note)
