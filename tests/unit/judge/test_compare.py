"""A report beside a baseline: what changed, what is new or gone, and what failed before."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_environment, make_images
from judging import GO, MIB, NO_GO, TODAY, WARN, judge_stack, limits, measured, service
from onegig.judge.baseline import make_baseline, noise_floor
from onegig.judge.compare import NEW, REMOVED, compare
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, Metric, ServiceBudget
from onegig.model.codec import from_json, to_json
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.report import Change, Comparison, Delta, Report
from onegig.model.service import ServiceState
from onegig.model.tiers import find_tier
from onegig.model.verdict import Baseline, Unit
from strategies import reports

LIMIT = 1000 * MIB
OWN = 24 * MIB
REDIS = replace(limits(LIMIT), services=(("redis", ServiceBudget(memory_bytes=OWN)),), lines=())
BOTH_WAYS = {Change.NEW: Change.REMOVED, Change.REMOVED: Change.NEW}


def report(services: Mapping[str, int], budgets: Budgets = REDIS, **states: ServiceState) -> Report:
    """A run of services with these MiB; some in a state of their own."""
    report = [
        service(name, mib * MIB, state=states.get(name, ServiceState.HEALTHY))
        for name, mib in services.items()
    ]
    return judged(budgets, measured(report), services)


def judged(budgets: Budgets, memory: object, made_of: Iterable[str] = ("redis", "web")) -> Report:
    images = make_images(made_of)
    return Report(
        stack="desk",
        created="2026-11-23T20:44:00+00:00",
        commit="1f0c3e5a",
        verdict=judge(budgets, images, memory, None, today=TODAY),  # type: ignore[arg-type]
        images=images,
        memory=memory,  # type: ignore[arg-type]
        reproduce="onegig check",
    )


def beside(now: Report, before: Report, **changes: object) -> Comparison:
    baseline = replace(make_baseline(before, {}), **changes)  # type: ignore[arg-type]
    return compare(now, baseline, 0)


def delta(comparison: Comparison, identity: str, subject: str = "stack") -> Delta:
    (difference,) = (d for d in comparison.deltas if (d.id, d.subject) == (identity, subject))
    return difference


@given(reports())
def test_nothing_has_changed_beside_oneself_and_every_failure_is_inherited(now: Report) -> None:
    comparison = compare(now, make_baseline(now, {}), 0)
    assert {item.change for item in (*comparison.deltas, *comparison.services)} <= {Change.SAME}
    assert comparison.differences == ()
    assert comparison.total_bytes == now.verdict.total_bytes
    assert len(comparison.deltas) == len(now.verdict.checks)
    for item, check in zip(comparison.deltas, now.verdict.checks, strict=True):
        assert (item.id, item.subject, item.before) == (check.id, check.subject, check.value)
        assert item.inherited == (check.state is not GO)


@given(reports(), reports())
def test_the_other_way_round_is_the_opposite(now: Report, before: Report) -> None:
    there = compare(now, make_baseline(before, {}), 0)
    back = compare(before, make_baseline(now, {}), 0)
    assert {(d.name, BOTH_WAYS.get(d.change, d.change)) for d in there.services} == {
        (d.name, d.change) for d in back.services
    }
    known = {(d.id, d.subject): d.change for d in back.deltas}
    for item in there.deltas:
        opposite = BOTH_WAYS.get(item.change, item.change)
        # what only one run could know of is no change, and not spoken of in the other
        assert known.get((item.id, item.subject), Change.SAME) == opposite
    assert len(there.differences) == len(back.differences)


@given(reports(), reports())
def test_a_failure_is_inherited_only_where_the_baseline_has_the_check(
    now: Report, before: Report
) -> None:
    comparison = compare(now, make_baseline(before, {}), 3)
    assert comparison.behind == 3
    marks = {(check.id, check.subject) for check in before.verdict.checks}
    states = {(check.id, check.subject): check.state for check in now.verdict.checks}
    for item in comparison.deltas:
        if item.inherited:
            assert (item.id, item.subject) in marks
            assert states[item.id, item.subject] is not GO
        if item.change is Change.NEW:
            assert isinstance(item.before, Missing)


@given(reports(), st.dictionaries(st.sampled_from("abc"), st.floats(0, 1000)))
def test_a_baseline_keeps_the_numbers_and_fits_a_line(now: Report, costs: dict[str, float]) -> None:
    baseline = make_baseline(now, costs)
    assert from_json(Baseline, to_json(baseline), "baseline.json") == baseline
    assert (baseline.state, baseline.total_bytes) == (now.verdict.state, now.verdict.total_bytes)
    assert {item.cost_seconds for item in baseline.services} <= {None, *costs.values()}


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (500, 515, Change.SAME),  # 3 % of 515 MB
        (500, 516, Change.CHANGED),
        (516, 500, Change.CHANGED),
        (9000, 9040, Change.CHANGED),
        (10, 11, Change.SAME),
        (10, 12, Change.CHANGED),
    ],
)
def test_less_than_the_noise_is_no_change(before: int, now: int, change: Change) -> None:
    comparison = beside(report({"web": now}), report({"web": before}))
    assert delta(comparison, "memory.total").change is change
    assert comparison.services[0].change is change


@pytest.mark.parametrize(
    ("unit", "value", "floor"),
    [
        (Unit.MEMORY, 0, MIB),
        (Unit.MEMORY, 500 * MIB, 15 * MIB),
        (Unit.MEMORY, 9000 * MIB, 32 * MIB),
        (Unit.STORAGE, 10**6, 10**5),
        (Unit.STORAGE, 10**9, 5 * 10**6),
        (Unit.SHARE, 0.9, 0.005),
        (Unit.COUNT, 3, 0),
    ],
)
def test_the_noise_floor(unit: Unit, value: float, floor: float) -> None:
    assert noise_floor(unit, value, 0) == noise_floor(unit, 0, value) == pytest.approx(floor)


def test_new_removed_and_renamed_services() -> None:
    before = report({"redis": 10, "web": 50, "old": 30})
    now = report({"redis": 10, "web": 80, "new": 31})
    comparison = beside(now, before)
    assert [f"{item.name} {item.change}" for item in comparison.services] == [
        "new new",
        "web changed",
        "old removed",
        "redis same",
    ]
    new, web, old, _ = comparison.services
    assert (web.memory_before, web.memory_now) == (50 * MIB, 80 * MIB)
    assert (new.memory_before, new.memory_now) == (NEW, 31 * MIB)
    assert (old.image_now, isinstance(old.image_before, int)) == (REMOVED, True)
    assert delta(comparison, "service.state", "new").before == NEW
    assert delta(comparison, "service.state", "old").change is Change.REMOVED


@pytest.mark.parametrize(
    ("before", "now", "inherited"),
    [
        (30, 30, True),
        (30, 31, True),  # worse by noise
        (30, 33, False),  # clearly worse
        (60, 30, True),  # better, but still failing
        (20, 30, False),  # the baseline kept to the limit
        (30, 20, False),  # nothing fails
    ],
)
def test_introduced_and_inherited(before: int, now: int, *, inherited: bool) -> None:
    comparison = beside(report({"redis": now}), report({"redis": before}))
    assert delta(comparison, "service.memory", "redis").inherited is inherited


@pytest.mark.parametrize(
    ("before", "now", "limit", "inherited"),
    [
        (0.80, 0.80, 0.9, True),
        (0.80, 0.798, 0.9, True),  # worse by noise
        (0.80, 0.70, 0.9, False),
        (0.70, 0.80, 0.9, True),
        (0.95, 0.80, 0.9, False),
        (0.80, 0.80, 0.7, True),  # the baseline's limit was lower: by this one it fails, too
        (0.95, 0.80, 0.7, False),
    ],
)
def test_a_limit_from_below(before: float, now: float, limit: float, *, inherited: bool) -> None:
    """`limit` is the baseline's; now 90 % are asked for."""
    was, is_now = efficient(before, limit), efficient(now, 0.9)
    assert delta(beside(is_now, was), "image.efficiency", "web").inherited is inherited


