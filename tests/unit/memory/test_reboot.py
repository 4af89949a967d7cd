"""A reboot as it is observed: who is back, when, and the most that was taken since it booted."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from onegig.errors import MeasureError
from onegig.machine.machine import Container, Machine
from onegig.memory.reboot import reboot_stack
from onegig.model.budgets import Budgets, Metric
from onegig.model.memory import Reboot, SqueezedService
from onegig.model.service import ServiceState
from stacks import plain_container
from twins import MIB, machine_pass

PASSES = (
    machine_pass(
        100, available=100, faults=900, kills=3, victim="id-db"
    ),  # before: the kill is none of the reboot's
    machine_pass(110, available=780, faults=10),
    machine_pass(120, available=300, faults=40, kills=1, victim="id-web"),
    machine_pass(130, available=350, faults=50, kills=1),
)
BEFORE = (
    plain_container("db", comes_back=True),
    plain_container("web", comes_back=True),
    plain_container("tool"),
    plain_container("migrate", status="exited", health=""),
)


class Rebooted:
    """A machine of which each look shows the next containers, the last ones forever."""

    def __init__(self, *looks: Sequence[Container], seconds: float = 60) -> None:
        budgets = Budgets(path="budgets.yml", compose="compose.yml")
        measure = replace(budgets.measure, healthy_timeout_seconds=seconds)
        self.plan = SimpleNamespace(say=lambda _: None, budgets=replace(budgets, measure=measure))
        self.watch = SimpleNamespace(between=lambda *_: PASSES)
        self.looks, self.now = list(looks), 100.0

    def reboot(self) -> tuple[float, float]:
        if not self.looks:
            raise MeasureError("after a reboot the machine did not come back")
        self.now = 125.0
        return 100.0, 125.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def look(self) -> Sequence[Container]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def observe(self) -> Reboot:
        return reboot_stack(
            cast(Machine, self),
            BEFORE,
            Metric.COST,
            self.look,
            sleep=self.sleep,
            clock=lambda: self.now,
        )


def up(web: str = "healthy") -> tuple[Container, ...]:
    down = {"status": "exited", "exit_code": 137, "health": ""}
    return (
        plain_container("db", comes_back=True),
        plain_container("web", comes_back=True, health=web),
        plain_container("tool", **down),
    )


def test_it_waits_for_what_comes_back_and_names_what_does_not() -> None:
    seen = Rebooted((), up("starting"), up("starting"), up()).observe()
    assert (seen.down_seconds, seen.ready_seconds, seen.timed_out) == (25.0, 3.0, False)
    assert [(each.name, each.state) for each in seen.services] == [
        ("db", ServiceState.HEALTHY),
        ("web", ServiceState.HEALTHY),
    ]
    assert seen.absent == ("tool",)


def test_only_what_happened_since_the_machine_booted_counts() -> None:
    seen = Rebooted(up()).observe()
    assert (seen.peak_bytes, seen.available_bytes) == (500 * MIB, 300 * MIB)
    assert (seen.oom_kills, [each.oom_kills for each in seen.services]) == (1, [0, 1])


@pytest.mark.parametrize(
    ("machine", "problem", "services"),
    [
        (Rebooted(), "the machine did not come back", ()),
        (Rebooted(()), "its engine does not answer", ()),
        (
            Rebooted(up("starting"), seconds=5),
            "",
            (
                SqueezedService(name="db", state=ServiceState.HEALTHY, oom_kills=0),
                SqueezedService(name="web", state=ServiceState.NOT_READY, oom_kills=1),
            ),
        ),
    ],
    ids=["machine", "engine", "service"],
)
def test_what_does_not_come_back_ends_the_wait(
    machine: Rebooted, problem: str, services: Sequence[SqueezedService]
) -> None:
    seen = machine.observe()
    assert seen.timed_out
    assert (seen.problem, seen.services) == (problem, services)
