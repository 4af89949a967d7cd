"""Merged containers: which services, what that saves, and the change that does it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from factories import MIB
from mergeable import BUDGETS, LABELS, make_case
from onegig.model.measured import Skipped
from onegig.model.memory import MemoryReport
from onegig.model.plan import Action, Loss
from onegig.plan.case import Case
from onegig.plan.consolidate import merged_services
from onegig.plan.containers import container_bytes


def merge(case: Case) -> Action:
    (action,) = merged_services(case)
    return action


def compose(action: Action) -> dict[str, Any]:
    (change,) = action.changes
    services: dict[str, Any] = json.loads(change.text)["services"]
    return services


def test_twelve_of_fifteen_containers_in_one_save_what_was_measured() -> None:
    """The reference stack's twelve took 135.0 MB less: medians of 345.6 and 210.7 MB."""
    saving = merge(make_case()).saving
    assert saving.bytes == pytest.approx(135.0 * MIB, rel=0.05)
    assert saving.low_bytes < 135.0 * MIB < saving.high_bytes


def test_a_container_costs_the_private_part_of_its_shim() -> None:
    memory = make_case().memory
    one = container_bytes(memory, BUDGETS.memory.metric)
    assert one.bytes == pytest.approx(6.6 * MIB, rel=0.02)
    lone = replace(memory.engine[1], processes=1, pss_bytes=9 * MIB)
    assert container_bytes(replace(memory, engine=(lone,)), BUDGETS.memory.metric).bytes > 9 * MIB
    assert container_bytes(replace(memory, engine=()), BUDGETS.memory.metric).bytes < 2 * MIB


@pytest.mark.parametrize(
    ("total_mib", "count", "loss"),
    [
        (500, 12, Loss.MAJOR),  # fits already
        (936, 3, Loss.MINOR),  # 14 MB over what leaves headroom
        (1_030, 10, Loss.MAJOR),  # 108 MB over that
        (1_140, 11, Loss.MAJOR),  # fits without headroom
        (1_500, 12, Loss.MAJOR),  # never fits
    ],
)
def test_no_more_are_merged_than_it_takes_and_the_least_critical_first(
    total_mib: float, count: int, loss: Loss
) -> None:
    action = merge(make_case(total_mib))
    assert (len(action.services), action.loss) == (count, loss)


def test_the_change_lists_the_services_for_the_most_critical_and_stops_the_others() -> None:
    configs = {"s4": {"environment": {"RUN": "s4", "S4_LENGTH": "9", "SHARED": "1"}}}
    action = merge(make_case(936, configs))
    assert action.title == "Run s1, s4 in the container of s6"
    assert (action.id, action.removes) == ("merge:intelligence", ("s1", "s4"))
    assert compose(action) == {
        "s6": {"environment": {"RUN": "s6,s1,s4", "S4_LENGTH": "9", "SHARED": "1"}},
        "s1": {"profiles": ["merged"]},
        "s4": {"profiles": ["merged"]},
    }


def test_a_limit_that_is_too_low_for_all_of_them_is_raised() -> None:
    heavy = compose(merge(make_case(930, anon_mib=44.0, limit_mib=56)))
    assert {name: change.get("mem_limit") for name, change in heavy.items()} == {
        "s4": "80m",
        "s1": None,
    }


def test_a_limit_is_raised_where_the_service_has_it() -> None:
    """Compose refuses a project that says one thing in `deploy` and another beside it."""
    limits = {"memswap_limit": str(56 * MIB), "deploy": _limit(str(56 * MIB))}
    configs = {f"s{number}": limits for number in range(12)}
    change = compose(merge(make_case(930, configs, anon_mib=44.0, limit_mib=56)))["s4"]
    assert {key: change.get(key) for key in ("mem_limit", "memswap_limit", "deploy")} == {
        "mem_limit": None,
        "memswap_limit": str(80 * MIB),
        "deploy": _limit("80m"),
    }


def _limit(size: str) -> dict[str, Any]:
    return {"resources": {"limits": {"memory": size}}}


@pytest.mark.parametrize(
    ("configs", "depends_on"),
    [
        ({"s1": {"user": "0"}}, {}),
        ({"s1": {"volumes": [{"type": "volume", "source": "data", "target": "/data"}]}}, {}),
        ({"s1": {"command": ["other"]}}, {}),
        ({"s1": {"environment": {"URL": "a"}}, "s0": {"environment": {"URL": "b"}}}, {}),
        ({"s1": {"labels": {"onegig.merge": "intelligence"}}}, {}),
        ({"s1": {"labels": {**LABELS, "onegig.merge": "alone"}}}, {}),
        ({"s1": {"labels": {**LABELS, "onegig.merge.variable": "OTHER"}}}, {}),
        ({}, {"s3": ("s1",)}),
    ],
)
def test_a_service_that_needs_something_of_its_own_keeps_its_container(
    configs: Mapping[str, Mapping[str, Any]], depends_on: Mapping[str, tuple[str, ...]]
) -> None:
    action = merge(make_case(500, configs, depends_on))
    assert len(action.services) == 11
    assert "s1" not in compose(action)


def test_nothing_is_merged_without_labels_or_without_the_stack() -> None:
    case = make_case(500, {f"s{number}": {"labels": {}} for number in range(12)})
    assert not list(merged_services(case))
    assert not list(merged_services(replace(make_case(), stack=Skipped(reason="only a report"))))


def test_replicas_are_not_merged() -> None:
    case = make_case(500)
    doubled: MemoryReport = replace(
        case.memory,
        services=(replace(case.memory.services[0], containers=2), *case.memory.services[1:]),
    )
    assert "s0" not in compose(merge(replace(case, memory=doubled)))


@pytest.mark.parametrize(("text", "count"), [("LENGTH: 9\n", 12), ("LENGTH: ${LENGTH}\n", 11)])
def test_a_variable_of_one_service_is_only_written_as_its_file_has_it(
    text: str, count: int
) -> None:
    case = make_case(configs={"s4": {"environment": {"LENGTH": "9"}}})
    assert len(merge(replace(case, files={"compose.yml": text})).services) == count


def test_services_of_an_active_profile_are_not_merged() -> None:
    """Compose would add the plan's profile to theirs, and start them anyway."""
    case = make_case(configs={"s4": {"profiles": ["desk"]}})
    assert "s4" not in merge(case).services
