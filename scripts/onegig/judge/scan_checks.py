"""What trivy found in an image, judged by `scan` of budgets.yml.

A limit that the user wrote blocks when it is passed; a default only warns. What the baseline's
image has, too, is inherited and never blocks. What was not looked for is never "none": where it was
left out (no trivy, no database) there is no check; the report says "not scanned", and where a limit
is written a note does. Where a scan failed, a written limit is INCOMPLETE and a default warns. Java
archives, which need a database of their own, are a part of the image's vulnerabilities: the check
that counts the others says that they were not scanned.

The limits of `scan` in budgets.yml, one for each kind of findings.

Which findings of a scan a limit counts, and which of those are let pass.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from onegig.judge.waivers import FindingWaivers, terms
from onegig.judge.waterfall import Known, known_of, told
from onegig.model.budgets import Budgets, ScanBudget, Waiver
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, Unit
from onegig.text import format_list, plain

RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanRule:
    """The limit of one kind of findings."""

    kind: FindingKind
    name: str
    noun: str
    limit: int
    policy: ScanBudget
    where: str

    @property
    def id(self) -> str:
        """The check's."""
        return f"image.{self.name}"

    @property
    def is_default(self) -> bool:
        """Whether nobody wrote it."""
        return self.where == "default"

    def counts(self, finding: Finding) -> bool:
        """Whether a finding is of its kind and grave enough."""
        if finding.kind is not self.kind:
            return False
        if self.policy.ignore_unfixed and self._is_vulnerabilities and not finding.fixed:
            return False
        return RANKS[finding.severity] >= RANKS[self.policy.severity]

    def words(self, count: int) -> str:
        """Such as "3 fixable vulnerabilities of severity HIGH or above"."""
        fixable = "fixable " if self._is_vulnerabilities and self.policy.ignore_unfixed else ""
        grave = self.policy.severity.value
        above = "" if self.policy.severity is Severity.CRITICAL else " or above"
        number = f"{count:,}" if count else "no"
        noun = self.name if count > 1 else self.noun
        return f"{number} {fixable}{noun} of severity {grave}{above}"

    @property
    def _is_vulnerabilities(self) -> bool:
        return self.kind is FindingKind.VULNERABILITY


def rules_of(budgets: Budgets) -> Iterator[ScanRule]:
    """Those that have a limit, written or by default."""
    scan = budgets.scan
    for kind, name, noun, limit in (
        (FindingKind.SECRET, "secrets", "secret", scan.secrets),
        (FindingKind.VULNERABILITY, "vulnerabilities", "vulnerability", scan.vulnerabilities),
        (
            FindingKind.MISCONFIGURATION,
            "misconfigurations",
            "misconfiguration",
            scan.misconfigurations,
        ),
    ):
        if limit is not None:
            where = budgets.where(f"scan.{name}")
            yield ScanRule(kind=kind, name=name, noun=noun, limit=limit, policy=scan, where=where)


class Weight(IntEnum):
    """What a finding that a limit counts is to the verdict, and what must be known of it first."""

    NAMED = 0  # let pass by its name: waived, or a secret or misconfiguration of the baseline's
    BLOCKS = 1
    INHERITED = 2  # let pass because the baseline has its package


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What counts in one image, the gravest first, and what of it is let pass.

    Of what a report had no room for that is inherited of which all is known that it takes; nothing
    of it is waived.
    """

    all: tuple[Finding, ...]
    waived: dict[Finding, Waiver]
    expired: tuple[Waiver, ...]
    inherited: frozenset[Finding]

    @property
    def count(self) -> int:
        """How many there are."""
        return how_many(self.all)

    @property
    def unwaived_count(self) -> int:
        """How many of them no waiver lets pass."""
        return self.count - len(self.waived)

    @property
    def introduced(self) -> tuple[Finding, ...]:
        """Those of them that the baseline does not have."""
        let_pass = {*self.waived, *self.inherited}
        return tuple(one for one in self.all if one not in let_pass)

    def weight(self, one: Finding) -> Weight:
        """What one of them is to the verdict."""
        if one in self.waived:
            return Weight.NAMED
        if one not in self.inherited:
            return Weight.BLOCKS
        is_package = one.kind is FindingKind.VULNERABILITY
        return Weight.INHERITED if is_package else Weight.NAMED


def count(rule: ScanRule, scan: Scan, waivers: FindingWaivers, known: Known | Missing) -> Counted:
    """What the rule counts; `known` is what the baseline's image has."""
    counted = sorted(filter(rule.counts, scan.findings), key=lambda one: -RANKS[one.severity])
    inherited = () if isinstance(known, Missing) else filter(known.has, counted)
    named = [one for one in counted if one.id]
    in_force = {one: waivers.in_force(one.id) for one in named}
    expired = dict.fromkeys(waivers.expired(one.id) for one in named)
    return Counted(
        all=tuple(counted),
        waived={one: waiver for one, waiver in in_force.items() if waiver},
        expired=tuple(waiver for waiver in expired if waiver),
        inherited=frozenset(inherited),
    )


def how_many(found: Iterable[Finding]) -> int:
    """Those that were left out are several each."""
    return sum(one.count for one in found)


SHOWN = 2  # findings in a message
JAVA = "Java archives"
_DATE_LENGTH = len("2026-11-24")


def check_scan(
    budgets: Budgets, image: Image, *, today: date, main: Baseline | None
) -> Iterator[Check]:
    """A check for each kind that has a limit; `main` is the baseline of what it is on top of."""
    subject = _subject(image)
    known = known_of(image, main)
    for rule in rules_of(budgets):
        missing = _missing(image.scan, rule.kind)
        if isinstance(image.scan, Scan) and missing is None:
            waivers = FindingWaivers(budgets.waivers, rule.id, subject, today)
            found = count(rule, image.scan, waivers, known)
            yield _judged(rule, subject, found, image.scan, today)
        elif isinstance(missing, Unknown):
            yield _gap(rule, subject, missing)


