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


@pytest.mark.parametrize(("text", "size"), [(None, 7), (" ", 7), ("1", 1), ("9", 9)])
def test_a_setting_has_its_default_when_unset_or_blank_and_inclusive_bounds(
    text: str | None, size: int
) -> None:
    assert Settings({} if text is None else {"X_SIZE": text}, "X").whole("SIZE", 7, 1, 9) == size


@pytest.mark.parametrize("text", ["abc", "0", "10", "2.5", "nan", "inf"])
def test_a_setting_error_names_variable_value_and_bounds(text: str) -> None:
    settings = Settings({"X_SIZE": text}, "X")
    with pytest.raises(SettingError) as caught:
        settings.whole("SIZE", 7, 1, 9)
    assert str(caught.value) == (
        f"X_SIZE='{text}' is not a whole number from 1 to 9; unset it to use 7"
    )
    with pytest.raises(SettingError, match=r"is not a number from 0\.1 to 1\.0"):
        settings.number("SIZE", 0.5, 0.1, 1.0)


def test_a_late_event_has_no_state_unless_it_is_within_the_tolerance() -> None:
    symbols: Symbols[list[int]] = Symbols(list, 2, tolerance_ms=5)
    state = symbols.at("A", 10)
    assert state is not None
    assert symbols.at("A", 5) is state
    assert symbols.at("A", 4) is None
    assert symbols.at("A", 10) is state


def test_symbol_restarts_after_one_wrong_time_in_the_future() -> None:
    symbols: Symbols[list[int]] = Symbols(list, 2)
    poisoned = symbols.at("A", 10**15)
    states = [symbols.at("A", 1_000 + i) for i in range(LATE_LIMIT + 1)]
    assert states[: LATE_LIMIT - 1] == [None] * (LATE_LIMIT - 1)
    assert states[-1] is states[-2] is not None
    assert states[-1] is not poisoned


def test_full_table_ignores_newcomers_until_a_symbol_falls_silent() -> None:
    symbols: Symbols[list[int]] = Symbols(list, 2)
    symbols.at("A", 0)
    state = symbols.at("B", 10)
    assert symbols.at("C", 20) is None
    assert symbols.at("C", SILENCE_MS) is not None
    assert "A" not in symbols
    assert symbols.at("B", SILENCE_MS) is state
    assert len(symbols) == 2


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10**8)), max_size=200))
def test_table_never_exceeds_its_limit(events: list[tuple[int, int]]) -> None:
    symbols: Symbols[list[int]] = Symbols(list, 3)
    for name, time_ms in events:
        symbols.at(str(name), time_ms)
        assert len(symbols) <= 3


def test_gate_opens_once_per_interval_and_early_on_change_but_not_for_flicker() -> None:
    gate = Gate(1_000)
    assert [t for t in range(0, 3_001, 250) if gate.opens(0, t)] == [0, 1_000, 2_000, 3_000]
    gate = Gate(1_000)
    opened = [gate.opens(state, t) for state, t in ((0, 0), (1, 99), (1, 100), (1, 1_099))]
    assert opened == [True, False, True, False]
    assert not any(gate.opens(i % 2, 100 + i) for i in range(1, 100))


@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 100)), max_size=300))
def test_gate_bounds_the_rate(steps: list[tuple[int, int]]) -> None:
    gate = Gate(1_000)
    times = itertools.accumulate(delta for _, delta in steps)
    opened = [t for (state, _), t in zip(steps, times, strict=True) if gate.opens(state, t)]
    assert all(later - earlier >= 100 for earlier, later in itertools.pairwise(opened))


def test_bars_close_when_the_next_bar_trades() -> None:
    bars = Bars(1_000)
    closes = [bars.add(p, t) for p, t in [(1.0, 0), (2.0, 999), (3.0, 1_000), (4.0, 5_500)]]
    assert closes == [None, None, 2.0, 3.0]
    assert bars.elapsed == 1
    assert bars.add(5.0, 6_000) == 4.0
    assert bars.elapsed == 4


STEPS = st.tuples(FINITE, st.integers(1, 5))


@given(st.lists(STEPS, min_size=1, max_size=60), st.floats(0.0, 0.999))
def test_ewma_is_the_weighted_mean_of_all_values(
    items: list[tuple[float, int]], decay: float
) -> None:
    """A value that counts for several steps is that many equal ones."""
    ewma = Ewma(decay)
    assert ewma.value == 0.0
    for item, steps in items:
        ewma.add(item, steps)
    values = [item for item, steps in items for _ in range(steps)]
    weights = [decay**i for i in reversed(range(len(values)))]
    expected = math.fsum(w * x for w, x in zip(weights, values, strict=True)) / math.fsum(weights)
    assert ewma.value == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert ewma.weight == pytest.approx(1.0 - decay ** len(values), abs=1e-12)


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
    readings = (("a", math.nan, 0, 0.5), ("b", math.inf, 0, 0.5), ("c", 1.0, 1, 1.0000001))
    (left,) = signals("x", "A", 5, *readings)
    assert (left.name, left.confidence, left.time_ms) == ("c", 1.0, 5)
