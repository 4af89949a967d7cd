"""Right-sized limits: the rule by hand, what is wrong with today's, and the keys that set them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from factories import MIB, TODAY, make_memory, make_report, make_service
from onegig.config.budgets import parse_budgets
from onegig.model.measured import Skipped
from onegig.model.service import ServiceState
from onegig.plan.case import Case
from onegig.plan.limits import find_service_limits, right_sized_limits
from planned import plan_stack

BUDGETS = parse_budgets("budgets.yml", b"version: 1\ntier: none\nmemory: {limit: 1024MB}\n")


def make_case(config: Mapping[str, Any] | None = None, **changes: object) -> Case:
    """Return a stack of one service with a peak of 100 MB and a working set of 60."""
    sizes = {"peak_bytes": 100 * MIB, "working_set_bytes": 60 * MIB, **changes}
    memory = make_memory([make_service("api", 50.0, **sizes)])
    return Case(
        report=make_report(memory, Skipped(reason="not inspected"), BUDGETS),
        memory=memory,
        stack=plan_stack({"api": config or {}}),
        budgets=BUDGETS,
        today=TODAY,
    )


KILLED = {"oom_kills": 1, "own_limit_kills": 1}


@pytest.mark.parametrize(
    ("changes", "limit_mb", "reservation_mb", "remark"),
    [
        ({}, 115, 60, "no limit: a leak would take the whole machine"),
        ({"peak_bytes": 10 * MIB, "working_set_bytes": 4 * MIB}, 18, 6, "no limit: a leak"),
        ({"limit_bytes": 200 * MIB}, 115, 60, ""),
        ({"limit_bytes": 110 * MIB}, 115, 60, "too low: 10 MB above its peak"),
        ({"limit_bytes": 64 * MIB, "peak_bytes": 64 * MIB}, 74, 60, "too low: 4.0 MB above its"),
        # killed by a full machine while the page cache filled it
        ({"limit_bytes": 100 * MIB, "oom_kills": 1}, 100, 60, "enough: only page cache fills it"),
        ({"limit_bytes": 100 * MIB}, 100, 60, "enough: only page cache fills it"),
        ({"limit_bytes": 2048 * MIB}, 115, 60, "pointless: the machine has 944 MB for everything"),
        (
            {"limit_bytes": 80 * MIB, "oom_kills": 1, "own_limit_kills": 1},
            100,
            60,
            "too low: it was killed there",
        ),
        ({"containers": 2, "peak_bytes": 200 * MIB, "working_set_bytes": 80 * MIB}, 115, 40, "no"),
    ],
)
def test_a_limit_is_the_peak_and_15_percent(
    changes: dict[str, object], limit_mb: int, reservation_mb: int, remark: str
) -> None:
    (limit,) = find_service_limits(make_case(**changes))
    assert limit.remark.startswith(remark)
    assert bool(limit.remark) == bool(remark)
    assert (limit.new_bytes, limit.reservation_bytes) == (limit_mb * MIB, reservation_mb * MIB)


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ({}, {"mem_limit": "115m", "mem_reservation": "60m"}),
        (
            {"deploy": {"resources": {"limits": {"memory": "200000000", "cpus": 1}}}},
            {
                "deploy": {
                    "resources": {
                        "limits": {"memory": "115m"},
                        "reservations": {"memory": "60m"},
                    }
                }
            },
        ),
        (
            {"mem_limit": str(200 * MIB), "memswap_limit": str(300 * MIB)},
            {"mem_limit": "115m", "mem_reservation": "60m", "memswap_limit": str(215 * MIB)},
        ),
        (
            {
                "mem_limit": str(200 * MIB),
                "deploy": {"resources": {"reservations": {"memory": str(20 * MIB)}}},
            },
            {
                "mem_limit": "115m",
                "deploy": {"resources": {"reservations": {"memory": "60m"}}},
            },
        ),
        (
            {
                "memswap_limit": str(200 * MIB),
                "deploy": {"resources": {"limits": {"memory": str(200 * MIB)}}},
            },
            {
                "memswap_limit": str(115 * MIB),
                "deploy": {
                    "resources": {
                        "limits": {"memory": "115m"},
                        "reservations": {"memory": "60m"},
                    }
                },
            },
        ),
    ],
    ids=["none", "deploy", "swap", "both", "swap beside deploy"],
)
def test_the_keys_that_a_service_has_are_those_that_are_set(
    config: dict[str, Any], keys: dict[str, Any]
) -> None:
    (action,) = right_sized_limits(make_case(config))
    assert json.loads(action.changes[0].text) == {"services": {"api": keys}}


def test_right_limits_and_heaps_that_follow_them_are_left_alone() -> None:
    assert list(right_sized_limits(make_case(limit_bytes=115 * MIB))) == []
    java = make_case({"command": ["java", "-jar", "app.jar"]})
    assert list(right_sized_limits(java)) == []
    (limit,) = find_service_limits(java)
    assert limit.remark == "its heap is a share of its limit: set -Xmx first"
    assert list(right_sized_limits(make_case({"command": ["java", "-Xmx64m", "-jar", "a.jar"]})))


def test_what_is_wrong_with_a_limit_is_said_of_heaps_that_follow_it_too() -> None:
    (limit,) = find_service_limits(make_case({"image": "node:22"}, limit_bytes=2048 * MIB))
    assert limit.remark.startswith("pointless: ")
    assert limit.remark.endswith(
        "; its heap is a share of its limit: set --max-old-space-size first"
    )


def test_a_store_is_not_limited_to_the_data_of_one_window() -> None:
    (limit,) = find_service_limits(make_case({"image": "redis:8"}))
    assert limit.remark == "no limit: a leak would take the whole machine; leave room for its data"


def test_a_service_that_did_not_run_has_no_limit() -> None:
    case = make_case(state=ServiceState.WAITING, working_set_bytes=0)
    assert find_service_limits(case) == ()
    assert list(right_sized_limits(replace(case, stack=Skipped(reason="not read")))) == []
