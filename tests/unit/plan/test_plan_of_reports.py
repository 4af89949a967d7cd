"""Plans of whole reports: optional services, machine settings, offers, confidence, changes."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest

from factories import BUDGETS, MIB, SERVICES, TODAY, make_service
from onegig.errors import ConfigError
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import MemoryReport
from onegig.model.plan import Change, ChangeKind, Plan
from onegig.model.redis import ServiceRedis
from onegig.model.report import Report
from onegig.model.settings import HugePages
from onegig.model.stack import Service, Stack
from onegig.model.tiers import GB, find_tier
from onegig.plan.case import Case
from onegig.plan.edit import change_budgets, merge_changes
from onegig.plan.engine import PODMAN, other_engines
from onegig.plan.machine import machine_settings
from onegig.plan.optional import optional_services
from onegig.plan.options import make_plan
from onegig.plan.pace import COMMANDS, START
from onegig.plan.pay import find_offers, price_of
from onegig.plan.redis import redis_savings
from onegig.planning import check_same_stack
from planned import COMPOSE, plan_stack
from redis_audits import make_audit
from scenarios import SETTINGS, make_incomplete, make_planned, run
from twins import make_twin


def case_of(report: Report, stack: Stack | None = None, **changes: object) -> Case:
    assert isinstance(report.memory, MemoryReport)
    case = Case(
        report=report,
        memory=report.memory,
        stack=stack or Skipped(reason="not read"),
        budgets=BUDGETS,
        today=TODAY,
    )
    return replace(case, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def stack_of(needs: Mapping[str, tuple[str, ...]]) -> Stack:
    services = (
        Service(
            name=name,
            image=name,
            builds=False,
            dockerfile=None,
            replicas=1,
            has_healthcheck=False,
            depends_on=on,
            optional=True,
            criticality="",
            memory_limit_bytes=None,
        )
        for name, on in needs.items()
    )
    return Stack(
        name="desk",
        directory=".",
        files=("compose.yml",),
        services=tuple(services),
        config_json="{}",
    )


def test_only_services_that_nothing_needs_are_turned_off() -> None:
    """A goes alone; with b goes a, which needs it; c is needed by a critical one and stays."""
    marks = {"a": "low", "b": "", "c": "low", "d": "critical"}
    services = [make_service(name, 50, criticality=rank) for name, rank in marks.items()]
    stack = stack_of({"a": ("b",), "b": (), "c": (), "d": ("c",)})
    case = case_of(run(services), stack)
    actions = {action.id: action for action in optional_services(case)}
    assert {name: action.removes for name, action in actions.items()} == {
        "off:a": ("a",),
        "off:b": ("b", "a"),
    }
    assert actions["off:a"].saving.low_bytes > 48 * MIB
    assert actions["off:b"].saving.bytes > 2 * actions["off:a"].saving.bytes - MIB
    (change,) = actions["off:b"].changes
    profiles = {"profiles": ["optional"]}
    assert json.loads(change.text) == {"services": {"b": profiles, "a": profiles}}


@pytest.mark.parametrize(
    ("measured", "tier", "saved"),
    [
        (HugePages.ALWAYS, "none", 15 * (64 * MIB // 15)),
        (HugePages.ALWAYS, "gcp-e2-micro", 15 * (64 * MIB // 15)),
        (HugePages.MADVISE, "gcp-e2-micro", 0),  # only there, where Debian gives them unasked
        (HugePages.ALWAYS, "aws-t2-micro", None),  # that machine does not
        (HugePages.MADVISE, "none", None),
    ],
)
def test_huge_pages(measured: HugePages, tier: str, saved: int | None) -> None:
    services = [make_service(name, size) for name, size in SERVICES.items()]
    report = run(services, settings=replace(SETTINGS, thp=measured))
    case = case_of(report, budgets=replace(BUDGETS, tier_names=(tier,)))
    found = [action for action in machine_settings(case) if action.id == "thp"]
    assert [action.saving.bytes for action in found] == ([] if saved is None else [saved])
    assert all(action.tier_bytes == 15 * (64 * MIB // 15) for action in found)


def test_swap_is_offered_once_and_promises_nothing() -> None:
    report = run([make_service("web", 100)], settings=SETTINGS)
    swaps = [a for a in machine_settings(case_of(report)) if a.id in ("swap", "zram")]
    assert [action.saving.bytes for action in swaps] == [0, 0]
    assert swaps[0].excludes == ("zram",)
    has = run([make_service("web", 100)], settings=replace(SETTINGS, swap_bytes=GB))
    assert not [a for a in machine_settings(case_of(has)) if a.id in ("swap", "zram")]


def test_swap_takes_what_the_kernel_wants_free() -> None:
    """On a twin, where it can be tried; a box has none."""
    case = case_of(run([make_service("web", 900)], settings=SETTINGS))
    on_twin = replace(case, memory=replace(case.memory, twin=make_twin()))
    total = case.report.verdict.total_bytes
    assert isinstance(total, int)
    pushed = total - case.report.verdict.limit_bytes + 80 * MIB
    assert pushed > 0
    for each, saved in ((case, 0), (on_twin, pushed)):
        swap, _ = [a for a in machine_settings(each) if a.id in ("swap", "zram")]
        assert (swap.saving.bytes, swap.saving.high_bytes) == (saved, pushed + 40 * MIB)


def test_offers_are_the_cheapest_that_keep_headroom() -> None:
    offers = find_offers(case_of(run([make_service("web", 1300)])))
    assert [offer.tier for offer in offers][:2] == ["lightsail-2gb", "aws-t3-small"]
    assert all(offer.needed_bytes <= 0.9 * offer.room_bytes for offer in offers)
    small = offers[1]
    assert small.usd_per_month == 21.23
    assert small.price == "15.18 machine + 3.65 IPv4 + 2.40 30 GB"
    assert small.free == "up to 6 months on 200 USD of credit"
    arm = next(offer for offer in offers if offer.architecture == "aarch64")
    assert "images must be built for aarch64" in arm.remarks
    prices = [o.usd_per_month for o in offers if o.architecture == "x86_64"]
    assert prices == sorted(prices)  # type: ignore[type-var]  # none of these is missing


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("tier: aws-t2-micro\nmemory:\n  limit: 1GB\n", ["tier: big", "  limit: 2048MB"]),
        ("tier: aws-t2-micro # ours\n", ["memory: {limit: 2048MB}", "tier: big # ours"]),
        ("memory: {limit: 1GB}\n", ["tier: big", "memory: {limit: 2048MB}"]),
        ("tier: [aws-t2-micro, aws-t3-micro]\nmemory: {limit: 1GB}\n", None),
        ("tier: aws-t2-micro\r\n", None),  # a copied diff would not apply
    ],
)
def test_a_larger_machine_is_written_in_full_or_not_at_all(
    text: str, added: list[str] | None
) -> None:
    """With half of it the stack would still be judged for the smaller machine."""
    case = case_of(run([make_service("web", 50)]), files={BUDGETS.path: text})
    change = change_budgets(case, {"tier": "big", "memory": {"limit": "2048MB"}})
    lines = re.findall(r"^\+([^+].*)", change.text, re.MULTILINE) if change else None
    assert lines == added


def test_unknown_prices_are_not_guessed() -> None:
    usd, reason = price_of(find_tier("azure-b1s"), 30 * GB)
    assert isinstance(usd, Missing)
    assert reason == "the price of machine and IPv4 is not in the catalogue"


@pytest.mark.parametrize(("today", "is_old"), [("2027-05-22", False), ("2027-05-23", True)])
def test_old_rows_warn(today: str, is_old: bool) -> None:
    report = run([make_service("web", 1300)])
    plan = make_plan(case_of(report, today=date.fromisoformat(today)))
    assert isinstance(plan, Plan)
    assert any("over 180 days ago" in note for note in plan.notes) is is_old
    assert all(("checked over 180 days ago" in o.remarks) is is_old for o in plan.offers)


def test_services_of_an_active_profile_stay() -> None:
    """Compose would add the profile `optional` to theirs, and start them anyway."""
    services = [make_service(name, 50, criticality="low") for name in ("a", "b")]
    stack = plan_stack({"a": {"profiles": ["desk"]}, "b": {}})
    found = [action.id for action in optional_services(case_of(run(services), stack))]
    assert found == ["off:b"]


def test_confidence_beside_what_was_estimated() -> None:
    plan = make_planned().plan
    assert isinstance(plan, Plan)
    assert [claim.estimated for claim in plan.confidence] == [0.95, 0.80, 0.60, 0.70]
    images, memory, squeeze, together = plan.confidence
    assert squeeze.subject == "the last 226 MB can go"
    assert squeeze.basis == "option A was booted"
    assert isinstance(memory.probability, float)
    assert memory.probability < 0.5
    assert isinstance(images.probability, float)
    assert isinstance(squeeze.probability, float)
    assert together.probability == pytest.approx(images.probability * squeeze.probability)


def audited_case(scale: int) -> Case:
    """A case whose Redis's savings are so many times what the made-up audit has."""
    audit = make_audit()
    assert not isinstance(audit.savings, Missing)
    savings = tuple(
        replace(
            each,
            saved_bytes=each.saved_bytes * scale // 100,
            cumulative_bytes=each.cumulative_bytes * scale // 100,
        )
        for each in audit.savings
    )
    redis = (ServiceRedis(service="redis-coordinator", audit=replace(audit, savings=savings)),)
    case = case_of(make_planned())
    return replace(case, memory=replace(case.memory, redis=redis))


