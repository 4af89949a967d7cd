"""Settling goes on while services restart, and ends with the last of them or after a while."""

import pytest

from onegig.machine.machine import Container
from onegig.memory.boot import RETRY_SECONDS, settle
from stacks import plain_container


class Stack:
    """One service, restarted at the given seconds; `status` is what it is between them."""

    def __init__(self, *restarts_at: float, status: str = "running") -> None:
        self.restarts_at = restarts_at
        self.status = status
        self.now = 0.0
        self.lines: list[str] = []

    def look(self) -> tuple[Container, ...]:
        count = sum(at <= self.now for at in self.restarts_at)
        return (plain_container("app", restarts=count, status=self.status, health=""),)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def settle(self, seconds: float = 5.0) -> int:
        (last,) = (
            settle(self.look, seconds, self.lines.append, sleep=self.sleep, clock=lambda: self.now)
            or ()
        )
        return last.restarts


def test_a_quiet_stack_settles_in_the_time_that_was_asked_for() -> None:
    stack = Stack()
    assert stack.settle() == 0
    assert (stack.now, stack.lines) == (5.0, ["settling for 5 s"])


def test_restarts_while_settling_prolong_it_until_they_end() -> None:
    stack = Stack(0.2, 3.0, 6.0, 12.0)
    assert stack.settle() == 4
    assert stack.now == 20.0
    assert stack.lines == ["settling for 5 s", "waiting for app: restarting"]


def test_a_service_that_waits_for_its_next_attempt_is_waited_for() -> None:
    stack = Stack(status="restarting")
    stack.settle()
    assert stack.now == RETRY_SECONDS


@pytest.mark.parametrize(("seconds", "until"), [(2.0, RETRY_SECONDS), (60.0, 60.0)])
def test_a_service_that_never_stops_restarting_is_given_up(seconds: float, until: float) -> None:
    stack = Stack(*map(float, range(100)))
    stack.settle(seconds)
    assert stack.now == until


def test_an_engine_that_does_not_answer_ends_it() -> None:
    lines: list[str] = []
    assert settle(lambda: None, 2.0, lines.append, sleep=lambda _: None) is None
