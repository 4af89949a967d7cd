"""Waivers: until when, of what, and what a reader is told of them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judging import (
    BUDGETS,
    GO,
    INCOMPLETE,
    MIB,
    NO_GO,
    TODAY,
    WARN,
    checks,
    judge_stack,
    limits,
    measured,
    service,
)
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets, ServiceBudget, Waiver
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.service import ServiceState
from onegig.model.state import State
from onegig.model.verdict import CHECK_KINDS, Verdict
from strategies import all_budgets, inspections, memories

LIMIT = 1000 * MIB
LAST = date(2026, 12, 31)


def waiver(check: str, subject: str | None = None, *, expires: date = LAST) -> Waiver:
    return Waiver(
        check=check, subject=subject, reason="#12: it shrinks", owner="@ops", expires=expires
    )


def verdict_on(
    *waivers: Waiver, today: date = TODAY, mib: int = 1030, own: int | None = None
) -> Verdict:
    """One service of that size in a machine of 1,000 MB."""
    budgets = replace(
        limits(LIMIT), waivers=waivers, services=(("web", ServiceBudget(memory_bytes=own)),)
    )
    memory = measured([service("web", mib * MIB)])
    memory = replace(memory, box=replace(memory.box, cap_bytes=LIMIT))
    return judge_stack(budgets, memory, today=today)


def test_a_waived_failure_is_a_warning_with_its_terms() -> None:
    verdict = verdict_on(waiver("memory.total"))
    (total,) = checks(verdict, "memory.total")
    assert (verdict.state, total.state) == (WARN, WARN)
    assert total.waived == "until 2026-12-31 by @ops: #12: it shrinks"
    assert verdict.sentence == (
        "WARN: 1,030 of 1,000 MB, 30 MB (3 %) over; web takes 1,030 MB; waived until 2026-12-31"
    )
    assert verdict.notes == ()


@pytest.mark.parametrize(
    ("today", "state"),
    [(LAST - timedelta(days=1), WARN), (LAST, WARN), (LAST + timedelta(days=1), NO_GO)],
)
def test_it_holds_until_its_last_day_is_over(today: date, state: State) -> None:
    assert verdict_on(waiver("memory.total"), today=today).state is state


def test_one_that_has_expired_fails_and_says_who_owned_it() -> None:
    verdict = verdict_on(waiver("memory.total", expires=TODAY - timedelta(days=1)))
    (total,) = checks(verdict, "memory.total")
    assert total.waived == ""
    assert verdict.sentence.endswith("; the waiver by @ops expired on 2026-11-22")
    assert verdict.state is NO_GO


@pytest.mark.parametrize(
    ("days", "left"),
    [(15, ""), (14, " (14 days left)"), (1, " (1 day left)"), (0, " (its last day)")],
)
def test_one_that_ends_soon_says_so(days: int, left: str) -> None:
    expires = TODAY + timedelta(days=days)
    verdict = verdict_on(waiver("memory.total", expires=expires))
    (total,) = checks(verdict, "memory.total")
    assert total.waived == f"until {expires}{left} by @ops: #12: it shrinks"
    notes = (f"the waiver of memory.total by @ops ends on {expires}{left}",) if left else ()
    assert verdict.notes == notes


def test_the_one_that_holds_longest_counts() -> None:
    over = waiver("memory.total", expires=TODAY - timedelta(days=9))
    longer = waiver("memory.total", "stack")
    for pair in ((over, longer), (longer, over)):
        assert checks(verdict_on(*pair), "memory.total")[0].state is WARN


def test_only_what_it_names_is_waived() -> None:
    verdict = verdict_on(waiver("memory.total", "web"), waiver("service.memory", "web"), own=MIB)
    (total,), (own,) = checks(verdict, "memory.total"), checks(verdict, "service.memory")
    assert (total.state, own.state) == (NO_GO, WARN)
    assert verdict.notes == (
        "the waiver of memory.total of web by @ops is unused: no check that it covers fails",
    )


def test_without_a_subject_every_one_is_waived() -> None:
    names = ("a", "b")
    ill = [service(name, MIB, state=ServiceState.CRASHED) for name in names]
    budgets = replace(BUDGETS, waivers=(waiver("service.state"),))
    verdict = judge_stack(budgets, measured(ill))
    assert [check.state for check in checks(verdict, "service.state")] == [WARN] * 2


def test_an_unused_one_is_noted_and_changes_nothing() -> None:
    verdict = verdict_on(waiver("memory.total"), waiver("image.wasted", "web"), mib=300)
    assert verdict.state is GO
    assert verdict.notes == (
        "the waiver of memory.total by @ops is unused: no check that it covers fails",
        "the waiver of image.wasted of web by @ops is unused: no check that it covers fails",
    )


def test_what_was_not_measured_is_neither_waived_nor_unused() -> None:
    gap: Missing = Unknown(reason="no engine")
    own = (waiver("memory.total"), waiver("service.memory", "web"), waiver("images.total"))
    budgets = replace(BUDGETS, waivers=own)
    verdict = judge(budgets, gap, gap, None, today=TODAY)
    assert verdict.state is INCOMPLETE
    assert verdict.notes == ()
    (total,) = checks(verdict, "memory.total")
    assert (total.waived, total.state) == ("", INCOMPLETE)
    assert total.message.endswith("; not waived: a check that was not measured can't be waived")


@given(
    all_budgets(),
    inspections(),
    memories(),
    st.lists(st.sampled_from(list(CHECK_KINDS)), unique=True),
)
def test_no_waiver_makes_a_go_of_a_failure_or_anything_worse(
    budgets: Budgets, images: ImagesReport, memory: MemoryReport, metrics: list[str]
) -> None:
    waived = replace(budgets, waivers=tuple(map(waiver, metrics)))
    before = judge(budgets, images, memory, None, today=TODAY)
    after = judge(waived, images, memory, None, today=TODAY)
    for old, new in zip(before.checks, after.checks, strict=True):
        assert (old.id, old.subject, old.value) == (new.id, new.subject, new.value)
        assert (old.state is GO) == (new.state is GO)
        assert new.state.rank <= old.state.rank
        assert bool(new.waived) == (new.id in metrics and old.state in (NO_GO, WARN))
        if not new.waived:
            assert new.state is old.state
    assert {check.id for check in before.checks} <= set(CHECK_KINDS)
