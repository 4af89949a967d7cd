"""The headline: every state at its boundary, by every metric, and what the sentence says of it."""

from dataclasses import replace

import pytest

from factories import MEMTOTAL, SERVICES, make_memory, make_service
from judging import (
    BUDGETS,
    GO,
    INCOMPLETE,
    MIB,
    NO_GO,
    WARN,
    Judge,
    checks,
    is_missing,
    judge_stack,
    limits,
    measured,
    samples,
    service,
)
from onegig.judge.memory import describe_boot
from onegig.model.budgets import Metric
from onegig.model.measured import Skipped, Unknown
from onegig.model.memory import BootPeak, Start, WindowTotals
from onegig.model.state import State
from onegig.model.tiers import find_tier
from onegig.model.verdict import Verdict

LIMIT = 1000 * MIB


def total(value: int, *, spread: tuple[int, ...] = (), headroom: float = 0.1) -> Verdict:
    """The verdict on one service with `value` bytes, of a limit of 1,000 MB."""
    memory = measured([service("web", value)], totals=spread)
    memory = replace(memory, box=replace(memory.box, cap_bytes=LIMIT))
    return judge_stack(limits(LIMIT, headroom_share=headroom), memory)


LITTLE = "less than the required 10 %"


@pytest.mark.parametrize(
    ("value", "state", "sentence"),
    [
        (0, GO, "0 of 1,000 MB, 1,000 MB (100 %) to spare"),
        (588 * MIB, GO, "588 of 1,000 MB, 412 MB (41 %) to spare"),
        (900 * MIB, GO, "900 of 1,000 MB, 100 MB (10 %) to spare"),
        (900 * MIB + 1, WARN, f"901 of 1,000 MB, 99 MB (9 %) to spare, {LITTLE}"),
        (LIMIT, WARN, f"1,000 of 1,000 MB, 0 MB (0 %) to spare, {LITTLE}"),
        (LIMIT + 1, NO_GO, "1,001 of 1,000 MB, 1 MB (1 %) over; web takes 1,001 MB"),
        (1286 * MIB, NO_GO, "1,286 of 1,000 MB, 286 MB (29 %) over; web takes 1,286 MB"),
    ],
)
def test_the_total_against_the_limit(value: int, state: State, sentence: str) -> None:
    verdict = total(value)
    assert (verdict.state, verdict.sentence) == (state, f"{state}: {sentence}")
    assert verdict.total_bytes == value


def test_without_headroom_exactly_the_limit_is_kept_but_the_next_boot_may_not() -> None:
    verdict = total(LIMIT, headroom=0)
    assert checks(verdict, "memory.total")[0].state is GO
    (fit,) = checks(verdict, "memory.fit")
    message = "within noise of the limit: fits with 50 % (95 % interval 2 to 97 %), 1 boot"
    assert (fit.state, fit.message, verdict.state) == (WARN, message, WARN)
    assert total(LIMIT + 1, headroom=0).state is NO_GO


@pytest.mark.parametrize(
    ("spread", "state"),
    [
        ((995, 1005), WARN),  # a hair's breadth over, and not in every sample
        ((1000, 1010), WARN),
        ((1001, 1005), NO_GO),  # over in every sample
        ((995, 1011), NO_GO),  # no hair's breadth: 1 % of the limit is 10 MB
        ((400, 1500), NO_GO),  # a stack that really needs 1,500 MB at times
        ((905, 1000), WARN),  # within the limit, inside the headroom
    ],
)
def test_the_limit_inside_the_spread(spread: tuple[int, int], state: State) -> None:
    low, high = spread
    verdict = total(high * MIB, spread=(low * MIB, high * MIB))
    assert verdict.state is state
    assert verdict.spread_bytes == (low * MIB, high * MIB)
    noise = f"within noise (samples from {low:,} to {high:,} MB; measure again)"
    assert (noise in verdict.sentence) == (state is WARN and high > 1000)


