"""A report beside a baseline: what changed, what is new, what failed before.

Changes smaller than the noise floor (`noise`) are none. What can't be compared, because it was
measured in another way or on one side only, is CHANGED with the reason and never inherited.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from onegig.judge.comparable import other_total
from onegig.judge.differences import differences
from onegig.judge.growth_checks import GROWTH_IDS
from onegig.judge.halves import missing_half
from onegig.judge.noise import differs
from onegig.judge.remarks import compare_remarks
from onegig.judge.scan_deltas import scan_delta
from onegig.judge.service_deltas import compare_services
from onegig.model.baseline import Baseline, Mark
from onegig.model.measured import Missing, Skipped
from onegig.model.report import Report
from onegig.model.review import Change, Comparison, Delta
from onegig.model.verdict import Check, State, Unit

SEVERITY = {State.GO: 0, State.WARN: 1, State.INCOMPLETE: 2, State.NO_GO: 3}
NOT_THERE = Skipped(reason="not in the baseline")
IS_COMPARISON = Skipped(reason="is a comparison with the baseline itself")

_TOTALS = ("memory.total", "memory.tier")
_Line = TypeVar("_Line", Check, Mark)


def compare(report: Report, baseline: Baseline, behind: int) -> Comparison:
    """Return the report beside the baseline, which is `behind` commits older than it should be."""
    return Comparison(
        commit=baseline.commit,
        created=baseline.created,
        behind=behind,
        state=baseline.state,
        total_bytes=_other_total(report, baseline) or baseline.total_bytes,
        deltas=(*_deltas(report, baseline), *_removed(report, baseline)),
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


def _delta(check: Check, mark: Mark, report: Report, baseline: Baseline) -> Delta:
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


def _removed(report: Report, baseline: Baseline) -> Iterator[Delta]:
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


def _incomparable(check: Check, mark: Mark, report: Report, baseline: Baseline) -> Skipped | None:
    """Say why a check's value is of another kind than the mark's."""
    if check.id in _TOTALS:
        other = _other_total(report, baseline)
        if other is None and check.id == "memory.tier" and check.limit != mark.limit:
            return Skipped(reason="the baseline was judged for another machine")
        return other
    if check.id == "service.memory" and baseline.metric != report.verdict.metric:
        return _other_total(report, baseline)
    return None


def _change(check: Check, mark: Mark) -> Change:
    """Compare the values, but of counts only the state: how often varies from run to run."""
    now, before = check.value, mark.value
    if check.unit is Unit.COUNT:
        changed = check.state is not mark.state
    elif isinstance(now, Missing) or isinstance(before, Missing):
        changed = isinstance(now, Missing) is not isinstance(before, Missing)
    else:
        changed = differs(check.unit, now, before)
    return Change.CHANGED if changed else Change.SAME


def _inherited(check: Check, mark: Mark) -> bool:
    """Tell whether a failure was there before, at least as bad as it is now but for noise."""
    if check.state is State.GO or not _failed(check, mark):
        return False
    now, before = check.value, mark.value
    if isinstance(now, Missing) or isinstance(before, Missing):
        return isinstance(now, Missing) and isinstance(before, Missing)
    worse = now > before if check.at_most else now < before
    return not worse or check.unit is Unit.COUNT or not differs(check.unit, now, before)


def _failed(check: Check, mark: Mark) -> bool:
    """As the baseline was judged then, or as it would be judged by what holds now.

    The second covers limits that were tightened and waivers that have expired since.
    """
    if SEVERITY[mark.state] >= SEVERITY[check.state]:
        return True
    if check.unit is Unit.COUNT or check.limit is None or isinstance(mark.value, Missing):
        return False
    return mark.value > check.limit if check.at_most else mark.value < check.limit
