"""A report beside its baseline: looked up by check and by service, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onegig.model.measured import Missing
from onegig.model.report import Change, Comparison, Delta, Report, ServiceDelta
from onegig.model.verdict import Check
from onegig.report import words

VISIBLE = 1000**2  # bytes of growth that are worth a word
Key = tuple[str, str]  # a check's id and subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Grown:
    """A service that takes more than before; `before` is None for a new one. In bytes."""

    name: str
    before: int | None
    now: int

    @property
    def by(self) -> int:
        """How much more."""
        return self.now - (self.before or 0)


def comparison(report: Report) -> Comparison | None:
    """What the report is compared with; None where there is nothing."""
    found = report.review.comparison if report.review else None
    return found if isinstance(found, Comparison) else None


def branch(report: Report) -> str:
    """The branch compared with."""
    return report.review.base_branch if report.review else ""


def deltas(report: Report) -> Mapping[Key, Delta]:
    """Every compared check."""
    found = comparison(report)
    return {(one.id, one.subject): one for one in found.deltas} if found else {}


def inherited(report: Report) -> frozenset[Key]:
    """The checks that fail now and failed before; of several of one name, all must have."""
    found = comparison(report)
    told = [((one.id, one.subject), one.inherited) for one in found.deltas] if found else []
    return frozenset(key for key, old in told if old) - {key for key, old in told if not old}


def nothing_added(report: Report) -> str:
    """Said where all that fails is inherited; empty otherwise."""
    noun, old = report.verdict.state.noun, inherited(report)
    found = [check for check in report.verdict.checks if check.state is report.verdict.state]
    if not noun or not found or any((one.id, one.subject) not in old for one in found):
        return ""
    return f"Every {noun} is inherited: {branch(report)} has the same. This change adds none."


def check_cell(check: Check, found: Mapping[Key, Delta]) -> str:
    """How a check's value differs: "+12 MB", "same", "new", or a dash where that is not known."""
    delta = found.get((check.id, check.subject))
    if delta is None or isinstance(check.value, Missing):
        return words.DASH
    if delta.change is Change.NEW:
        return "new"
    if isinstance(delta.before, Missing):
        return words.DASH
    return words.SAME if delta.change is Change.SAME else words.check_change(check, delta.before)


def remarks(report: Report) -> Mapping[Key, int | Missing]:
    """How often the baseline had each remark, by Dockerfile and `Remark.told`."""
    found = comparison(report)
    if found is None or isinstance(found.remarks, Missing):
        return {}
    return {(one.path, one.told): one.before for one in found.remarks}


def services(report: Report) -> tuple[ServiceDelta, ...]:
    """The services that are new, gone or changed by more than noise; what grew most first."""
    found = comparison(report)
    return tuple(one for one in found.services if one.change is not Change.SAME) if found else ()


def counted(found: tuple[ServiceDelta, ...]) -> str:
    """How many changed in which way, as "2 changed, 1 new"."""
    counts = ((kind, sum(one.change is kind for one in found)) for kind in Change)
    order = sorted(counts, key=lambda pair: pair[0] is not Change.CHANGED)
    return ", ".join(f"{count:,} {kind.value}" for kind, count in order if count)


def grown_memory(report: Report) -> tuple[Grown, ...]:
    """Services that take visibly more memory than before, and new ones; the most first."""
    return _grown((one, one.memory_before, one.memory_now) for one in services(report))


def grown_images(report: Report) -> tuple[Grown, ...]:
    """Services whose image is visibly larger than before, and new ones; the most first."""
    return _grown((one, one.image_before, one.image_now) for one in services(report))


def _grown(
    found: Iterable[tuple[ServiceDelta, int | Missing, int | Missing]],
) -> tuple[Grown, ...]:
    grown = [
        Grown(name=one.name, before=before if isinstance(before, int) else None, now=now)
        for one, before, now in found
        if isinstance(now, int) and (isinstance(before, int) or one.change is Change.NEW)
    ]
    most_first = sorted(grown, key=lambda one: (-one.by, one.name))
    return tuple(one for one in most_first if one.by >= VISIBLE)
