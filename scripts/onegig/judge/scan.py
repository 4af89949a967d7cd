"""Judge what trivy found in an image by `scan` of budgets.yml, one limit for each kind of finding.

A limit that the user wrote blocks when it is exceeded; a default only warns. What the baseline's
image has, too, is inherited and never blocks. What was not looked for is never "none": if it was
left out (no trivy, no database) there is no check; the report says "not scanned", and if a limit
is written a note does. Where a scan failed, a written limit is INCOMPLETE and a default warns. Java
archives, which need a database of their own, are a part of the image's vulnerabilities: the check
that counts the others says that they were not scanned.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum
from typing import NamedTuple

from onegig.judge.checks import Case, describe_terms, subject_of
from onegig.model.budgets import Budgets, ScanBudget, Waiver
from onegig.model.images import Image
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, make_check
from onegig.text import format_list, plain

SHOWN = 2  # findings in a message
JAVA = "Java archives"
DATE_LENGTH = len("2026-11-24")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanRule:
    """The limit of one kind of findings."""

    kind: FindingKind
    name: str
    limit: int
    budget: ScanBudget
    where: str

    @property
    def is_default(self) -> bool:
        """Return whether the limit is a default."""
        return self.where == "default"

    @property
    def unknown(self) -> State:
        """Return the state for an image that could not be scanned."""
        return State.WARN if self.is_default else State.INCOMPLETE

    @property
    def fixable_only(self) -> bool:
        """Return whether findings without a fix are ignored."""
        return self.budget.ignore_unfixed and self.kind is FindingKind.VULNERABILITY

    def counts(self, finding: Finding) -> bool:
        """Return whether a finding is of the rule's kind and severe enough."""
        if finding.kind is not self.kind or (self.fixable_only and not finding.fixed):
            return False
        return finding.severity.rank >= self.budget.severity.rank

    def describe(self, count: int) -> str:
        """Return such as "3 fixable vulnerabilities of severity HIGH or above"."""
        noun = self.kind.value if count == 1 else self.name
        fixable = "fixable " if self.fixable_only else ""
        above = "" if self.budget.severity is Severity.CRITICAL else " or above"
        severity = f"{self.budget.severity.value}{above}"
        return f"{f'{count:,}' if count else 'no'} {fixable}{noun} of severity {severity}"


def rules_of(budgets: Budgets) -> Iterator[ScanRule]:
    """Yield those that have a limit, written or by default."""
    scan = budgets.scan
    for kind, name, limit in (
        (FindingKind.SECRET, "secrets", scan.secrets),
        (FindingKind.VULNERABILITY, "vulnerabilities", scan.vulnerabilities),
        (FindingKind.MISCONFIGURATION, "misconfigurations", scan.misconfigurations),
    ):
        if limit is not None:
            where = budgets.where(f"scan.{name}")
            yield ScanRule(kind=kind, name=name, limit=limit, budget=scan, where=where)


class Known(NamedTuple):
    """The contents of one service's image in the baseline.

    trivy's database grows. Both sides of a pull request are judged by one database nevertheless: a
    vulnerability is found in a package of some version (and of some release of an OS, each of which
    has its own fixes), and the baseline has the packages.
    """

    packages: frozenset[str]
    findings: frozenset[str]

    def has(self, finding: Finding) -> bool:
        """Return whether the baseline's image has it (or its package, if it has no name)."""
        if finding.kind is FindingKind.VULNERABILITY:
            return plain(finding.package) in self.packages
        return bool(finding.id) and describe_finding(finding) in self.findings


def known_of(image: Image, baseline: Baseline | None) -> Known | None:
    """Return the baseline's contents for the services that run an image; None without a scan."""
    if baseline is None or isinstance(baseline.contents, Missing):
        return None
    parts = [part for part in baseline.contents if set(image.services) & set(part.services)]
    packages = (name for part in parts for name in part.packages)
    findings = (name for part in parts for name in part.findings)
    return Known(frozenset(packages), frozenset(findings)) if parts else None


