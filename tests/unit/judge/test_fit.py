"""The probability of fitting in a verdict: from which boots, with which history, and its state."""

from dataclasses import replace

import pytest

from factories import make_environment
from histories import entry
from judging import GO, MIB, TODAY, WARN, checks, limits, measured, service
from onegig.judge.fit import doubt
from onegig.judge.verdict import judge
from onegig.model.budgets import Metric
from onegig.model.measured import Skipped
from onegig.model.memory import BootTotals, MemoryReport, Start
from onegig.model.verdict import Baseline, Fit, Verdict

LIMIT = 1000 * MIB
BUDGETS = limits(LIMIT, headroom_share=0.0)
MAIN = entry(1, metric="cost", limit_bytes=LIMIT)
NOT_BUILT = Skipped(reason="not asked for")


def booted(*peaks: int, high: int = 500, full: int = 0) -> MemoryReport:
    """Boots with these peaks in MiB, `high` of them in operation; the first `full` ran full."""
    memory = measured([service("web", high * MIB)])
    boots = tuple(
        BootTotals(
            seconds=1, peak_bytes=peak * MIB, high_bytes=min(peak, high) * MIB, full=at < full
        )
        for at, peak in enumerate(peaks)
    )
    return replace(memory, boots=boots, box=replace(memory.box, cap_bytes=LIMIT))


def verdict_on(memory: MemoryReport, main: Baseline | None = None) -> Verdict:
    return judge(BUDGETS, NOT_BUILT, memory, None, today=TODAY, main=main)


def fit_of(memory: MemoryReport, main: Baseline | None = None) -> Fit:
    fit = verdict_on(memory, main).fit
    assert isinstance(fit, Fit)
    return fit


@pytest.mark.parametrize(
    ("memory", "state", "message"),
    [
        (booted(500), GO, "fits with over 99.9 % (95 % interval over 99.9 %), 1 boot"),
        (
            booted(700, 610, 650),
            GO,
            "fits with 99.8 % (95 % interval 99.4 to over 99.9 %), 3 boots",
        ),
        (
            booted(940, 990, 960),
            WARN,
            "within noise of the limit: fits with 86 % (95 % interval 46 to 99.8 %), 3 boots",
        ),
        (booted(1400, high=1400), GO, "fits with 0.2 % (95 % interval under 0.1 to 0.2 %), 1 boot"),
        (
            booted(900, 900, 900, full=1),
            GO,  # what was killed has a NO-GO of its own
            "fits with 66 % (95 % interval 9 to 99.1 %), 3 boots, 1 of them ran full",
        ),
        (
            booted(1040, 1010, 990, full=1, high=1040),
            GO,
            "fits with 33 % (95 % interval 0.8 to 90 %), 3 boots, 1 of them ran full",
        ),
    ],
)
def test_the_next_boot(memory: MemoryReport, state: str, message: str) -> None:
    (check,) = checks(verdict_on(memory), "memory.fit")
    assert (check.message, check.state) == (message, state)


def test_history_of_the_same_conditions_makes_it_surer() -> None:
    steady = tuple(500 * MIB + at % 3 * MIB for at in range(41))
    memory, main = booted(970), replace(MAIN, earlier=steady)
    alone, backed = fit_of(memory), fit_of(memory, main)
    assert alone.probability < 0.9 < 0.99 < backed.probability
    assert (alone.earlier, backed.earlier) == (0, 41)
    message = checks(verdict_on(memory, main), "memory.fit")[0].message
    assert message.endswith("1 boot and 41 of earlier commits")
    for other in (
        replace(main, environment=replace(make_environment(), kernel="7.1")),
        replace(main, limit_bytes=LIMIT - 1),
        replace(main, metric="rss"),
    ):
        assert fit_of(memory, other) == alone


def test_boots_measured_by_another_metric_say_nothing() -> None:
    budgets = replace(BUDGETS, memory=replace(BUDGETS.memory, metric=Metric.RSS))
    verdict = judge(budgets, NOT_BUILT, booted(500), None, today=TODAY)
    assert verdict.fit == Skipped(reason="the boots were measured by cost")
    assert checks(verdict, "memory.fit") == []


@pytest.mark.parametrize(
    ("memory", "again"),
    [
        (booted(500), False),
        (booted(940), False),
        (booted(960), True),
        (booted(600, 640), False),
        (booted(1400, high=1400), False),
    ],
)
def test_within_noise_it_is_booted_again(memory: MemoryReport, *, again: bool) -> None:
    assert ("the stack fits with" in doubt(BUDGETS, memory)) is again


@pytest.mark.parametrize(
    ("containers", "parallel", "again"), [(1, 0, False), (20, 0, True), (20, 3, False)]
)
def test_containers_that_start_together_make_peaks_differ(
    containers: int, parallel: int, *, again: bool
) -> None:
    memory = booted(930)
    web = replace(memory.services[0], containers=containers)
    memory = replace(memory, services=(web,), start=Start(seconds=9, parallel=parallel))
    assert ("the stack fits with" in doubt(BUDGETS, memory)) is again
