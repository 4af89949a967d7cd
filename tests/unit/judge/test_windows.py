"""Several windows: when one more is needed, what they say together, and whether memory rises."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from judging import GO, MIB, NO_GO, WARN, checks, judge_stack, limits, measured, service
from onegig.judge.fit import doubt
from onegig.model.budgets import Budgets, Metric, ServiceBudget
from onegig.model.memory import MemoryReport, WindowTotals
from onegig.model.state import State
from onegig.model.verdict import Verdict

LIMIT = 1000 * MIB
OWN = 100 * MIB
BUDGETS = replace(
    limits(LIMIT, system_overhead_bytes=80 * MIB),
    services=(("web", ServiceBudget(memory_bytes=OWN)),),
)
Range = tuple[int, int]
BARELY = "of 1,000 MB,"
OVER = f"1,005 {BARELY} 5 MB (1 %) over"
CLOSE = "too close to the limit"


def window(total: Range, web: Range = (10, 10), db: Range = (1, 1)) -> WindowTotals:
    """A window whose total, without the system's 80 MB, and services had these MiB."""
    low, high = total
    return WindowTotals(
        offset_seconds=0,
        samples=2,
        low_bytes=low * MIB,
        high_bytes=high * MIB,
        totals=(low * MIB, high * MIB),
        services=tuple((a * MIB, b * MIB) for a, b in (web, db)),
    )


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        ([window((300, 320))], ""),
        (
            [window((900, 909))],  # 989 MB: 1.1 % below
            "the stack fits with 67 % (95 % interval 7 to 99.6 %), 1 boot",
        ),
        ([window((900, 910))], f"the total came to 980 to 990 MB, {CLOSE}"),
        ([window((910, 930))], f"the total came to 990 to 1,010 MB, {CLOSE}"),
        ([window((921, 930))], f"the total came to 1,001 to 1,010 MB, {CLOSE}"),
        ([window((920, 931))], f"the total came to 1,000 to 1,011 MB, {CLOSE}"),
        ([window((921, 931))], ""),  # over in every sample, and by more than noise
        ([window((320, 1420))], f"the total came to 400 to 1,500 MB, {CLOSE}"),
        (
            [window((850, 880)), window((921, 940))],
            "the total came to 930 to 1,020 MB, too close to the limit",
        ),
        ([window((300, 320), web=(90, 98))], ""),
        ([window((300, 320), web=(90, 99))], f"web took 90 to 99 MB, {CLOSE}"),
        ([window((300, 320), web=(5, 400))], f"web took 5.0 to 400 MB, {CLOSE}"),
        ([window((300, 320), web=(150, 160))], ""),
        ([window((300, 320), db=(99, 101))], ""),  # it has no limit
    ],
)
def test_one_more_boot_is_needed(windows: Sequence[WindowTotals], why: str) -> None:
    assert doubt(BUDGETS, report(*windows)) == why


def report(*windows: WindowTotals) -> MemoryReport:
    """What `measure` makes of these windows: the figures are those of the highest."""
    top = max(windows, key=lambda item: item.high_bytes)
    services = [
        service(
            name,
            top.services[place][1],
            rss_min_bytes=min(item.services[place][0] for item in windows),
            rss_max_bytes=max(item.services[place][1] for item in windows),
        )
        for place, name in enumerate(("web", "db"))
    ]
    memory = measured(services, totals=top.totals)
    return replace(
        memory, windows=windows, box=replace(memory.box, cap_bytes=BUDGETS.memory.room_bytes)
    )


def verdict_on(*windows: WindowTotals, budgets: Budgets = BUDGETS) -> Verdict:
    return judge_stack(budgets, report(*windows))


def test_the_spread_covers_all_windows() -> None:
    verdict = verdict_on(window((500, 540)), window((450, 510)))
    assert verdict.spread_bytes == (530 * MIB, 620 * MIB)
    assert verdict.total_bytes == 620 * MIB


