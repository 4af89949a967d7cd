"""What holds for every indicator: bad input, order, pacing, bounds, determinism, memory."""

import gc
import math
import random
import re
import runpy
import sys
from collections.abc import Iterator
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.events import Book, Event, Funding, Signal, Trade
from desk.series import SettingError
from desk.service import Program
from indicator_events import START_MS, book, feed, funding, signal, trade
from indicators import KINDS, Kind

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.service)


def random_event(stream: str, rng: random.Random, at_ms: int, symbol: str) -> Event:
    price = 100.0 * math.exp(rng.gauss(0.0, 0.01))
    match stream:
        case "trades":
            size = math.exp(rng.gauss(0.0, 1.5))
            return trade(price, size, buy=rng.random() < 0.5, at_ms=at_ms, symbol=symbol)
        case "books":
            bids = [(price - 0.01 * (i + 1), rng.expovariate(1.0) + 0.01) for i in range(10)]
            asks = [(price + 0.01 * (i + 1), rng.expovariate(1.0) + 0.01) for i in range(10)]
            return book(bids, asks, at_ms=at_ms, symbol=symbol)
        case "funding":
            return funding(rng.gauss(0.0, 1e-4), mark=price, at_ms=at_ms, symbol=symbol)
        case _:
            service = rng.choice(("aggressor", "momentum", "regime"))
            direction = rng.choice((-1, 0, 1))
            return signal(direction, rng.random(), service=service, at_ms=at_ms, symbol=symbol)


def random_events(
    stream: str, count: int, *, symbols: int = 3, step_ms: int = 100, start: int = 0
) -> Iterator[Event]:
    rng = random.Random(start + 1)
    for i in range(start, start + count):
        yield random_event(stream, rng, i * step_ms, f"S{i % symbols}")


WRONG = (0.0, -1.0, math.nan, math.inf, -math.inf, 1e308, 5e-324)
WILD = st.sampled_from(WRONG) | st.floats() | st.floats(1e-3, 1e6)
TIMES = st.integers(-(10**6), 10**6) | st.sampled_from([-(2**62), 2**62])


def events(amounts: st.SearchStrategy[float], times: st.SearchStrategy[int]) -> dict[str, Any]:
    """Return a strategy for each stream's events of BTCUSDT."""
    sides = st.lists(st.tuples(amounts, amounts), min_size=1, max_size=3)
    return {
        "trades": st.builds(
            lambda p, q, b, t: trade(p, q, buy=b, at_ms=t), amounts, amounts, st.booleans(), times
        ),
        "books": st.builds(lambda b, a, t: book(b, a, at_ms=t), sides, sides, times),
        "funding": st.builds(
            lambda r, m, i, t: funding(r, mark=m, index=i, at_ms=t),
            *(amounts, amounts, amounts, times),
        ),
        "signals": st.builds(
            lambda d, c, t: signal(d, c, at_ms=t), st.integers(-2, 2), amounts, times
        ),
    }


WILD_EVENTS = st.one_of(*events(WILD, TIMES).values())
TAME_EVENTS = events(st.floats(0.01, 1e4), st.sampled_from([0, 100, 1_000, 4_000]))
TAME_EVENTS["signals"] = st.builds(
    lambda d, c, t: signal(d, c, at_ms=t), st.integers(-1, 1), st.floats(0.0, 1.0), st.just(500)
)
TAME_EVENTS["books"] = st.builds(
    lambda b, g, q, r, t: book([(b, q), (b - 1, r)], [(b + g, r), (b + g + 1, q)], at_ms=t),
    *(st.integers(2, 9_999), st.integers(1, 9), st.floats(0.01, 1e4), st.floats(0.01, 1e4)),
    st.sampled_from([0, 100, 1_000]),
)
# Short windows, so that a few dozen events give signals.
SHORT = {
    "aggressor": {"BUCKETS": "3", "BUCKET_TRADES": "2"},
    "correlation": {"WARMUP_BARS": "2"},
    "funding": {"SAMPLE_MS": "100", "WARMUP_SAMPLES": "5"},
    "liquidity": {"WARMUP_BOOKS": "1"},
    "mean-reversion": {"LENGTH": "4", "BANDS": "1"},
    "momentum": {"FAST": "2", "SLOW": "4", "SIGNAL": "2", "RSI_LENGTH": "2"},
    "regime": {"LENGTH": "3"},
    "risk": {"WARMUP_BARS": "2", "HORIZON_MS": "1000"},
    "volatility": {"WARMUP_BARS": "1"},
    "whale-watch": {"WARMUP_TRADES": "5", "THRESHOLD": "1"},
}
SHARES = """drawdown efficiency_ratio expected_shortfall_1s position_limit probability_up
    value_at_risk_1s vpin"""