def weigh_findings(
    budgets: Budgets, image: Image, *, today: date, main: Baseline | None
) -> dict[Finding, Weight]:
    """What each finding of an image is to the checks; those that none counts are not in it."""
    weights: dict[Finding, Weight] = {}
    if isinstance(image.scan, Missing):
        return weights
    for rule in rules_of(budgets):
        waivers = FindingWaivers(budgets.waivers, rule.id, _subject(image), today)
        found = count(rule, image.scan, waivers, known_of(image, main))
        weights |= {one: found.weight(one) for one in found.all}
    return weights


def scan_notes(budgets: Budgets, images: ImagesReport) -> Iterator[str]:
    """What was left out though a limit is written, once for the stack."""
    for rule in rules_of(budgets):
        reasons = [_missing(image.scan, rule.kind) for image in images.images]
        parts = [_missing_part(image.scan, rule.kind) for image in images.images]
        for what, missing in ((rule.name, reasons), (f"{rule.name} of {JAVA}", parts)):
            left_out = dict.fromkeys(one.reason for one in missing if isinstance(one, Skipped))
            for reason in left_out if not rule.is_default else ():
                yield f"images were not scanned for {what}: {plain(reason)} ({rule.where})"


def _subject(image: Image) -> str:
    return image.services[0] if len(image.services) == 1 else image.reference


def _missing(scan: Scan | Missing, kind: FindingKind) -> Missing | None:
    """Why findings of that kind were not looked for; None where they were."""
    if isinstance(scan, Missing):
        return scan
    if kind is FindingKind.VULNERABILITY and isinstance(scan.database, Missing):
        return scan.database
    return None


def _missing_part(scan: Scan | Missing, kind: FindingKind) -> Missing | None:
    """Why findings of that kind were not looked for in Java archives; None where they were."""
    if isinstance(scan, Missing) or kind is not FindingKind.VULNERABILITY:
        return None
    return scan.java_database if isinstance(scan.java_database, Missing) else None


def _judged(rule: ScanRule, subject: str, found: Counted, scan: Scan, today: date) -> Check:
    state, remarks, waived = _state(rule, found)
    parts = [f"the image of {subject} has {_words(rule, found)}", *remarks]
    if rule.kind is FindingKind.VULNERABILITY:
        parts.append(f"database of {_age(str(scan.database), today)}")
    part = _missing_part(scan, rule.kind)
    if part:
        parts.append(f"{JAVA} not scanned: {plain(part.reason)}")
    if isinstance(part, Unknown) and state is not State.NO_GO:
        state, waived = _unknown(rule), ()
    return _check(
        rule,
        subject,
        value=found.count,
        state=state,
        message="; ".join(parts),
        findings=tuple(told(one) for one in found.all),
        waived="; ".join(terms(one, today) for one in waived),
    )


def _age(database: str, today: date) -> str:
    """Such as "2026-11-20 (4 days old)"."""
    made = plain(database)[:_DATE_LENGTH]
    try:
        days = (today - date.fromisoformat(made)).days
    except ValueError:
        return made
    return f"{made} ({days:,} day{'' if days == 1 else 's'} old)" if days > 0 else made


def _state(rule: ScanRule, found: Counted) -> tuple[State, list[str], tuple[Waiver, ...]]:
    """The state, what it is due to, and the waivers without which it would be worse."""
    if found.count <= rule.limit:
        return State.GO, [], ()
    remarks = [f"{len(found.waived):,} of them waived"] if found.waived else []
    if found.unwaived_count <= rule.limit:
        return State.WARN, remarks, tuple(dict.fromkeys(found.waived.values()))
    remarks += [
        f"the waiver of {plain(one.id or '')} expired on {one.expires}" for one in found.expired
    ]
    if not found.introduced:
        return State.WARN, [*remarks, "inherited: the baseline has the same"], ()
    if found.inherited:
        remarks.append(f"{how_many(found.introduced):,} of them new")
    return State.WARN if rule.is_default else State.NO_GO, remarks, ()


def _words(rule: ScanRule, found: Counted) -> str:
    """How many, how many may be, and the first ones to look at: those that block."""
    text = rule.words(found.count)
    if found.count <= rule.limit:
        return text
    allowed = f"at most {rule.limit:,} allowed" if rule.limit else "none allowed"
    listed = found.introduced or found.all
    shown = format_list([_shown(one) for one in listed], SHOWN, rest=how_many(listed[SHOWN:]))
    return f"{text}, {allowed}: {shown}"


def _shown(finding: Finding) -> str:
    if not finding.id or not finding.fixed:
        return told(finding)
    return f"{told(finding)} (mended in {plain(finding.fixed)})"


def _gap(rule: ScanRule, subject: str, missing: Unknown) -> Check:
    message = f"the image of {subject} could not be scanned for {rule.name}"
    message = f"{message}: {plain(missing.reason)}"
    return _check(rule, subject, value=missing, state=_unknown(rule), message=message)


def _unknown(rule: ScanRule) -> State:
    return State.WARN if rule.is_default else State.INCOMPLETE


def _check(
    rule: ScanRule,
    subject: str,
    *,
    value: int | Missing,
    state: State,
    message: str,
    findings: tuple[str, ...] = (),
    waived: str = "",
) -> Check:
    return Check(
        id=rule.id,
        subject=subject,
        title=f"{rule.name.capitalize()} of {subject}",
        unit=Unit.COUNT,
        value=value,
        limit=rule.limit,
        state=state,
        message=message,
        where=rule.where,
        findings=findings,
        waived=waived,
    )
