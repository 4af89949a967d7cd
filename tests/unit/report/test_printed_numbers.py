"""Rounding: whatever is over its limit reads as over it, wherever it is printed."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import MB, MIB, make_check, make_service
from onegig.model.measured import Skipped, Unknown
from onegig.model.service import ServiceState
from onegig.model.verdict import Unit
from onegig.report import numbers

sizes = st.integers(0, 64 * 1000**3)


def first_number(text: str) -> Decimal:
    match = re.search(r"[\d,]+(?:\.\d+)?", text)
    assert match
    number = Decimal(match[0].replace(",", ""))
    return number * 1000 if "GB" in text else number


@given(value=sizes, limit=sizes, unit=st.sampled_from([Unit.MEMORY, Unit.STORAGE]))
def test_printed_sizes_tell_the_truth(value: int, limit: int, unit: Unit) -> None:
    check = make_check("x", "x", unit=unit, value=value, limit=limit)
    room = numbers.check_headroom(check)
    assert room.endswith("over") == (value > limit)
    if value > limit:
        printed = first_number(numbers.check_value(check)), first_number(numbers.check_limit(check))
        assert printed[0] > printed[1]
        assert first_number(room) > 0


@given(value=st.floats(0, 1), limit=st.decimals(0, 1, places=3))
def test_printed_shares_tell_the_truth(value: float, limit: Decimal) -> None:
    check = make_check("x", "x", unit=Unit.SHARE, value=value, limit=float(limit), at_most=False)
    if value < float(limit):
        assert numbers.check_headroom(check).endswith("points under")
        assert first_number(numbers.check_value(check)) < first_number(numbers.check_limit(check))


@pytest.mark.parametrize(
    ("unit", "value", "limit", "printed"),
    [
        (Unit.MEMORY, 612 * MIB, 1024 * MIB, ("612 MB", "1,024 MB", "412 MB")),
        (Unit.MEMORY, 1310 * MIB - 5, 1024 * MIB, ("1,310 MB", "1,024 MB", "286 MB over")),
        (Unit.MEMORY, 1024 * MIB, 1024 * MIB, ("1,024 MB", "1,024 MB", "0 MB")),
        (Unit.MEMORY, 1024 * MIB + 1, 1024 * MIB, ("1,025 MB", "1,024 MB", "1 MB over")),
        (Unit.MEMORY, 5 * MIB, None, ("5.0 MB", numbers.DASH, numbers.DASH)),
        (Unit.STORAGE, 33 * MB, 30_000 * MB, ("33 MB", "30 GB", "29.9 GB")),
        (Unit.STORAGE, 31_040 * MB, 30_000 * MB, ("31.1 GB", "30 GB", "1,040 MB over")),
        (Unit.STORAGE, 43 * MB, 1_900 * MB, ("43 MB", "1,900 MB", "1,857 MB")),
        (Unit.SHARE, 0.9862, 0.9, ("98.6 %", "≥ 90 %", "8.6 points")),
        (Unit.SHARE, 0.89999, 0.9, ("89.9 %", "≥ 90 %", "0.1 points under")),
        (Unit.SHARE, 0.07, 0.1, ("7 %", "10 %", "3 points")),
        (Unit.SHARE, 0.1001, 0.1, ("10.1 %", "10 %", "0.1 points over")),
    ],
)
def test_a_check_s_value_limit_and_headroom(
    unit: Unit, value: float, limit: float | None, printed: tuple[str, ...]
) -> None:
    at_most = not printed[1].startswith("≥")
    check = make_check("x", "x", unit=unit, value=value, limit=limit, at_most=at_most)
    shown = numbers.check_value(check), numbers.check_limit(check), numbers.check_headroom(check)
    assert shown == printed


@pytest.mark.parametrize(
    ("unit", "before", "value", "limit", "printed"),
    [
        (Unit.MEMORY, 460 * MIB, 472 * MIB, 1024 * MIB, "+12 MB"),
        (Unit.MEMORY, 460 * MIB + 1, 472 * MIB, 1024 * MIB, "+11 MB"),
        (Unit.MEMORY, 472 * MIB, 460 * MIB, 1024 * MIB, f"{numbers.MINUS}12 MB"),
        (Unit.MEMORY, 460 * MIB - 1, 460 * MIB, 1024 * MIB, "±0 MB"),
        (Unit.MEMORY, 5 * MIB, 8 * MIB, None, "+3.0 MB"),
        (Unit.MEMORY, 1 * MIB, 1025 * MIB + 1, 1024 * MIB, "+1,025 MB"),
        (Unit.STORAGE, 33 * MB, 34 * MB, 30_000 * MB, "+1 MB"),
        (Unit.STORAGE, 10_000 * MB, 31_040 * MB, 30_000 * MB, "+21.1 GB"),
        (Unit.SHARE, 0.99, 0.9862, 0.9, f"{numbers.MINUS}0.4 points"),
        (Unit.SHARE, 0.99, 0.96, 0.9, f"{numbers.MINUS}3 points"),
        (Unit.COUNT, 2, 5, 0, "+3"),
    ],
)
def test_changes(unit: Unit, before: float, value: float, limit: float, printed: str) -> None:
    at_most = unit is not Unit.SHARE
    check = make_check("x", "x", unit=unit, value=value, limit=limit, at_most=at_most)
    assert numbers.check_change(check, before) == printed


@pytest.mark.parametrize(
    ("before", "now", "printed"),
    [
        (12 * MIB, 13 * MIB, "+1.0"),
        (13 * MIB, 12 * MIB + 1, f"{numbers.MINUS}0.9"),
        (12 * MIB - 1, 12 * MIB, numbers.SAME),
        (0, 1500 * MIB, "+1,500.0"),
    ],
)
def test_changes_in_columns(before: int, now: int, printed: str) -> None:
    assert numbers.tenths_change(now, before) == printed


@pytest.mark.parametrize("kind", [Unknown, Skipped])
def test_missing_values_say_why(kind: type[Unknown]) -> None:
    check = make_check("x", "x", value=kind(reason="no engine"), limit=1.0)
    assert numbers.check_value(check) == "not measured: no engine"
    assert numbers.check_headroom(check) == numbers.DASH


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "healthy"),
        ({"restarts": 1}, "healthy, 1 restart"),
        ({"state": ServiceState.OOM_KILLED, "oom_kills": 1}, "OOM-killed"),
        (
            {"state": ServiceState.OOM_KILLED, "oom_kills": 3, "restarts": 3},
            f"OOM-killed 3{numbers.TIMES}, 3 restarts",
        ),
        ({"state": ServiceState.REFUSED}, "not started"),
        ({"state": ServiceState.WAITING}, "waiting"),
        ({"state": ServiceState.NOT_READY}, "not ready"),
    ],
)
def test_service_states(changes: dict[str, object], text: str) -> None:
    assert numbers.service_state(make_service("web", 1.0, **changes)) == text


@pytest.mark.parametrize(
    ("value", "printed"), [(0, "0.0"), (1, "0.1"), (-1, "0.0"), (-(2**20), "-1.0")]
)
def test_tenths_of_nearly_nothing_have_no_sign(value: int, printed: str) -> None:
    assert numbers.tenths(value) == printed


def test_a_peak_that_is_not_known_is_a_sentence() -> None:
    assert numbers.with_page_cache(612 * MIB) == "612 MB with page cache"
    gap = Unknown(reason="the kernel is too old")
    assert numbers.with_page_cache(gap) == "with page cache not measured: the kernel is too old"