def test_the_total_is_services_engine_and_overhead(judged: Judge) -> None:
    verdict = judged()
    assert verdict.state is GO
    assert verdict.sentence == "GO: 460 of 1,024 MB, 564 MB (55 %) to spare"
    assert not is_missing(verdict.spread_bytes)


@pytest.mark.parametrize(
    ("metric", "megabytes"),
    [
        (Metric.COST, 26 + 100 + 5),
        (Metric.RSS, 30 + 100 + 5),
        (Metric.PSS, 20 + 100 + 5),
        (Metric.CHARGED, 118 + 5),
    ],
)
def test_the_total_by_metric(metric: Metric, megabytes: int) -> None:
    web = service(
        "web", 30 * MIB, cost_bytes=26 * MIB, pss_bytes=20 * MIB, working_set_bytes=18 * MIB
    )
    memory = measured([web], engine=100 * MIB)
    memory = replace(memory, window=replace(memory.window, metric=metric))
    budgets = limits(LIMIT, metric=metric, system_overhead_bytes=5 * MIB)
    verdict = judge_stack(budgets, memory)
    assert verdict.total_bytes == megabytes * MIB
    assert verdict.metric == metric


def test_another_metric_than_was_measured_uses_the_samples() -> None:
    memory = replace(measured([service("web", 30 * MIB)]), samples=samples([10 * MIB, 70 * MIB]))
    memory = replace(memory, window=replace(memory.window, metric="pss"))
    for metric in (Metric.RSS, Metric.CHARGED):
        verdict = judge_stack(limits(LIMIT, metric=metric), memory)
        assert verdict.total_bytes == 70 * MIB
        assert verdict.spread_bytes == (10 * MIB, 70 * MIB)


def test_pss_cannot_be_had_from_a_window_of_rss() -> None:
    memory = measured([service("web", 30 * MIB)], totals=[30 * MIB])
    budgets = limits(LIMIT, metric=Metric.PSS)
    verdict = judge_stack(budgets, memory)
    assert verdict.state is INCOMPLETE
    assert "measured at the peak of cost; that of pss may be higher" in verdict.sentence
    assert is_missing(verdict.spread_bytes)


def start_of(total_mb: int, rss_mb: int) -> BootPeak:
    return BootPeak(
        offset_seconds=3,
        total_bytes=total_mb * MIB,
        rss_bytes=rss_mb * MIB,
        starting=True,
        causes=(("web", total_mb * MIB),),
    )


def test_a_start_is_judged_by_another_metric_as_far_as_it_is_known() -> None:
    memory = replace(measured([service("web", 30 * MIB)]), boot=start_of(900, 1400))
    by_cost = judge_stack(limits(LIMIT), memory)
    assert [check.state for check in checks(by_cost, "memory.boot")] == [GO]
    by_rss = judge_stack(limits(LIMIT, metric=Metric.RSS), memory)
    assert [(c.state, c.value) for c in checks(by_rss, "memory.boot")] == [(NO_GO, 1400 * MIB)]
    memory = replace(memory, boot=start_of(900, 910))
    for metric in (Metric.RSS, Metric.CHARGED):
        verdict = judge_stack(limits(LIMIT, metric=metric), memory)
        assert verdict.incomplete == (
            f"measured at the peak of cost; that of {metric} may be higher",
        )


def test_a_start_that_filled_the_memory_is_a_no_go_by_every_metric() -> None:
    memory = measured([service("web", 30 * MIB)])
    memory = replace(memory, start=Start(seconds=60, crowded=12, parallel=3))
    for metric in Metric:
        verdict = judge_stack(limits(LIMIT, metric=metric), memory)
        (check,) = checks(verdict, "memory.boot")
        assert check.state is NO_GO
        assert "memory was full while 12 containers started at once" in check.message


def test_a_sum_below_the_highest_sample_does_not_lower_the_total() -> None:
    memory = measured([service("web", 30 * MIB)], totals=[50 * MIB])
    assert judge_stack(limits(LIMIT), memory).total_bytes == 50 * MIB