def efficient(share: float, limit: float) -> Report:
    """One image that dive finds so efficient, with a limit that blocks."""
    report = make_images(["web"])
    dive = replace(report.images[0].dive, efficiency=share)  # type: ignore[type-var]
    images = replace(report, images=(replace(report.images[0], dive=dive),))
    share_limit = replace(REDIS.images, min_efficiency=limit)
    budgets = replace(REDIS, images=share_limit, lines=(("images.min_efficiency", 3),))
    memory = measured([service("web", 5 * MIB)])
    verdict = judge_stack(budgets, memory, images)
    return replace(judged(budgets, memory, ["web"]), images=images, verdict=verdict)


def test_a_service_that_crashed_before_is_inherited_and_one_that_crashes_now_is_not() -> None:
    well, ill = report({"web": 5}), report({"web": 5}, web=ServiceState.CRASHED)
    checks = [
        replace(check, value=40) if check.id == "service.state" else check
        for check in ill.verdict.checks
    ]
    often = replace(ill, verdict=replace(ill.verdict, checks=tuple(checks)))
    for now, before, inherited, change in (
        (ill, ill, True, Change.SAME),
        (often, ill, True, Change.SAME),
        (ill, well, False, Change.CHANGED),
    ):
        difference = delta(beside(now, before), "service.state", "web")
        assert (difference.inherited, difference.change) == (inherited, change)


def test_a_warning_before_does_not_excuse_a_failure_now() -> None:
    now, before = report({"web": 1030}), report({"web": 950})
    assert (before.verdict.state, now.verdict.state) == (WARN, NO_GO)
    assert not delta(beside(now, before), "memory.total").inherited