def describe_finding(finding: Finding) -> str:
    """Return a finding on one line: "CVE-2026-1234 in openssl 3.5.1-r0".

    Findings that were left out are counted: "1,200 HIGH with a fix, in linux 6.12.48 (debian 13)".
    """
    if not finding.id:
        fix = "with a fix" if finding.fixed else "without a fix"
        where = finding.package or "unnamed places"
        return plain(f"{finding.count:,} {finding.severity} {fix}, in {where}")
    if finding.kind is FindingKind.VULNERABILITY:
        return plain(f"{finding.id} in {finding.target} {finding.installed}")
    return f"{plain(finding.id)} in {plain(finding.target)}"


def count_findings(findings: Iterable[Finding]) -> int:
    """Return the number of findings; an unnamed one may stand for several."""
    return sum(finding.count for finding in findings)


class Weight(IntEnum):
    """The weight of a finding that a limit counts, and what must be known of it first."""

    NAMED = 0  # ignored by its name: waived, or a secret or misconfiguration of the baseline's
    BLOCKS = 1
    INHERITED = 2  # ignored because the baseline has its package


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """The findings that count in one image, the most severe first, and those ignored.

    Findings that were left out are inherited if all is known that this takes, and never waived.
    """

    all: tuple[Finding, ...]
    waived: dict[Finding, Waiver]
    expired: tuple[Waiver, ...]
    inherited: frozenset[Finding]

    @property
    def introduced(self) -> tuple[Finding, ...]:
        """Return the findings that are neither waived nor in the baseline."""
        ignored = {*self.waived, *self.inherited}
        return tuple(finding for finding in self.all if finding not in ignored)

    def weight(self, finding: Finding) -> Weight:
        """Return the weight of one of them for the verdict."""
        if finding in self.waived:
            return Weight.NAMED
        if finding not in self.inherited:
            return Weight.BLOCKS
        is_package = finding.kind is FindingKind.VULNERABILITY
        return Weight.INHERITED if is_package else Weight.NAMED


def _count(
    rule: ScanRule, image: Image, scan: Scan, budgets: Budgets, today: date, main: Baseline | None
) -> Counted:
    check, subject, known = f"image.{rule.name}", subject_of(image), known_of(image, main)
    last: dict[str, Waiver] = {}  # by finding, of several waivers the one that ends last
    for waiver in sorted(budgets.waivers, key=lambda waiver: waiver.expires):
        if waiver.id and waiver.check == check and waiver.subject in (None, subject):
            last[waiver.id] = waiver
    findings = filter(rule.counts, scan.findings)
    counted = tuple(sorted(findings, key=lambda finding: -finding.severity.rank))
    named = {finding: last[finding.id] for finding in counted if finding.id in last}
    return Counted(
        all=counted,
        waived={finding: waiver for finding, waiver in named.items() if waiver.expires >= today},
        expired=tuple(dict.fromkeys(waiver for waiver in named.values() if waiver.expires < today)),
        inherited=frozenset(filter(known.has, counted) if known else ()),
    )


def check_scan(case: Case) -> Iterator[Check]:
    """Yield a check of each image for each kind that has a limit."""
    for image in () if isinstance(case.images, Missing) else case.images.images:
        for rule in rules_of(case.budgets):
            missing, _ = _missing(image.scan, rule.kind)
            if isinstance(missing, Unknown):
                failed = f"the image of {subject_of(image)} could not be scanned for {rule.name}"
                message = f"{failed}: {plain(missing.reason)}"
                yield _check(rule, image, missing, rule.unknown, message)
            elif isinstance(image.scan, Scan) and missing is None:
                counted = _count(rule, image, image.scan, case.budgets, case.today, case.main)
                yield _judge(rule, image, image.scan, counted, case.today)


def weigh_findings(
    budgets: Budgets, image: Image, *, today: date, main: Baseline | None
) -> dict[Finding, Weight]:
    """Return the weight of each finding that a check counts."""
    weights: dict[Finding, Weight] = {}
    if isinstance(image.scan, Missing):
        return weights
    for rule in rules_of(budgets):
        counted = _count(rule, image, image.scan, budgets, today, main)
        weights |= {finding: counted.weight(finding) for finding in counted.all}
    return weights


