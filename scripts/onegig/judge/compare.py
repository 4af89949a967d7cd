"""A report beside a baseline: what changed, what is new, what failed before.

Changes smaller than the noise floor (`noise`) are none. What can't be compared, because it was
measured in another way or on one side only, is CHANGED with the reason and never inherited.

Each service beside the baseline: new, removed, grown, shrunk.

Findings of a scan beside a baseline: one by one, not by how many there are.

trivy's database knows more of the same packages every day: a higher count is no sign of a change.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from onegig.judge.baseline import service_numbers
from onegig.judge.differences import differences, missing_half, other_total
from onegig.judge.growth_checks import GROWTH_IDS
from onegig.judge.noise import differs
from onegig.judge.notes import compare_remarks
from onegig.judge.scan_checks import how_many
from onegig.judge.waterfall import Known, known_of, told
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.report import Change, Comparison, Delta, Report, ServiceDelta
from onegig.model.scan import Scan
from onegig.model.state import State
from onegig.model.verdict import Baseline, Check, PastCheck, ServiceNumbers, Unit

NEW = Skipped(reason="not in the baseline")
REMOVED = Skipped(reason="no longer in the stack")


def compare_services(report: Report, baseline: Baseline) -> tuple[ServiceDelta, ...]:
    """Return those that changed first, and of these the one that grew most; a renamed one is two.

    A run in which nothing was measured knows of no services: none of them is new or removed.
    """
    now = {one.name: one for one in service_numbers(report, {})}
    before = {one.name: one for one in baseline.services}
    if not now or not before:
        return ()
    deltas = [*_present(now, before, report, baseline)]
    deltas += [_removed(one) for name, one in before.items() if name not in now]
    return tuple(sorted(deltas, key=lambda one: (one.change is Change.SAME, -_growth(one))))


def _present(
    now: dict[str, ServiceNumbers],
    before: dict[str, ServiceNumbers],
    report: Report,
    baseline: Baseline,
) -> Iterator[ServiceDelta]:
    metric = report.verdict.metric
    other = other_total(baseline, metric, report.verdict.limit_bytes) or NEW
    for name, one in now.items():
        old = before.get(name)
        was = NEW if old is None else old.memory_bytes if baseline.metric == metric else other
        image_was = NEW if old is None else old.image_bytes
        grown = _differ(Unit.MEMORY, one.memory_bytes, was)
        grown |= _differ(Unit.STORAGE, one.image_bytes, image_was)
        yield ServiceDelta(
            name=name,
            change=Change.NEW if old is None else Change.CHANGED if grown else Change.SAME,
            memory_before=was,
            memory_now=one.memory_bytes,
            image_before=image_was,
            image_now=one.image_bytes,
        )


def _removed(old: ServiceNumbers) -> ServiceDelta:
    return ServiceDelta(
        name=old.name,
        change=Change.REMOVED,
        memory_before=old.memory_bytes,
        memory_now=REMOVED,
        image_before=old.image_bytes,
        image_now=REMOVED,
    )


def _differ(unit: Unit, now: int | Missing, before: int | Missing) -> bool:
    """Tell whether two values differ; one that is not known is no change."""
    if isinstance(now, Missing) or isinstance(before, Missing):
        return False
    return differs(unit, now, before)


def _growth(delta: ServiceDelta) -> int:
    """In memory; what is new has grown from nothing."""
    now, before = delta.memory_now, delta.memory_before
    return (now if isinstance(now, int) else 0) - (before if isinstance(before, int) else 0)


SCANS = ("image.secrets", "image.vulnerabilities", "image.misconfigurations")
NOT_COUNTED = Skipped(reason="the baseline did not count them")


def scan_delta(
    check: Check, mark: PastCheck | None, report: Report, baseline: Baseline
) -> Delta | None:
    """The delta of a check that counted findings; None for every other check.

    Nothing is inherited where the baseline does not know what was in the image.
    """
    image = _image(check, report)
    if check.id not in SCANS or image is None or not isinstance(image.scan, Scan):
        return None
    if isinstance(check.value, Missing):
        return None
    known = known_of(image, baseline)
    if mark is None and isinstance(known, Missing):
        return None
    new = None if isinstance(known, Missing) else _introduced(check, image.scan, known)
    return Delta(
        id=check.id,
        subject=check.subject,
        change=Change.NEW if mark is None else Change.CHANGED if new != 0 else Change.SAME,
        before=mark.value if mark else NOT_COUNTED,
        inherited=check.state is not State.GO and new == 0,
    )


def _image(check: Check, report: Report) -> Image | None:
    images = report.images.images if isinstance(report.images, ImagesReport) else ()
    found = (one for one in images if check.subject in (one.reference, *one.services))
    return next(found, None)


def _introduced(check: Check, scan: Scan, known: Known) -> int:
    """How many of the findings that count are not in the baseline."""
    counted = set(check.findings)
    found = (one for one in scan.findings if told(one) in counted)
    return how_many(one for one in found if not known.has(one))


NOT_THERE = Skipped(reason="not in the baseline")
IS_COMPARISON = Skipped(reason="is a comparison with the baseline itself")

_TOTALS = ("memory.total", "memory.tier")
_Line = TypeVar("_Line", Check, PastCheck)


def compare(report: Report, baseline: Baseline, behind: int) -> Comparison:
    """Return the report beside the baseline, which is `behind` commits older than it should be."""
    return Comparison(
        commit=baseline.commit,
        created=baseline.created,
        behind=behind,
        state=baseline.state,
        total_bytes=_other_total(report, baseline) or baseline.total_bytes,
        deltas=(*_deltas(report, baseline), *_removed_compare(report, baseline)),
        services=compare_services(report, baseline),
        differences=differences(report, baseline),
        remarks=compare_remarks(report, baseline),
    )


def _deltas(report: Report, baseline: Baseline) -> Iterator[Delta]:
    """One for every check of the report, in its order."""
    marks = dict(_numbered(baseline.marks))
    for key, check in _numbered(report.verdict.checks):
        mark = marks.get(key)
        found = scan_delta(check, mark, report, baseline)
        if found is None:
            found = _delta(check, mark, report, baseline) if mark else _new(check, baseline)
        yield found


def _delta(check: Check, mark: PastCheck, report: Report, baseline: Baseline) -> Delta:
    other = _incomparable(check, mark, report, baseline)
    return Delta(
        id=check.id,
        subject=check.subject,
        change=_change(check, mark) if other is None else Change.CHANGED,
        before=mark.value if other is None else other,
        inherited=other is None and _inherited(check, mark),
    )


def _new(check: Check, baseline: Baseline) -> Delta:
    """Return a check without a mark: new, unless the baseline's run did not get as far."""
    gap = missing_half(check.id, baseline.marks)
    if gap is None and check.id in GROWTH_IDS:
        gap = IS_COMPARISON
    return Delta(
        id=check.id,
        subject=check.subject,
        change=Change.SAME if gap else Change.NEW,
        before=gap or NOT_THERE,
    )


