"""What is kept of a report, so that later ones can be compared with it."""

from collections.abc import Mapping

from onegig.judge.notes import remarks_of
from onegig.judge.totals import own_ranges
from onegig.judge.waterfall import contents_of
from onegig.model.budgets import Metric
from onegig.model.images import ImagesReport
from onegig.model.measured import Environment, Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.report import Report
from onegig.model.verdict import Baseline, PastCheck, ServiceNumbers


def make_baseline(report: Report, costs: Mapping[str, float]) -> Baseline:
    """The report's numbers; `costs` are the seconds that building each service's image took.

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
    )


def service_numbers(report: Report, costs: Mapping[str, float]) -> tuple[ServiceNumbers, ...]:
    """Every service that was measured or whose image was inspected, in the order of the stack."""
    memory = _memory(report)
    images = _images(report)
    return tuple(
        ServiceNumbers(
            name=name,
            memory_bytes=_number(name, memory, report.memory, "measured"),
            image_bytes=_number(name, images, report.images, "inspected"),
            cost_seconds=costs.get(name),
        )
        for name in dict.fromkeys((*memory, *images))
    )


def environment_of(report: Report) -> Environment | Missing:
    """Where the numbers come from; memory's place goes before that of the images."""
    for part in (report.memory, report.images):
        if not isinstance(part, Missing):
            return part.environment
    return Unknown(reason="nothing was measured")


def _memory(report: Report) -> dict[str, int]:
    if not isinstance(report.memory, MemoryReport):
        return {}
    ranges = own_ranges(report.memory, Metric(report.verdict.metric))
    return {name: highest for name, (_, highest) in ranges.items()}


def _images(report: Report) -> dict[str, int]:
    if not isinstance(report.images, ImagesReport):
        return {}
    return {name: image.size_bytes for image in report.images.images for name in image.services}


def _number(
    name: str, known: Mapping[str, int], part: object | Missing, done: str
) -> int | Missing:
    if isinstance(part, Missing):
        return part
    return known.get(name, Unknown(reason=f"{name} was not {done}"))