def test_what_saves_less_than_a_megabyte_of_redis_is_not_proposed() -> None:
    assert [action.id for action in redis_savings(audited_case(100))] == ["redis:redis-coordinator"]
    assert [*redis_savings(audited_case(0))] == []


@pytest.mark.parametrize(
    ("name", "services", "is_same"),
    [
        ("crypto-desk", ("risk", "new"), True),  # others came and went since
        ("a-folder", (*SERVICES, "new"), True),  # cloned into a folder of another name
        ("crypto-desk", ("web", "db"), False),
        ("homelab", ("risk", "web"), False),
    ],
)
def test_a_report_of_another_stack_is_not_fitted_to_these_files(
    name: str, services: tuple[str, ...], is_same: bool
) -> None:
    report = replace(make_planned(), stack="crypto-desk")
    stack = replace(plan_stack({service: {} for service in services}), name=name)
    if is_same:
        check_same_stack(report, stack)
    else:
        with pytest.raises(ConfigError, match=r"the report is of crypto-desk, but compose.yml has"):
            check_same_stack(report, stack)


def test_no_plan_without_memory() -> None:
    report = make_incomplete()
    assert isinstance(report.memory, Missing)
    case = replace(case_of(run([make_service("web", 10)])), report=report)
    assert isinstance(make_plan(case), Missing)