BOUNDS = {
    **dict.fromkeys(SHARES.split(), (0.0, 1.0)),
    **dict.fromkeys(("correlation", "depth_imbalance", "trade_imbalance"), (-1.0, 1.0)),
    **dict.fromkeys(("annualised_volatility", "volatility_ratio"), (0.0, math.inf)),
    "relative_spread_bps": (0.0, 20_000.0),
    "rsi": (0.0, 100.0),
    "whale_score": (1.0, math.inf),
    "z_score": (-1.0001 * math.sqrt(3), 1.0001 * math.sqrt(3)),  # Shiffler's bound for 4 values
}


def assert_sound(found: Signal) -> None:
    assert math.isfinite(found.value), found
    assert found.direction in {-1, 0, 1}, found
    assert 0.0 <= found.confidence <= 1.0, found


def scaled(event: Event, factor: float) -> Event:
    """Return the event in another currency and another unit of quantity."""
    match event:
        case Trade():
            return event._replace(price=event.price * factor, quantity=event.quantity * factor)
        case Book():
            sides = (
                tuple((price * factor, quantity * factor) for price, quantity in side)
                for side in (event.bids, event.asks)
            )
            return Book(event.symbol, *sides, event.time_ms)
        case Funding():
            mark, index = event.mark_price * factor, event.index_price * factor
            return event._replace(mark_price=mark, index_price=index)
    return event


@each_kind
@settings(max_examples=60)
@given(events=st.lists(WILD_EVENTS, max_size=60))
def test_wild_events_never_raise_nor_give_unsound_signals(kind: Kind, events: list[Event]) -> None:
    for found in feed(kind.build(), events):
        assert_sound(found)


@each_kind
@settings(max_examples=60)
@given(data=st.data(), factor=st.sampled_from([2.0**-20, 0.5, 1024.0, 2.0**30]))
def test_readings_stay_within_bounds_whatever_the_unit_of_price_and_quantity(
    kind: Kind, data: st.DataObject, factor: float
) -> None:
    steps = data.draw(st.lists(TAME_EVENTS[kind.stream], min_size=8, max_size=60))
    now = START_MS
    market: list[Event] = []
    for number, event in enumerate(steps):
        now += event.time_ms - START_MS
        market.append(event._replace(time_ms=now, symbol=f"S{number % 2}"))
    short = {"INTERVAL_MS": "100", **SHORT.get(kind.service, {})}
    plain = feed(kind.build(**short), market)
    for found in plain:
        assert_sound(found)
        low, high = BOUNDS.get(found.name, (-math.inf, math.inf))
        assert low <= found.value <= high, found
    other = feed(kind.build(**short), [scaled(event, factor) for event in market])
    unit = {"whale_notional": factor * factor}
    assert [(one.name, one.direction) for one in other] == [
        (one.name, one.direction) for one in plain
    ]
    assert [one.value for one in other] == pytest.approx(
        [one.value * unit.get(one.name, 1.0) for one in plain], rel=1e-6, abs=1e-9
    )


@each_kind
def test_bad_events_change_nothing(kind: Kind) -> None:
    """A stream with unusable events in between gives the signals of the stream without them."""
    clean = list(random_events(kind.stream, 3_000))
    bad: list[Event] = []
    for value in WRONG:
        bad += [trade(value, 1.0, at_ms=10**9), book([(value, 1.0)], [(100.0, 1.0)], at_ms=10**9)]
        bad += [funding(0.0, mark=value, at_ms=10**9), signal(7, 0.5, at_ms=10**9)]
    for value in (value for value in WRONG if not 0.0 <= value <= 1.0):
        bad.append(signal(1, value, at_ms=10**9))
    dirty = [event for i, one in enumerate(clean) for event in (bad[i % len(bad)], one)]
    expected = feed(kind.build(), clean)
    assert expected != []
    assert feed(kind.build(), dirty) == expected


@each_kind
def test_an_older_event_changes_nothing(kind: Kind) -> None:
    first = signal(1, 0.5, symbol="S0")
    clean = [first, *random_events(kind.stream, 3_000, symbols=1)]
    late = random_event(kind.stream, random.Random(5), -(10**9), "S0")
    stale = [*clean[:2], *(event for one in clean[2:] for event in (late, one))]
    assert feed(kind.build(), stale) == feed(kind.build(), clean)


