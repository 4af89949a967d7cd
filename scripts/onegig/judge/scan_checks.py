"""What trivy found in an image, judged by `scan` of budgets.yml.

A limit that the user wrote blocks when it is passed; a default only warns. What the baseline's
image has, too, is inherited and never blocks. What was not looked for is never "none": where it was
left out (no trivy, no database) there is no check; the report says "not scanned", and where a limit
is written a note does. Where a scan failed, a written limit is INCOMPLETE and a default warns. Java
archives, which need a database of their own, are a part of the image's vulnerabilities: the check
that counts the others says that they were not scanned.
"""

from collections.abc import Iterator
from datetime import date

from onegig.judge.contents import known_of, told
from onegig.judge.finding_waivers import FindingWaivers
from onegig.judge.scan_findings import Counted, Weight, count, how_many
from onegig.judge.scan_rules import ScanRule, rules_of
from onegig.judge.waivers import terms
from onegig.judge.words import one_line
from onegig.model.baseline import Baseline
from onegig.model.budgets import Budgets, Waiver
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Finding, FindingKind, LeftOut, Scan
from onegig.model.verdict import Check, State, Unit

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
        weights |= {one: found.weight(one) for one in found.all if isinstance(one, Finding)}
    return weights


def scan_notes(budgets: Budgets, images: ImagesReport) -> Iterator[str]:
    """What was left out though a limit is written, once for the stack."""
    for rule in rules_of(budgets):
        reasons = [_missing(image.scan, rule.kind) for image in images.images]
        parts = [_missing_part(image.scan, rule.kind) for image in images.images]
        for what, missing in ((rule.name, reasons), (f"{rule.name} of {JAVA}", parts)):
            left_out = dict.fromkeys(one.reason for one in missing if isinstance(one, Skipped))
            for reason in left_out if not rule.is_default else ():
                yield f"images were not scanned for {what}: {one_line(reason)} ({rule.where})"


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
        parts.append(f"{JAVA} not scanned: {one_line(part.reason)}")
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
    made = one_line(database)[:_DATE_LENGTH]
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
        f"the waiver of {one_line(one.id or '')} expired on {one.expires}" for one in found.expired
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
    shown = [_shown(one) for one in listed[:SHOWN]]
    more = f" and {how_many(listed[SHOWN:]):,} more" if len(listed) > SHOWN else ""
    return f"{text}, {allowed}: {', '.join(shown)}{more}"


def _shown(finding: Finding | LeftOut) -> str:
    if isinstance(finding, LeftOut) or not finding.fixed:
        return told(finding)
    return f"{told(finding)} (mended in {one_line(finding.fixed)})"


def _gap(rule: ScanRule, subject: str, missing: Unknown) -> Check:
    message = f"the image of {subject} could not be scanned for {rule.name}"
    message = f"{message}: {one_line(missing.reason)}"
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
