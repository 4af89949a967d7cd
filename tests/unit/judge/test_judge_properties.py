"""What must hold for any figures: more bytes never help, bars add up, words match the verdict."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from judging import GO, TODAY, service
from onegig.judge.checks import compare, percent_of_limit
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.images import Dive, ImagesReport
from onegig.model.memory import MemoryReport
from onegig.model.sizes import Convention
from onegig.model.verdict import Check, Unit, Verdict
from strategies import all_budgets, extra, inspections, memories, tiers


def with_more_memory(report: MemoryReport, more: int) -> MemoryReport:
    """The first service takes `more`, by every metric and in every sample."""
    first, *rest = report.services
    grown = service(first.name, first.rss_bytes + more, state=first.state)
    samples = tuple(
        replace(
            item,
            total_bytes=item.total_bytes + more,
            charged_bytes=item.charged_bytes + more,
            service_bytes=tuple(rss + more for rss in item.service_bytes),
        )
        for item in report.samples
    )
    box = replace(report.box, charged_bytes=report.box.charged_bytes + more)
    windows = tuple(
        replace(
            item,
            low_bytes=item.low_bytes + more,
            high_bytes=item.high_bytes + more,
            services=((item.services[0][0] + more, item.services[0][1] + more), *item.services[1:]),
        )
        for item in report.windows
    )
    return replace(report, services=(grown, *rest), samples=samples, box=box, windows=windows)


def with_more_images(report: ImagesReport, more: int) -> ImagesReport:
    """The first image grows by `more`, all of it waste."""
    first, *rest = report.images
    assert isinstance(first.dive, Dive)
    worse = replace(first.dive, wasted_bytes=first.dive.wasted_bytes + more)
    grown = replace(first, size_bytes=first.size_bytes + more, dive=worse)
    return replace(
        report,
        images=(grown, *rest),
        total_bytes=report.total_bytes + more,
        disk_bytes=report.disk_bytes + more,
    )


def _own(verdict: Verdict) -> list[Check]:
    """Return all checks but that of a second copy: a machine that is full already has none."""
    return [check for check in verdict.checks if check.id != "memory.deploy"]


@given(all_budgets(), inspections(), memories(), tiers, extra)
def test_more_bytes_never_improve_the_verdict(
    budgets: Budgets, images: ImagesReport, memory: MemoryReport, tier: object, more: int
) -> None:
    before = judge(budgets, images, memory, tier, today=TODAY)  # type: ignore[arg-type]
    for heavier in (
        judge(budgets, images, with_more_memory(memory, more), tier, today=TODAY),  # type: ignore[arg-type]
        judge(budgets, with_more_images(images, more), memory, tier, today=TODAY),  # type: ignore[arg-type]
    ):
        assert heavier.state.rank >= before.state.rank
        for old, new in zip(_own(before), _own(heavier), strict=True):
            # a stack without headroom is not warned of twice: the total's own check is worse then
            is_said = new.id == "memory.fit" and heavier.state.rank >= old.state.rank
            assert is_said or new.state.rank >= old.state.rank, new.id


@given(all_budgets(), inspections(), memories(), tiers)
def test_waterfalls_add_up(
    budgets: Budgets, images: ImagesReport, memory: MemoryReport, tier: object
) -> None:
    verdict = judge(budgets, images, memory, tier, today=TODAY)  # type: ignore[arg-type]
    assert len(verdict.waterfalls) == (1 if tier is None else 2)
    for fall in verdict.waterfalls:
        assert fall.sold_bytes == sum(step.bytes for step in fall.steps) + fall.headroom_bytes
        assert all(step.bytes >= 0 for step in fall.steps)
    assert isinstance(verdict.total_bytes, int)
    assert verdict.waterfalls[0].headroom_bytes == verdict.limit_bytes - verdict.total_bytes


@given(all_budgets(), inspections(), memories(), tiers)
def test_the_worst_check_decides_and_the_words_say_so(
    budgets: Budgets, images: ImagesReport, memory: MemoryReport, tier: object
) -> None:
    verdict = judge(budgets, images, memory, tier, today=TODAY)  # type: ignore[arg-type]
    assert verdict.state.rank == max(check.state.rank for check in verdict.checks)
    assert verdict.sentence.startswith(f"{verdict.state}: ")
    for check in verdict.checks:
        room = check.headroom
        if check.unit in (Unit.MEMORY, Unit.STORAGE) and room is not None:
            assert (" over" in check.message) == (room < 0), check
            assert (" to spare" in check.message) == (room >= 0), check
            assert room >= 0 or check.state is not GO


@given(
    st.integers(min_value=0, max_value=2**50),
    st.integers(min_value=1, max_value=2**50),
    st.sampled_from(Convention),
)
def test_printed_figures_tell_the_truth(value: int, limit: int, convention: Convention) -> None:
    shown = compare(value, limit, convention)
    unit = convention.mb if shown.unit == "MB" else 1
    assert shown.used * unit >= value
    assert shown.limit * unit <= limit
    assert (shown.used > shown.limit) == (value > limit)
    numbers = re.findall(r"[\d,]+(?:\.\d+)?", f"{shown.of} {shown.room}")
    used, most, room = (float(number.replace(",", "")) for number in numbers[:3])
    assert abs(abs(most - used) - room) < 1e-3 * max(1, room)


@given(st.integers(min_value=0, max_value=2**40), st.integers(min_value=-3, max_value=3))
def test_figures_next_to_the_limit(limit: int, away: int) -> None:
    value = max(0, limit + away)
    shown = compare(value, max(1, limit))
    assert (shown.used > shown.limit) == (value > max(1, limit))


@given(
    value=st.floats(min_value=0, max_value=1),
    limit=st.floats(min_value=0, max_value=1),
    at_most=st.booleans(),
)
def test_a_broken_rule_never_prints_as_kept(value: float, limit: float, *, at_most: bool) -> None:
    shown = float(percent_of_limit(value, limit, at_most=at_most).removesuffix(" %"))
    bound = float(percent_of_limit(limit, limit, at_most=at_most).removesuffix(" %"))
    if at_most:
        assert (shown > bound) == (value > limit)
    else:
        assert (shown < bound) == (value < limit)