def test_a_box_of_another_size_is_said(judged: Judge) -> None:
    verdict = judged(budgets=replace(BUDGETS, memory=limits(LIMIT).memory))
    assert verdict.sentence.endswith("(measured in a box of 944 MB, not 1,000 MB)")


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (Unknown(reason="no\nbox"), "INCOMPLETE: memory could not be measured: no box"),
        (Skipped(reason="no --memory"), "INCOMPLETE: memory was not measured: no --memory"),
    ],
)
def test_no_memory_is_incomplete(judged: Judge, missing: Unknown | Skipped, sentence: str) -> None:
    verdict = judged(memory=missing)
    assert (verdict.state, verdict.sentence) == (INCOMPLETE, sentence)
    assert verdict.incomplete == (sentence.removeprefix("INCOMPLETE: "),)
    assert verdict.total_bytes == verdict.spread_bytes == missing
    assert verdict.waterfalls == ()


def test_gaps_in_the_measurement_are_incomplete_but_do_not_hide_a_no_go() -> None:
    gap = "only 60 of 150 samples could be taken in time"
    for value, state in ((500 * MIB, INCOMPLETE), (1500 * MIB, NO_GO)):
        memory = replace(measured([service("web", value)]), incomplete=(gap,))
        verdict = judge_stack(limits(LIMIT), memory)
        assert verdict.state is state
        assert verdict.incomplete == (gap,)
    assert verdict.sentence.startswith("NO-GO: 1,500 of 1,000 MB")


def test_a_service_over_its_own_limit(judged: Judge) -> None:
    text = (("services.risk.memory", 58),)
    own = replace(BUDGETS.service("risk"), memory_bytes=10 * MIB)
    verdict = judged(budgets=replace(BUDGETS, services=(("risk", own),), lines=text))
    (check,) = checks(verdict, "service.memory")
    assert verdict.state is NO_GO
    assert verdict.sentence == (
        "NO-GO: risk takes 14 of 10 MB, 4 MB (40 %) over; memory 460 of 1,024 MB"
    )
    assert (check.subject, check.where) == ("risk", "budgets.yml:58")


@pytest.mark.parametrize(("highest", "state"), [(24, GO), (25, NO_GO)])
def test_a_service_is_held_to_its_own_peak(highest: int, state: State) -> None:
    own = replace(BUDGETS.service(""), memory_bytes=24 * MIB)
    budgets = replace(limits(LIMIT), services=(("web", own),))
    window = WindowTotals(
        offset_seconds=0,
        samples=1,
        low_bytes=20 * MIB,
        high_bytes=20 * MIB,
        totals=(20 * MIB,),
        services=((20 * MIB, highest * MIB),),
    )
    memory = replace(measured([service("web", 20 * MIB)]), windows=(window,))
    assert judge_stack(budgets, memory).state is state


def test_a_tier_that_fits(judged: Judge) -> None:
    budgets = replace(BUDGETS, tier_names=("aws-t2-micro",))
    verdict = judged(budgets=budgets, tier=find_tier("aws-t2-micro"))
    (check,) = checks(verdict, "memory.tier")
    assert (check.state, check.blocking, check.limit) == (GO, False, MEMTOTAL)
    assert check.message == (
        "aws-t2-micro really has 949 MB, its OS takes 185 MB: 565 of 949 MB, 384 MB (40 %) to spare"
    )


def test_a_tier_that_does_not_fit_is_a_warning_never_more() -> None:
    tier = find_tier("aws-t2-micro")
    budgets = replace(limits(1024 * MIB, headroom_share=0), tier_names=(tier.name,))
    for value, state in ((764, GO), (765, WARN), (900, WARN)):
        memory = measured([service("web", value * MIB)])
        verdict = judge_stack(budgets, memory, tier=tier)
        (check,) = checks(verdict, "memory.tier")
        assert (check.state, verdict.state) == (state, state)
    assert verdict.sentence == (
        "WARN: 900 of 1,024 MB, 124 MB (12 %) to spare; aws-t2-micro really has 949 MB, "
        "its OS takes 185 MB: 1,085 of 949 MB, 136 MB (15 %) over"
    )