@each_kind
def test_signals_name_their_service_and_one_reading_at_most_has_a_direction(kind: Kind) -> None:
    """Two would be counted twice in the fusion. The same events give the same signals."""
    found, again = (
        feed(kind.build(), random_events(kind.stream, 10_000, step_ms=500)) for _ in range(2)
    )
    assert found == again
    assert {one.service for one in found} == {kind.service}
    assert len({one.name for one in found if one.direction}) <= 1


@each_kind
def test_output_is_paced(kind: Kind) -> None:
    """Two minutes of 100 events/s give at most one signal of a name, symbol and 100 ms."""
    found = feed(kind.build(), random_events(kind.stream, 12_000, step_ms=10))
    latest: dict[tuple[str, str], int] = {}
    for one in found:
        key = (one.name, one.symbol)
        assert one.time_ms - latest.get(key, 0) >= 100
        latest[key] = one.time_ms
    assert 0 < len(found) < 0.1 * 12_000


@each_kind
def test_other_streams_are_ignored(kind: Kind) -> None:
    streams = {"trades", "books", "funding", "signals"} - {kind.stream}
    events = [event for s in sorted(streams) for event in random_events(s, 500)]
    assert kind.indicator.streams == (kind.stream,)
    assert feed(kind.build(), events) == []


def state_bytes(root: object) -> int:
    """Return the size of everything reachable from an indicator but code and classes."""
    seen: set[int] = set()
    todo, total = [root], 0
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type | ModuleType):
            continue
        seen.add(id(item))
        total += sys.getsizeof(item)
        if isinstance(item, FunctionType):
            todo.extend(item.__closure__ or ())
        else:
            todo.extend(gc.get_referents(item))
    return total


@each_kind
def test_memory_stays_bounded_over_a_long_stream_and_over_many_symbols(kind: Kind) -> None:
    """Once the longest window (8 hours of funding) is full, more events need no more memory.

    Nor do ever new symbols, each silent an hour later, need more than the cap's worth.
    """
    indicator = kind.build()
    feed(indicator, random_events(kind.stream, 6_000, symbols=2, step_ms=5_000))
    full = state_bytes(indicator)
    feed(indicator, random_events(kind.stream, 18_000, symbols=2, step_ms=5_000, start=6_000))
    assert state_bytes(indicator) <= full * 1.1
    assert full < 200_000
    indicator = kind.build()
    hourly = partial(random_events, kind.stream, step_ms=3_600_000)
    feed(indicator, hourly(1_000, symbols=1_000))
    some = state_bytes(indicator)
    feed(indicator, hourly(3_000, symbols=4_000, start=1_000))
    assert state_bytes(indicator) <= some * 1.2 + 5_000


@pytest.mark.parametrize(
    ("service", "values", "message"),
    [
        ("mean-reversion", "LENGTH=4 BANDS=2", "BANDS (2.0) can't be reached with LENGTH (4)"),
        ("momentum", "FAST=30", "FAST (30) is not less than SLOW (26)"),
        ("regime", "LEAVE=0.9", "LEAVE (0.9) exceeds ENTER (0.5)"),
        ("risk", "WINDOW=10 WARMUP_BARS=30", "WARMUP_BARS (30) exceeds WINDOW (10)"),
        ("volatility", "FAST_DECAY=0.98", "FAST_DECAY (0.98) is not less than SLOW_DECAY (0.97)"),
        ("whale-watch", "WARMUP_TRADES=60 WINDOW=20", "WARMUP_TRADES (60) exceeds WINDOW (20)"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    service: str, values: str, message: str
) -> None:
    with pytest.raises(SettingError, match=f"_{re.escape(message)}; change it or unset both$"):
        Kind(service).build(**dict(value.split("=") for value in values.split()))


@each_kind
@pytest.mark.parametrize("text", ["0", "-5", "many", "nan", "1e9"])
def test_a_bad_setting_ends_the_service_with_one_line_that_names_it(
    kind: Kind, text: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name = f"{kind.module_name.upper()}_INTERVAL_MS"
    monkeypatch.setenv(name, text)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(kind.script), run_name="__main__")
    assert ended.value.code == 2
    (line,) = "".join(capfd.readouterr()).splitlines()
    assert f"{name}='{text}' is not a whole number from 100 to" in line


@each_kind
def test_the_script_runs_its_indicator_as_the_service(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, str, str]] = []

    def run(program: Program) -> int:
        started.append((program.name, type(program.build({})).__name__, program.output))
        return 7

    monkeypatch.setattr("desk.service.run", run)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(kind.script), run_name="__main__")
    output = "fused" if kind.service == "signal-fusion" else "signals"
    assert ended.value.code == 7
    assert started == [(kind.service, kind.indicator.__name__, output)]