def test_changes_fall_back_to_an_override_file() -> None:
    services = [make_service("web", 50, criticality="low")]
    case = case_of(run(services), stack_of({"web": ()}), files={"compose.yml": COMPOSE})
    actions = list(optional_services(case))
    (change,) = merge_changes(case, actions)
    assert change.path == "compose.yml"
    found = replace(BUDGETS, compose_files=())
    (change,) = merge_changes(replace(case, files={}, budgets=found), actions)
    assert change.path == "compose.override.yml"  # compose reads it by itself
    named = replace(BUDGETS, compose_files=("compose.yml",), profiles=("desk",))
    change, command = merge_changes(replace(case, files={}, budgets=named), actions)
    assert change.path == "compose.plan.yml"
    assert command.text.startswith(
        "docker compose -f compose.yml -f compose.plan.yml --profile=desk up -d"
    )


def test_every_command_reads_the_files_that_the_stack_is_made_of() -> None:
    """Another `docker compose up` would undo the plan, and start everything at once."""
    named = replace(BUDGETS, compose_files=("compose.yml", "more.yml"), profiles=("desk",))
    stack = replace(stack_of({"web": ()}), files=named.compose_files)
    case = case_of(run([make_service("web", 50, criticality="low")]), stack, budgets=named)
    (off,) = optional_services(case)
    podman = next(action for action in other_engines(case) if action.id == PODMAN)
    start = replace(off, id=START, changes=(Change(kind=ChangeKind.COMMANDS, text=COMMANDS),))
    with_plan = "docker compose -f compose.yml -f more.yml -f compose.plan.yml --profile=desk"
    ends = [
        change.text.splitlines()[-1]
        for change in merge_changes(case, [off, podman, start])
        if change.kind is ChangeKind.COMMANDS
    ]
    assert ends == [
        "export DOCKER_HOST=unix:///run/podman/podman.sock",
        f"{with_plan} config --services | xargs -n 3 {with_plan} up -d",
    ]
    (change,) = merge_changes(case, [podman])
    assert change.text.endswith("docker compose -f compose.yml -f more.yml --profile=desk up -d\n")


def test_the_file_of_an_earlier_plan_is_changed_or_left_to_itself() -> None:
    """It may lie there unused, or be one of the project's files by now."""
    services = [make_service("web", 50, criticality="low")]
    named = replace(BUDGETS, compose_files=("compose.yml", "more.yml"))
    stack = replace(stack_of({"web": ()}), files=named.compose_files)
    case = case_of(run(services), stack, budgets=named)
    actions = list(optional_services(case))
    (new, _) = merge_changes(case, actions)
    assert new.text.startswith("--- /dev/null\n")
    lies = {"compose.plan.yml": "services: {}\n"}
    (change, _) = merge_changes(replace(case, files=lies), actions)
    assert change.text.startswith("--- a/compose.plan.yml\n")
    (command,) = merge_changes(replace(case, files={"compose.plan.yml": _text(new.text)}), actions)
    assert "-f compose.plan.yml" in command.text
    used = replace(stack, files=(*stack.files, "compose.plan.yml"))
    (change, _) = merge_changes(replace(case, stack=used), actions)
    assert change.path == "compose.plan2.yml"


def _text(diff: str) -> str:
    """The new file that a diff makes."""
    return "".join(f"{line[1:]}\n" for line in diff.splitlines()[3:])