@pytest.mark.parametrize(("value", "state"), [(669, GO), (670, WARN)])
def test_headroom_counts_on_the_tier_as_well(value: int, state: State) -> None:
    """Of 949 MB 94.9 must stay free, and the idle OS takes 185."""
    tier = find_tier("aws-t2-micro")
    budgets = replace(limits(1024 * MIB), tier_names=(tier.name,))
    memory = measured([service("web", value * MIB)])
    verdict = judge_stack(budgets, memory, tier=tier)
    (check,) = checks(verdict, "memory.tier")
    assert (check.state, verdict.state) == (state, state)
    figures = f"{value + 185} of 949 MB, {949 - 185 - value} MB"
    assert figures in check.message
    assert check.message.endswith("less than the required 10 %") is (state is WARN)


def test_a_tier_whose_memtotal_nobody_confirmed(judged: Judge) -> None:
    verdict = judged(tier=find_tier("gcp-e2-micro"))
    (check,) = checks(verdict, "memory.tier")
    assert (check.state, check.limit) == (GO, None)
    assert "is not confirmed" in check.message
    assert len(SERVICES) == len(checks(verdict, "service.state"))


def test_where_the_memory_goes() -> None:
    memory = measured([service("web", 300 * MIB)], engine=100 * MIB)
    budgets = limits(1024 * MIB, system_overhead_bytes=80 * MIB)
    verdict = judge_stack(budgets, memory, tier=find_tier("aws-t2-micro"))
    falls = [
        (fall.machine, [(step.name, step.bytes // MIB) for step in fall.steps])
        for fall in verdict.waterfalls
    ]
    rest = [("engine", 100), ("stack", 300)]
    assert falls == [
        ("the budget's 1,024 MB", [("kernel and OS", 80), *rest]),
        ("aws-t2-micro", [("kernel", 1024 - 949), ("OS", 185), *rest]),
    ]
    assert [fall.headroom_bytes // MIB for fall in verdict.waterfalls] == [544, 949 - 585]


def test_where_the_memory_goes_on_a_tier_known_by_its_price_only() -> None:
    memory = measured([service("web", 300 * MIB)], engine=100 * MIB)
    budgets = limits(1024 * MIB, system_overhead_bytes=80 * MIB)
    verdict = judge_stack(budgets, memory, tier=find_tier("gcp-e2-micro"))
    kernel, system, *_ = verdict.waterfalls[1].steps
    assert (kernel.bytes, kernel.note) == (0, "not confirmed")
    assert (system.bytes, system.note) == (80 * MIB, "assumed: memory.system_overhead")


ENGINE = sum(part.pss_bytes for part in make_memory([]).engine)
CAP = make_memory([]).box.cap_bytes
STARTED = "while the stack started (after 3 s)"
BOTH = (("big", 700 * MIB), ("engine", 160 * MIB))
PUSHED_OUT = "memory was full until the kernel dropped parts of the engine"


@pytest.mark.parametrize(
    ("causes", "free_mib", "sentence"),
    [
        ((("engine", 160 * MIB),), 10, PUSHED_OUT),
        ((("engine", 160 * MIB),), 300, f"the engine took 160 MB and big 452 MB {STARTED}"),
        (BOTH, 10, f"big took 700 MB and the engine took 160 MB {STARTED}"),
        ((), 10, f"engine and stack were at their largest {STARTED}"),
    ],
)
def test_who_made_the_peak(
    causes: tuple[tuple[str, int], ...], free_mib: int, sentence: str
) -> None:
    big = (CAP - ENGINE) / MIB - free_mib - 20
    report = make_memory([make_service("small", 20), make_service("big", big)])
    peak = BootPeak(
        offset_seconds=3.0, total_bytes=CAP, rss_bytes=CAP, starting=True, causes=causes
    )
    assert describe_boot(report, peak).endswith(sentence)