def scan_notes(case: Case) -> Iterator[str]:
    """Yield scans that are missing although a limit is set, once for the stack."""
    images = () if isinstance(case.images, Missing) else case.images.images
    for rule in rules_of(case.budgets):
        both = [_missing(image.scan, rule.kind) for image in images if not rule.is_default]
        for index, what in enumerate((rule.name, f"{rule.name} of {JAVA}")):
            gaps = (pair[index] for pair in both)
            for reason in dict.fromkeys(gap.reason for gap in gaps if isinstance(gap, Skipped)):
                yield f"images were not scanned for {what}: {plain(reason)} ({rule.where})"


def _missing(scan: Scan | Missing, kind: FindingKind) -> tuple[Missing | None, Missing | None]:
    """Return why this kind was not scanned, and why Java archives were not."""
    if isinstance(scan, Missing):
        return scan, None
    if kind is not FindingKind.VULNERABILITY:
        return None, None
    database, java = scan.database, scan.java_database
    return None if isinstance(database, str) else database, None if isinstance(java, str) else java


def _judge(rule: ScanRule, image: Image, scan: Scan, counted: Counted, today: date) -> Check:
    state, remarks, waived = _state(rule, counted)
    parts = [f"the image of {subject_of(image)} has {_describe(rule, counted)}", *remarks]
    if rule.kind is FindingKind.VULNERABILITY:
        parts.append(f"database of {_age(str(scan.database), today)}")
    _, java = _missing(scan, rule.kind)
    if java:
        parts.append(f"{JAVA} not scanned: {plain(java.reason)}")
    if isinstance(java, Unknown) and state is not State.NO_GO:
        state, waived = rule.unknown, ()
    return replace(
        _check(rule, image, count_findings(counted.all), state, "; ".join(parts)),
        findings=tuple(map(describe_finding, counted.all)),
        waived="; ".join(describe_terms(waiver, today) for waiver in waived),
    )


def _check(rule: ScanRule, image: Image, value: int | Missing, state: State, message: str) -> Check:
    id_, subject = f"image.{rule.name}", subject_of(image)
    return make_check(id_, subject, value, rule.limit, state, message, rule.where)


def _age(database: str, today: date) -> str:
    """Return such as "2026-11-20 (4 days old)"."""
    created = plain(database)[:DATE_LENGTH]
    try:
        days = (today - date.fromisoformat(created)).days
    except ValueError:
        return created
    return f"{created} ({days:,} day{'' if days == 1 else 's'} old)" if days > 0 else created


def _state(rule: ScanRule, counted: Counted) -> tuple[State, list[str], tuple[Waiver, ...]]:
    """Return the state, its reasons, and the waivers without which it would be worse."""
    count = count_findings(counted.all)
    if count <= rule.limit:
        return State.GO, [], ()
    remarks = [f"{len(counted.waived):,} of them waived"] if counted.waived else []
    if count - len(counted.waived) <= rule.limit:
        return State.WARN, remarks, tuple(dict.fromkeys(counted.waived.values()))
    remarks += [
        f"the waiver of {plain(waiver.id or '')} expired on {waiver.expires}"
        for waiver in counted.expired
    ]
    if not counted.introduced:
        return State.WARN, [*remarks, "inherited: the baseline has the same"], ()
    if counted.inherited:
        remarks.append(f"{count_findings(counted.introduced):,} of them new")
    return State.WARN if rule.is_default else State.NO_GO, remarks, ()


def _describe(rule: ScanRule, counted: Counted) -> str:
    count = count_findings(counted.all)
    if count <= rule.limit:
        return rule.describe(count)
    allowed = f"at most {rule.limit:,} allowed" if rule.limit else "none allowed"
    listed = counted.introduced or counted.all
    shown = [
        f"{describe_finding(finding)} (fixed in {plain(finding.fixed)})"
        if finding.id and finding.fixed
        else describe_finding(finding)
        for finding in listed[:SHOWN]
    ]
    first = format_list(shown, SHOWN, rest=count_findings(listed[SHOWN:]))
    return f"{rule.describe(count)}, {allowed}: {first}"
