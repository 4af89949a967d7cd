"""The same market seen at another rate gives the same answer, for every reading of every indicator.

Each market is a process in continuous time: dense events sample it often, sparse ones at every
k-th of the same moments or at random ones. A reading must have the same mean and the same size
(root mean square about its neutral value), up to the standard error over many seeds and a share
for what the sparse events can't show, and so must its direction. What legitimately depends on the
rate is named, with the reason.
"""

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

import pytest

from desk.events import Event
from indicator_events import book, feed, funding, signal, trade
from indicators import KINDS, Kind

SEEDS = range(8)
BIAS = 0.2
STANDARD_ERRORS = 4.0
NEUTRAL = {"rsi": 50.0, "percent_b": 0.5, "probability_up": 0.5}
RATE_DEPENDENT = {"z_score's direction": "a window with two or three moves can't leave its bands"}
# More whales than by default, so that there are enough to compare.
SETTINGS = {"whale-watch": {"THRESHOLD": "1.5"}}
Moment = tuple[Event, ...]


def walk(rng: random.Random, drift: float) -> Iterator[Moment]:
    """Two prices that share four fifths of their moves; 0.1 % a second, and the drift in that."""
    logs, leans = [0.0, 0.0], [rng.uniform(0.3, 0.7) for _ in range(2)]
    for second in range(2_000):
        shared = rng.gauss(0.0, 1.0)
        trades = []
        for place, share in enumerate((1.0, 0.8)):
            move = share * shared + math.sqrt(1.0 - share * share) * rng.gauss(0.0, 1.0)
            logs[place] += 1e-3 * (drift + move)
            trades.append(
                trade(
                    100.0 * math.exp(logs[place]),
                    math.exp(rng.gauss(0.0, 1.0)),
                    buy=rng.random() < leans[place],
                    at_ms=second * 1_000 + place * 400,
                    symbol=f"S{place}",
                )
            )
        yield tuple(trades)


def books(rng: random.Random, drift: float) -> Iterator[Moment]:
    """Ten even levels on each side; the price moves by ticks, depth leans slowly to and fro."""
    tick, lean, wide = 0, 0.0, 0
    for step in range(3_000):
        draw = rng.random()
        tick += (draw < 0.1 + drift / 10.0) - (draw > 0.9)
        lean += -0.03 * lean + math.sqrt(0.06) * 0.3 * rng.gauss(0.0, 1.0)
        wide = 1 - wide if rng.random() < 0.02 else wide
        depth = 10.0 * math.tanh(lean)
        bids = [(100.0 + 0.01 * (tick - level), 11.0 + depth) for level in range(10)]
        asks = [(100.02 + 0.01 * (tick + wide + level), 11.0 - depth) for level in range(10)]
        yield (book(bids, asks, at_ms=step * 100),)


def rates(rng: random.Random, drift: float) -> Iterator[Moment]:
    """A funding rate and a basis that revert to their means within minutes."""
    rate = basis = 0.0
    for second in range(3_000):
        rate += -0.01 * rate + 1e-5 * (drift + rng.gauss(0.0, 1.0))
        basis += -0.01 * basis + 1e-4 * (drift + rng.gauss(0.0, 1.0))
        yield (funding(rate, mark=100.0 * (1.0 + basis), at_ms=second * 1_000),)


def opinions(rng: random.Random, drift: float) -> Iterator[Moment]:
    """Three services that change their minds once a minute or so."""
    services = {"aggressor": 0.3, "momentum": 0.5, "regime": 0.7}
    minds = dict.fromkeys(services, 1)
    for step in range(4_000):
        for service in services:
            if rng.random() < 0.01:
                minds[service] = rng.choice((-1, 0, 1, 1 if drift else -1))
        yield tuple(
            signal(minds[service], confidence, service=service, at_ms=step * 500)
            for service, confidence in services.items()
        )


MARKETS: dict[str, Callable[[random.Random, float], Iterator[Moment]]] = {
    "trades": walk,
    "books": books,
    "funding": rates,
    "signals": opinions,
}


def every(step: int, moments: Sequence[Moment], _rng: random.Random) -> Iterator[Event]:
    """Thin to every step-th moment, the symbols taking turns."""
    for number, moment in enumerate(moments):
        for place, event in enumerate(moment):
            if (number + place * step // 2) % step == 0:
                yield event


def at_random(step: int, moments: Sequence[Moment], rng: random.Random) -> Iterator[Event]:
    """Thin to one in `step` at random."""
    return (event for moment in moments for event in moment if rng.random() < 1.0 / step)


def readings(kind: Kind, events: Iterable[Event], half_ms: int) -> dict[str, list[float]]:
    """Return the values per name in the second half, from the neutral value."""
    values = defaultdict(list)
    for found in feed(kind.build(INTERVAL_MS="100", **SETTINGS.get(kind.service, {})), events):
        if found.time_ms >= half_ms:
            values[found.name].append(found.value - NEUTRAL.get(found.name, 0.0))
            values[f"{found.name}'s direction"].append(float(found.direction))
    return values


def mean_square(values: Sequence[float]) -> float:
    return statistics.fmean(value * value for value in values)


def assert_same(name: str, dense: list[list[float]], sparse: list[list[float]]) -> None:
    """Compare one reading's mean and size over all seeds that have both."""
    pairs = [
        (often, seldom) for often, seldom in zip(dense, sparse, strict=True) if often and seldom
    ]
    assert len(pairs) > len(SEEDS) / 2, f"{name}: too few readings"
    size = math.sqrt(statistics.fmean(mean_square(often) for often, _ in pairs))
    means = [statistics.fmean(seldom) - statistics.fmean(often) for often, seldom in pairs]
    scale = 2.0 * size or 1.0
    sizes = [(mean_square(seldom) - mean_square(often)) / scale for often, seldom in pairs]
    for what, differences in (("mean", means), ("size", sizes)):
        error = statistics.stdev(differences) / math.sqrt(len(differences))
        difference = statistics.fmean(differences)
        assert abs(difference) <= STANDARD_ERRORS * error + BIAS * size, (
            f"{name}: {what} is off by {difference:.3g} where it is {size:.3g} +- {error:.2g}"
        )


@cache
def moments(stream: str, drift: float, seed: int) -> tuple[Moment, ...]:
    return tuple(MARKETS[stream](random.Random(seed), drift))


def answers(
    kind: Kind, drift: float, thin: Callable[..., Iterator[Event]], step: int
) -> dict[str, list[list[float]]]:
    """Return each reading's values per seed."""
    found: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in SEEDS])
    for seed in SEEDS:
        market = moments(kind.stream, drift, seed)
        half_ms = market[len(market) // 2][0].time_ms
        events = thin(step, market, random.Random(seed))
        for name, values in readings(kind, events, half_ms).items():
            found[name][seed] = values
    return found


@pytest.mark.parametrize("drift", [0.0, 0.1], ids=["walk", "trend"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.service)
def test_another_sampling_rate_gives_the_same_answer(kind: Kind, drift: float) -> None:
    dense = answers(kind, drift, every, 1)
    assert dense
    for thin, step in ((every, 10), (at_random, 5)):
        sparse = answers(kind, drift, thin, step)
        assert set(sparse) == set(dense)
        for name in sorted(set(dense) - set(RATE_DEPENDENT)):
            assert_same(f"{name}, {thin.__name__} {step}", dense[name], sparse[name])
