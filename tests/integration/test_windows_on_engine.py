"""Windows and boots on a real engine: as planned, and more where a limit lies within the swing."""

import pytest
from docker import DockerClient

from booting import FILL, MIB, MakeStack, measured, shell
from judging import TODAY, checks
from onegig.judge.memory import describe_rise
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, MemoryBudget, Metric, ServiceBudget
from onegig.model.codec import from_json, to_json
from onegig.model.measured import Skipped
from onegig.model.measuring import Measure
from onegig.model.memory import MemoryReport
from onegig.model.stack import Stack

pytestmark = [pytest.mark.engine, pytest.mark.measured]

SWELL = f"(head -c {40 * MIB} /dev/zero; sleep 0.6) | dd bs=41M iflag=fullblock of=/dev/null"
SWING = f"while :; do {SWELL}; sleep 0.6; done"
GROW = f'while :; do x="$x$({FILL.format(bytes=MIB)})"; sleep 0.1; done'


def plan(*, windows: int = 1, own_limit_mib: int | None = None) -> Budgets:
    own = None if own_limit_mib is None else own_limit_mib * MIB
    return Budgets(
        path="budgets.yml",
        compose="compose.yml",
        memory=MemoryBudget(limit_bytes=1024 * MIB, metric=Metric.RSS),
        measure=Measure(settle_seconds=0.5, window_seconds=2, windows=windows),
        services=(("one", ServiceBudget(memory_bytes=own)),),
    )


def observe(client: DockerClient, stack: Stack, budgets: Budgets) -> tuple[MemoryReport, list[str]]:
    lines: list[str] = []
    return measured(client, stack, budgets, lines.append), lines


def test_memory_that_grows_from_window_to_window(
    client: DockerClient, make_stack: MakeStack
) -> None:
    report, lines = observe(client, make_stack({"one": shell(GROW)}), plan(windows=3))
    assert report.incomplete == ()
    first, second, third = report.windows
    assert 0 == first.offset_seconds < second.offset_seconds < third.offset_seconds
    assert first.low_bytes < second.low_bytes < third.low_bytes
    highest = max(report.windows, key=lambda window: window.high_bytes)
    assert highest.high_bytes == max(sample.total_bytes for sample in report.samples)
    assert report.window.samples == highest.samples == len(highest.totals)
    assert report.services[0].rss_min_bytes <= first.services[0][0]
    told_of_it = describe_rise(report.windows, ["one"], 0)
    assert told_of_it.startswith("memory rose from window to window (at least ")
    assert ", one by " in told_of_it
    assert "measuring window 3 of 3 for 2 s at 10 Hz" in lines
    assert from_json(MemoryReport, to_json(report), "memory.json") == report


def test_a_limit_within_the_swing_is_measured_again_and_still_exceeded(
    client: DockerClient, make_stack: MakeStack
) -> None:
    budgets = plan(own_limit_mib=20)
    report, lines = observe(client, make_stack({"one": shell(SWING)}), budgets)
    assert [window.boot for window in report.windows] == [1, 2, 3]
    assert len({boot.peak_bytes for boot in report.boots}) == 3  # each was measured by itself
    low, high = zip(*(window.services[0] for window in report.windows), strict=True)
    assert min(low) < 20 * MIB < 40 * MIB < max(high)
    assert any(text.startswith("one took ") and "booting again" in text for text in lines)
    verdict = judge(budgets, Skipped(reason="not asked for"), report, None, today=TODAY)
    engine_bytes = report.engine_pss_bytes
    assert verdict.total_bytes == report.box.total_rss_bytes + engine_bytes + 80 * MIB
    (own,) = checks(verdict, "service.memory")
    assert (own.state, own.value) == ("NO-GO", max(high))
