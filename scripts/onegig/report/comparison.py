"""A report beside its baseline: looked up by check and by service, and in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.report import Change, Comparison, Delta, Report, ServiceDelta
from onegig.model.verdict import Check
from onegig.report import numbers
from onegig.text import format_list

VISIBLE = 1000**2  # bytes of growth that are worth a word
DIFFERENCES = 5  # that are named
Key = tuple[str, str]  # a check's id and subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Grown:
    """A service that takes more than before; `before` is None for a new one. In bytes."""

    name: str
    before: int | None
    now: int


def comparison(report: Report) -> Comparison | None:
    """Return what the report is compared with, or None if there is nothing."""
    result = report.review.comparison if report.review else None
    return result if isinstance(result, Comparison) else None


def branch(report: Report) -> str:
    """Return the branch compared with."""
    return report.review.base_branch if report.review else ""


def deltas(report: Report) -> Mapping[Key, Delta]:
    """Return every compared check."""
    compared = comparison(report)
    return {(delta.id, delta.subject): delta for delta in compared.deltas} if compared else {}


def inherited(report: Report) -> frozenset[Key]:
    """Return the checks that fail now and failed before; of several of one name, all must have."""
    compared = comparison(report)
    fates = [((d.id, d.subject), d.inherited) for d in compared.deltas] if compared else []
    return frozenset(key for key, old in fates if old) - {key for key, old in fates if not old}


def all_inherited(report: Report) -> str:
    """Return the sentence for a report in which all that fails is inherited; "" for others."""
    state, old = report.verdict.state, inherited(report)
    keys = [(check.id, check.subject) for check in report.verdict.checks if check.state is state]
    if not state.noun or not keys or not old.issuperset(keys):
        return ""
    return f"Every {state.noun} is inherited: {branch(report)} has it, too. This change adds none."


def check_cell(check: Check, deltas: Mapping[Key, Delta]) -> str:
    """Return how a check differs: "+12 MB", "same", "new", or a dash if that is not known."""
    delta = deltas.get((check.id, check.subject))
    if delta is None or isinstance(check.value, Missing):
        return numbers.DASH
    if delta.change is Change.NEW:
        return "new"
    if isinstance(delta.before, Missing):
        return numbers.DASH
    return (
        numbers.SAME if delta.change is Change.SAME else numbers.check_change(check, delta.before)
    )


def known_remarks(report: Report) -> Mapping[Key, int | Missing]:
    """Return how often the baseline had each remark, by Dockerfile and text."""
    compared = comparison(report)
    if compared is None or isinstance(compared.remarks, Missing):
        return {}
    return {(remark.path, remark.summary): remark.before for remark in compared.remarks}


def changed_services(report: Report) -> tuple[ServiceDelta, ...]:
    """Return new, removed and visibly changed services, the largest growth first."""
    services = compared.services if (compared := comparison(report)) else ()
    return tuple(delta for delta in services if delta.change is not Change.SAME)


def count_changes(services: tuple[ServiceDelta, ...]) -> str:
    """Return the number of changes by kind: "2 changed, 1 new"."""
    counts = ((kind, sum(delta.change is kind for delta in services)) for kind in Change)
    order = sorted(counts, key=lambda pair: pair[0] is not Change.CHANGED)
    return ", ".join(f"{count:,} {kind.value}" for kind, count in order if count)


def grown(report: Report, what: Literal["memory", "image"]) -> tuple[Grown, ...]:
    """Return new and visibly larger services, the largest growth first."""
    sizes = (
        (delta, getattr(delta, f"{what}_before"), getattr(delta, f"{what}_now"))
        for delta in changed_services(report)
    )
    services = [
        Grown(name=delta.name, before=before if isinstance(before, int) else None, now=now)
        for delta, before, now in sizes
        if isinstance(now, int) and (isinstance(before, int) or delta.change is Change.NEW)
    ]
    growth = {service: service.now - (service.before or 0) for service in services}
    most_first = sorted(services, key=lambda service: (-growth[service], service.name))
    return tuple(service for service in most_first if growth[service] >= VISIBLE)


def compared_line(report: Report) -> str:
    """Return the line about the commit compared with, and how far the branch is behind."""
    review = report.review
    if review is None:
        return ""
    base = f"{review.base_branch}{f' at {review.base_sha[:10]}' if review.base_sha else ''}"
    merged = bool(review.base_sha) and report.commit not in ("", review.head_sha)
    parts = [f"merged into {base}"] if merged else []
    compared = comparison(report)
    if compared and not _is_empty(report):
        behind = f"{numbers.plural(compared.behind, 'commit')} behind "
        back = f"the baseline of {compared.commit[:10]}, {behind}" if compared.behind else ""
        parts.append(f"compared with {back}{'it' if merged else base}")
    behind_text = ""
    if isinstance(review.branch_behind, Unknown):
        reason = review.branch_behind.reason
        behind_text = f"how far this branch is behind {review.base_branch} is not known: {reason}"
    elif not isinstance(review.branch_behind, Skipped) and review.branch_behind:
        commits = numbers.plural(review.branch_behind, "commit")
        behind_text = f"this branch is {commits} behind {review.base_branch}"
    return numbers.joined(" and ".join(parts), behind_text)


def differences_line(report: Report) -> str:
    """Return the line about other differences from the baseline."""
    compared = comparison(report)
    if compared is None or not compared.differences or _is_empty(report):
        return ""
    differences = format_list(compared.differences, DIFFERENCES, separator="; ")
    return f"differs from the baseline: {differences}"


def _is_empty(report: Report) -> bool:
    return isinstance(report.memory, Missing) and isinstance(report.images, Missing)