def _removed_compare(report: Report, baseline: Baseline) -> Iterator[Delta]:
    """One for every mark without a check, unless the report's run did not get as far."""
    found = {key for key, _ in _numbered(report.verdict.checks)}
    for key, mark in _numbered(baseline.marks):
        if key not in found and not missing_half(mark.id, report.verdict.checks):
            yield Delta(id=mark.id, subject=mark.subject, change=Change.REMOVED, before=mark.value)


def _numbered(lines: Sequence[_Line]) -> Iterator[tuple[tuple[str, str, int], _Line]]:
    """Each with its id and subject, and which of several of that name it is."""
    seen: Counter[tuple[str, str]] = Counter()
    for line in lines:
        name = (line.id, line.subject)
        yield (line.id, line.subject, seen[name]), line
        seen[name] += 1


def _other_total(report: Report, baseline: Baseline) -> Skipped | None:
    """Say why the two totals are not of one kind."""
    now = report.verdict
    return other_total(baseline, now.metric, now.limit_bytes)


def _incomparable(
    check: Check, mark: PastCheck, report: Report, baseline: Baseline
) -> Skipped | None:
    """Say why a check's value is of another kind than the mark's."""
    if check.id in _TOTALS:
        other = _other_total(report, baseline)
        if other is None and check.id == "memory.tier" and check.limit != mark.limit:
            return Skipped(reason="the baseline was judged for another machine")
        return other
    if check.id == "service.memory" and baseline.metric != report.verdict.metric:
        return _other_total(report, baseline)
    return None


def _change(check: Check, mark: PastCheck) -> Change:
    """Compare the values, but of counts only the state: how often varies from run to run."""
    now, before = check.value, mark.value
    if check.unit is Unit.COUNT:
        changed = check.state is not mark.state
    elif isinstance(now, Missing) or isinstance(before, Missing):
        changed = isinstance(now, Missing) is not isinstance(before, Missing)
    else:
        changed = differs(check.unit, now, before)
    return Change.CHANGED if changed else Change.SAME


def _inherited(check: Check, mark: PastCheck) -> bool:
    """Tell whether a failure was there before, at least as bad as it is now but for noise."""
    if check.state is State.GO or not _failed(check, mark):
        return False
    now, before = check.value, mark.value
    if isinstance(now, Missing) or isinstance(before, Missing):
        return isinstance(now, Missing) and isinstance(before, Missing)
    worse = now > before if check.at_most else now < before
    return not worse or check.unit is Unit.COUNT or not differs(check.unit, now, before)


def _failed(check: Check, mark: PastCheck) -> bool:
    """As the baseline was judged then, or as it would be judged by what holds now.

    The second covers limits that were tightened and waivers that have expired since.
    """
    if mark.state.rank >= check.state.rank:
        return True
    if check.unit is Unit.COUNT or check.limit is None or isinstance(mark.value, Missing):
        return False
    return mark.value > check.limit if check.at_most else mark.value < check.limit
