"""The budgets.yml that `onegig init` writes: it loads, and the same numbers keep to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import MIB, make_images, make_memory, make_report, make_service
from onegig.commands.init import ran_well, write_budgets
from onegig.config.budgets import parse_budgets
from onegig.judge.verdict import judge
from onegig.model.images import ImagesReport
from onegig.model.memory import BootPeak, MemoryReport
from onegig.model.report import Report
from onegig.model.service import ServiceState
from onegig.model.state import State
from onegig.model.tiers import find_tier
from onegig.model.verdict import Verdict
from scenarios import make_go, make_hostile, make_no_go

TODAY = date(2026, 11, 28)


def judged(report: Report, text: str) -> Verdict:
    """The verdict over a report's numbers by the limits of a budgets.yml."""
    budgets = parse_budgets("budgets.yml", text.encode())
    tier = find_tier(budgets.tier) if budgets.tier else None
    return judge(budgets, report.images, report.memory, tier, today=TODAY)


def written(report: Report) -> str:
    return write_budgets(report, compose="", tier="", today=TODAY)


def holds(report: Report) -> None:
    """A report's own numbers keep to every limit that was written from it."""
    verdict = judged(report, written(report))
    gaps = not isinstance(report.memory, MemoryReport) or report.memory.incomplete
    if ran_well(report.memory) and isinstance(report.images, ImagesReport) and not gaps:
        assert verdict.state in (State.GO, State.WARN), verdict.sentence
    failing = {check.id for check in verdict.checks if check.state is State.NO_GO}
    if ran_well(report.memory):
        assert failing == set()


def test_the_same_numbers_keep_to_it(report: Report) -> None:
    holds(report)


def test_names_from_strangers_are_names() -> None:
    report = make_hostile()
    budgets = parse_budgets("budgets.yml", written(report).encode())
    assert isinstance(report.memory, MemoryReport)
    assert {name for name, _ in budgets.services} == {s.name for s in report.memory.services}
    holds(report)


NAMES = st.sampled_from(["web", "1", "on", "null", "1e3", "a.b", "a-b_c", "Yes"])


@settings(max_examples=20)
@given(
    rss=st.dictionaries(NAMES, st.floats(0.1, 900), min_size=1, max_size=6),
    own_mb=st.floats(0.01, 4_000),
)
def test_any_numbers_keep_to_it(rss: dict[str, float], own_mb: float) -> None:
    services = [make_service(name, mib) for name, mib in rss.items()]
    images = make_images(rss, own_mb)
    holds(make_report(make_memory(services), images))


@pytest.mark.parametrize("metric", ["rss", "pss", "charged"])
def test_the_metric_stays(metric: str) -> None:
    report = make_go()
    assert isinstance(report.memory, MemoryReport)
    window = replace(report.memory.window, metric=metric)
    report = replace(report, memory=replace(report.memory, window=window))
    assert parse_budgets("b", written(report).encode()).memory.metric == metric
    holds(report)


def test_limits_are_what_was_measured_and_a_quarter(golden: Callable[[str, str], None]) -> None:
    text = write_budgets(make_go(), compose="services/compose.yml", tier="", today=TODAY)
    golden("init/budgets.yml", text)
    limits = parse_budgets("budgets.yml", text.encode())
    assert limits.tier == "aws-t2-micro"
    redis = limits.service("redis-coordinator")
    assert redis.memory_bytes == 16 * MIB  # 12.4 MiB and a quarter: 15.5
    assert limits.memory.limit_bytes == 1024 * MIB  # the machine: a smaller one would cap the box
    assert limits.memory.max_growth is not None


def test_what_it_took_before_the_window_fits_too() -> None:
    report = make_go()
    assert isinstance(report.memory, MemoryReport)
    boot = BootPeak(
        offset_seconds=3.0,
        total_bytes=1100 * MIB,
        rss_bytes=1100 * MIB,
        starting=True,
        causes=(("migrate", 900 * MIB),),
    )
    report = replace(report, memory=replace(report.memory, boot=boot))
    assert yaml.safe_load(written(report))["memory"]["limit"] == "2048MB"
    holds(report)


@pytest.mark.parametrize(
    "state", [ServiceState.OOM_KILLED, ServiceState.CRASHED, ServiceState.UNHEALTHY]
)
def test_a_stack_that_did_not_run_sets_no_memory_limits(state: ServiceState) -> None:
    memory = make_memory([make_service("web", 20), make_service("ill", 712, state=state)])
    report = replace(make_go(), memory=memory, images=make_images(["web", "ill"]))
    limits = parse_budgets("budgets.yml", written(report).encode())
    assert limits.memory.limit_bytes == 1024 * MIB
    assert all(limit.memory_bytes is None for _, limit in limits.services)
    assert all(limit.image_bytes is not None for _, limit in limits.services)


def test_a_stack_over_its_limit_gets_a_larger_one() -> None:
    memory = make_memory([make_service("web", 1200)])
    report = replace(make_no_go(), memory=memory, images=make_images(["web"]))
    assert yaml.safe_load(written(report))["memory"]["limit"] == "2048MB"
    holds(report)