@pytest.mark.parametrize(
    ("windows", "state", "message"),
    [
        (
            [(900, 912), (915, 925), (905, 918)],
            WARN,
            f"{OVER}, within noise (3 windows peaked at 992, 1,005 and 998 MB)",
        ),
        ([(915, 925)], WARN, f"{OVER}, within noise (samples from 995 to 1,005 MB; measure again)"),
        (
            [(910, 915 + i) for i in range(7)],
            WARN,
            f"1,001 {BARELY} 1 MB (1 %) over, within noise (7 windows peaked at 995 to 1,001 MB)",
        ),
        ([(921, 922), (921, 925)], NO_GO, f"{OVER}; web takes 10 MB"),
        ([(900, 922), (900, 925)], NO_GO, f"{OVER}; web takes 10 MB"),  # each of them is over
        (
            [(320, 330), (320, 1420), (320, 340)],
            NO_GO,
            "1,500 of 1,000 MB, 500 MB (50 %) over; web takes 10 MB",
        ),
    ],
)
def test_the_limit_among_several_windows(windows: list[Range], state: State, message: str) -> None:
    (total,) = checks(verdict_on(*map(window, windows)), "memory.total")
    assert (total.state, total.message) == (state, message)


@pytest.mark.parametrize(
    ("web", "state", "message"),
    [
        ((90, 100), GO, "web takes 100 of 100 MB, 0 MB (0 %) to spare"),
        ((95, 101), WARN, "web takes 101 of 100 MB, 1 MB (1 %) over, within noise (95 to 101 MB)"),
        ((101, 101), NO_GO, "web takes 101 of 100 MB, 1 MB (1 %) over"),
        ((95, 102), NO_GO, "web takes 102 of 100 MB, 2 MB (2 %) over"),
        ((5, 400), NO_GO, "web takes 400 of 100 MB, 300 MB (300 %) over"),
    ],
)
def test_a_services_own_limit(web: Range, state: State, message: str) -> None:
    (own,) = checks(verdict_on(window((500, 540), web=web)), "service.memory")
    assert (own.state, own.message) == (state, message)


def test_a_service_is_held_to_its_highest_window_by_every_metric() -> None:
    pss = replace(BUDGETS, memory=replace(BUDGETS.memory, metric=Metric.PSS))
    windows = (window((500, 540), web=(10, 20)), window((500, 510), web=(90, 150)))
    memory = report(*windows)
    memory = replace(memory, window=replace(memory.window, metric="pss"))
    assert checks(judge_stack(pss, memory), "service.memory")[0].value == 150 * MIB


def test_windows_by_another_metric_say_nothing() -> None:
    charged = replace(BUDGETS, memory=replace(BUDGETS.memory, metric=Metric.CHARGED))
    memory = replace(report(window((1, 2)), window((800, 1500))), samples=())
    verdict = judge_stack(charged, memory)
    assert verdict.total_bytes == 91 * MIB  # 11 of the services, 80 of the system
    assert verdict.notes == ()


@pytest.mark.parametrize(
    ("totals", "text"),
    [
        ([(414, 480), (425, 470), (437, 490)], "494, 505 and 517 MB), web by 6.0 MB"),
        ([(414 + 5 * i, 480) for i in range(6)], "494 to 519 MB), web by 15 MB"),
        ([(414, 480), (437, 480)], ""),  # two points are no trend
        ([(414, 480), (437, 480), (425, 480)], ""),
        ([(414, 450), (414, 460), (414, 470)], ""),  # it always comes back
        ([(414, 480), (415, 480), (416, 480)], ""),  # noise
    ],
)
def test_memory_that_rises_is_noted(totals: list[Range], text: str) -> None:
    verdict = verdict_on(*(window(total, web=(3 * i + 3, 30)) for i, total in enumerate(totals)))
    rose = (
        f"memory rose from window to window (at least {text}: a leak, or caches that are still "
        "filling"
    )
    assert verdict.notes == ((rose,) if text else ())
    assert verdict.state is GO
