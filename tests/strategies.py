"""Budgets and reports as hypothesis makes them up: small stacks with any figures."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from factories import make_images
from judging import TODAY, limits, measured, service
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, DiskBudget, ImagesBudget, Metric, ServiceBudget
from onegig.model.images import ImagesReport
from onegig.model.measured import Skipped, Unknown
from onegig.model.memory import MemoryReport, WindowTotals
from onegig.model.report import Report
from onegig.model.service import ServiceState
from onegig.model.tiers import catalogue

MIB = 1024**2
NAMES = ("a", "b")
sizes = st.integers(min_value=0, max_value=2000 * MIB)
extra = st.integers(min_value=0, max_value=500 * MIB)
_ranges = st.tuples(sizes, sizes).map(lambda pair: (min(pair), max(pair)))
tiers = st.sampled_from([None, *catalogue().values()])


@st.composite
def all_budgets(draw: st.DrawFn) -> Budgets:
    drawn = limits(
        draw(st.integers(min_value=1, max_value=1500 * MIB)),
        metric=draw(st.sampled_from(Metric)),
        headroom_share=draw(st.floats(min_value=0, max_value=1)),
        system_overhead_bytes=draw(sizes),
    )
    own = ServiceBudget(memory_bytes=draw(sizes), image_bytes=draw(sizes))
    images = ImagesBudget(total_bytes=draw(sizes), max_wasted_bytes=draw(sizes))
    lines = draw(st.sampled_from([(), (("images.max_wasted", 3),)]))
    return replace(
        drawn,
        images=images,
        disk=DiskBudget(limit_bytes=draw(sizes)),
        services=(("a", own),),
        lines=lines,
    )


@st.composite
def memories(draw: st.DrawFn, names: Sequence[str] = NAMES) -> MemoryReport:
    states = st.sampled_from([ServiceState.HEALTHY, *ServiceState])
    services = [service(name, draw(sizes), state=draw(states)) for name in names]
    drawn = measured(services, engine=draw(sizes), totals=draw(st.lists(sizes, max_size=4)))
    metric = draw(st.sampled_from(Metric))
    box = replace(drawn.box, charged_bytes=draw(sizes))
    windows = tuple(draw(st.lists(_windows(len(names)), max_size=3)))
    window = replace(drawn.window, metric=metric.value)
    return replace(drawn, box=box, window=window, windows=windows)


@st.composite
def _windows(draw: st.DrawFn, services: int) -> WindowTotals:
    low, high = draw(_ranges)
    return WindowTotals(
        offset_seconds=0,
        samples=2,
        low_bytes=low,
        high_bytes=high,
        totals=(low, high),
        services=tuple(draw(_ranges) for _ in range(services)),
    )


@st.composite
def inspections(draw: st.DrawFn, names: Sequence[str] = NAMES) -> ImagesReport:
    drawn = make_images(names)
    images = tuple(replace(image, size_bytes=draw(sizes)) for image in drawn.images)
    return replace(drawn, images=images, total_bytes=draw(sizes), disk_bytes=draw(sizes))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """As the judge makes them: other services, other budgets, either half missing."""
    names = sorted(draw(st.sets(st.sampled_from("abc"), min_size=1)))
    missing = st.sampled_from([Unknown(reason="no engine"), Skipped(reason="not asked for")])
    memory = draw(memories(names) | missing)
    images = draw(inspections(names) | missing)
    verdict = judge(draw(all_budgets()), images, memory, draw(tiers), today=TODAY)
    return Report(
        stack="s",
        created="2026-11-23T20:44:00+00:00",
        commit="1f0c3e5a",
        verdict=verdict,
        images=images,
        memory=memory,
        reproduce="onegig check",
    )
