"""The shared series: settings, symbols, pacing, bars, averages and ranks."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.series import (
    LATE_LIMIT,
    SILENCE_MS,
    Bars,
    Ewma,
    Gate,
    SettingError,
    Settings,
    SortedWindow,
    Symbols,
    is_amount,
    signals,
)

FINITE = st.floats(-1e6, 1e6)


def counting_symbols(limit: int = 2, tolerance_ms: int = 0) -> Symbols[list[int]]:
    return Symbols(list, limit, tolerance_ms)


def test_setting_defaults_when_unset_or_blank() -> None:
    assert Settings({}, "X").whole("SIZE", 7, 1, 9) == 7
    assert Settings({"X_SIZE": " "}, "X").whole("SIZE", 7, 1, 9) == 7


@pytest.mark.parametrize("text", ["abc", "0", "10", "2.5", "nan"])
def test_setting_error_names_variable_value_and_bounds(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings({"X_SIZE": text}, "X").whole("SIZE", 7, 1, 9)
    assert str(caught.value) == (
        f"X_SIZE='{text}' is not a whole number from 1 to 9; unset it to use 7"
    )


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "1.1", "a"])
def test_number_must_be_within_bounds(text: str) -> None:
    with pytest.raises(SettingError, match=r"is not a number from 0\.0 to 1\.0"):
        Settings({"X_SHARE": text}, "X").number("SHARE", 0.5, 0.0, 1.0)


def test_bounds_are_inclusive() -> None:
    settings = Settings({"X_LOW": "0", "X_HIGH": "1"}, "X")
    assert settings.number("LOW", 0.5, 0.0, 1.0) == 0.0
    assert settings.number("HIGH", 0.5, 0.0, 1.0) == 1.0


def test_late_event_has_no_state() -> None:
    symbols = counting_symbols()
    assert symbols.at("A", 10) is not None
    assert symbols.at("A", 9) is None
    assert symbols.at("A", 10) is not None


def test_tolerance_admits_a_little_late() -> None:
    symbols = counting_symbols(tolerance_ms=5)
    state = symbols.at("A", 10)
    assert symbols.at("A", 5) is state
    assert symbols.at("A", 4) is None


def test_symbol_restarts_after_one_wrong_time_in_the_future() -> None:
    symbols = counting_symbols()
    poisoned = symbols.at("A", 10**15)
    states = [symbols.at("A", 1_000 + i) for i in range(LATE_LIMIT + 1)]
    assert states[: LATE_LIMIT - 1] == [None] * (LATE_LIMIT - 1)
    assert states[-1] is not None
    assert states[-1] is states[-2]
    assert states[-1] is not poisoned


def test_full_table_ignores_newcomers_until_a_symbol_falls_silent() -> None:
    symbols = counting_symbols(limit=2)
    symbols.at("A", 0)
    kept = symbols.at("B", 10)
    assert symbols.at("C", 20) is None
    assert symbols.at("C", SILENCE_MS) is not None
    assert "A" not in symbols
    assert symbols.at("B", SILENCE_MS) is kept
    assert len(symbols) == 2


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10**8)), max_size=200))
def test_table_never_exceeds_its_limit(events: list[tuple[int, int]]) -> None:
    symbols = counting_symbols(limit=3)
    for name, time_ms in events:
        symbols.at(str(name), time_ms)
        assert len(symbols) <= 3


def test_gate_opens_first_then_once_per_interval() -> None:
    gate = Gate(1_000)
    times = range(0, 3_001, 250)
    assert [t for t in times if gate.opens(0, t)] == [0, 1_000, 2_000, 3_000]


def test_gate_opens_early_on_change_but_not_for_flicker() -> None:
    gate = Gate(1_000)
    assert gate.opens(0, 0)
    assert not gate.opens(1, 99)
    assert gate.opens(1, 100)
    assert not gate.opens(1, 1_099)
    assert [gate.opens(i % 2, 100 + i) for i in range(1, 100)] == [False] * 99


@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 100)), max_size=300))
def test_gate_bounds_the_rate(steps: list[tuple[int, int]]) -> None:
    gate, now, opened = Gate(1_000), 0, []
    for state, delta in steps:
        now += delta
        if gate.opens(state, now):
            opened.append(now)
    assert all(later - earlier >= 100 for earlier, later in itertools.pairwise(opened))


def test_bars_close_when_the_next_bar_trades() -> None:
    bars = Bars(1_000)
    found = [bars.add(p, t) for p, t in [(1.0, 0), (2.0, 999), (3.0, 1_000), (4.0, 5_500)]]
    assert found == [None, None, 2.0, 3.0]
    assert bars.elapsed == 1
    assert bars.add(5.0, 6_000) == 4.0
    assert bars.elapsed == 4


@given(st.lists(FINITE, min_size=1, max_size=60), st.floats(0.0, 0.999))
def test_ewma_is_the_weighted_mean_of_all_values(items: list[float], decay: float) -> None:
    ewma = Ewma(decay)
    for item in items:
        ewma.add(item)
    weights = [decay**i for i in reversed(range(len(items)))]
    expected = math.fsum(w * x for w, x in zip(weights, items, strict=True)) / math.fsum(weights)
    assert ewma.value == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert ewma.weight == pytest.approx(1.0 - decay ** len(items), abs=1e-12)


def test_ewma_by_hand() -> None:
    ewma = Ewma(0.5)
    assert ewma.value == 0.0
    ewma.add(4.0)
    assert ewma.value == 4.0
    ewma.add(1.0)
    assert ewma.value == pytest.approx((0.25 * 4.0 + 0.5 * 1.0) / 0.75)


@given(st.lists(FINITE, max_size=80), st.integers(1, 12), FINITE)
def test_sorted_window_equals_sorting_the_last_values(
    items: list[float], size: int, probe: float
) -> None:
    window = SortedWindow(size)
    for item in items:
        window.add(item)
    last = sorted(items[-size:])
    assert list(window.ordered) == last
    below = sum(x < probe for x in last) + sum(x == probe for x in last) / 2
    assert window.rank(probe) == (below / len(last) if last else 0.5)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, -math.inf, 1e300, 5e-324])
def test_unusable_amounts(value: float) -> None:
    assert not is_amount(value)


def test_signals_leave_out_what_is_not_finite_and_hold_confidence() -> None:
    found = signals(
        "x", "A", 5, ("a", math.nan, 0, 0.5), ("b", math.inf, 0, 0.5), ("c", 1.0, 1, 1.0000001)
    )
    assert [(one.name, one.confidence, one.time_ms) for one in found] == [("c", 1.0, 5)]