def test_a_limit_that_was_tightened_since_is_inherited() -> None:
    generous = replace(REDIS, services=(("redis", ServiceBudget(memory_bytes=90 * MIB)),))
    comparison = beside(report({"redis": 60}), report({"redis": 60}, generous))
    difference = delta(comparison, "service.memory", "redis")
    assert (difference.before, difference.inherited) == (60 * MIB, True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metric": Metric.PSS}, "adds up PSS, not real cost"),
        ({"limit_bytes": LIMIT * 2}, "against a limit of 2,000 MB, not 1,000 MB"),
    ],
)
def test_totals_of_another_kind_are_not_compared(change: dict[str, Any], reason: str) -> None:
    budgets = replace(REDIS, memory=replace(REDIS.memory, **change))
    comparison = beside(report({"redis": 1100}), report({"redis": 1100}, budgets))
    total = delta(comparison, "memory.total")
    for skipped in (comparison.total_bytes, total.before):
        assert isinstance(skipped, Skipped)
        assert reason in skipped.reason
    assert (total.change, total.inherited) == (Change.CHANGED, False)
    image = delta(comparison, "image.efficiency", "redis")
    assert (image.change, isinstance(image.before, float)) == (Change.SAME, True)


def test_services_by_another_metric_are_not_compared_but_their_images_are() -> None:
    pss = replace(REDIS, memory=replace(REDIS.memory, metric=Metric.PSS))
    (redis,) = beside(report({"redis": 90}), report({"redis": 10}, pss)).services
    assert redis.change is Change.SAME
    assert isinstance(redis.memory_before, Skipped)
    assert redis.image_before == redis.image_now


def test_another_machine_beside_the_limit_is_not_compared() -> None:
    memory = measured([service("web", 700 * MIB)])
    report = []
    for tier in ("aws-t2-micro", "gcp-e2-micro"):
        now = judged(REDIS, memory, ["web"])
        verdict = judge_stack(REDIS, memory, tier=find_tier(tier))
        report.append(replace(now, verdict=verdict))
    difference = delta(beside(*report), "memory.tier")
    assert difference.before == Skipped(reason="the baseline was judged for another machine")


def test_what_could_not_be_measured_on_either_side() -> None:
    whole = report({"redis": 30, "web": 5})
    gap = Unknown(reason="the box did not come up")
    without = judged(REDIS, gap)
    now = beside(without, whole)
    assert delta(now, "memory.total").change is Change.CHANGED
    assert not delta(now, "memory.total").inherited
    assert [item.change for item in now.services] == [Change.SAME] * 2
    assert not [item for item in now.deltas if item.change is Change.REMOVED]
    then = beside(whole, without)
    redis = delta(then, "service.memory", "redis")
    assert (redis.change, redis.before, redis.inherited) == (Change.SAME, gap, False)
    assert delta(beside(without, without), "memory.total").inherited


def test_a_baseline_of_nothing_knows_of_no_services() -> None:
    gap = Unknown(reason="no engine")
    nothing = replace(judged(REDIS, gap), images=gap)
    assert beside(report({"web": 5}), nothing).services == ()
    assert beside(nothing, report({"web": 5})).services == ()


def other_environment(**changes: object) -> Report:
    made = report({"web": 5})
    assert not isinstance(made.memory, Missing)
    env = replace(make_environment(), **changes)  # type: ignore[arg-type]
    return replace(made, memory=replace(made.memory, environment=env))


@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({"engine_version": "29.1.0"}, ("engine 29.1, was 28.0",)),
        ({"engine_version": "28.0.9"}, ()),
        ({"kernel": "6.8.0-1010-azure"}, ("kernel 6.8, was 6.17",)),
        ({"kernel": "6.17.3"}, ()),
        ({"cgroup_version": 1}, ("cgroup v1, was v2",)),
        ({"architecture": "aarch64"}, ("architecture aarch64, was x86_64",)),
        ({"bases": "assembled locally"}, ("base images assembled locally, was official",)),
        ({"runner": "local"}, ("runner local, was ubuntu24",)),
        ({"runner": "ubuntu24 20261122.1"}, ()),
        ({"onegig_version": "9"}, ("onegig 9, was 0.1.0",)),
        ({"cpus": 2, "os": "Debian"}, ()),
    ],
)
def test_what_else_differs(changes: dict[str, object], differences: tuple[str, ...]) -> None:
    comparison = beside(other_environment(**changes), other_environment())
    assert comparison.differences == differences


def test_an_environment_that_is_not_known() -> None:
    gap, known = Unknown(reason="x"), report({"web": 5})
    nothing = replace(known, memory=gap, images=gap)
    assert beside(known, nothing).differences == ("the baseline's environment is not known",)
    assert beside(nothing, known).differences == ("this run's environment is not known",)
