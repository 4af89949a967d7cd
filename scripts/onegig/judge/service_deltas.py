"""Each service beside the baseline: new, removed, grown, shrunk."""

from collections.abc import Iterator

from onegig.judge.baseline import service_numbers
from onegig.judge.comparable import other_total
from onegig.judge.noise import differs
from onegig.model.baseline import Baseline, ServiceNumbers
from onegig.model.measured import Missing, Skipped
from onegig.model.report import Report
from onegig.model.review import Change, ServiceDelta
from onegig.model.verdict import Unit

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
