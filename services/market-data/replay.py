"""A market that never was: the same seed, symbols and rate always give the same events.

Mid prices walk randomly with a volatility that changes slowly, takers follow the last move a
little, books thin out when prices move, funding reverts to a hundredth of a percent: enough for
every indicator to have something to say.
"""

from collections.abc import Iterator, Sequence
from math import exp
from random import Random
from typing import TypeAlias

from desk.events import Book, Funding, Trade

MarketEvent: TypeAlias = Trade | Book | Funding

TRADE_SHARE = 0.70
BOOK_SHARE = 0.27
LEVELS = 10
START_PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "BNB": 600.0, "SOL": 150.0, "XRP": 0.6}
STEP = 2e-4
WHALE_ODDS = 0.002
WHALE_TIMES = 40.0


class _Symbol:
    """The state of one symbol's walk."""

    __slots__ = ("drift", "index_gap", "mid", "name", "rate", "trades", "turbulence")

    def __init__(self, name: str) -> None:
        self.name = name
        self.mid = START_PRICES.get(name[:3], 100.0)
        self.drift = 0.0
        self.turbulence = 1.0
        self.rate = 1e-4
        self.index_gap = 0.0
        self.trades = 0


def replay(
    seed: int, symbols: Sequence[str], rate_per_second: float, start_ms: int
) -> Iterator[MarketEvent]:
    """Generate events without end, evenly spaced in their own time from start_ms on."""
    random = Random(seed)  # noqa: S311 - the same events every time, not secrets
    states = [_Symbol(name) for name in symbols]
    count = 0
    while True:
        state = states[int(random.random() * len(states))]
        time_ms = start_ms + int(count * 1000 / rate_per_second)
        draw = random.random()
        if draw < TRADE_SHARE:
            yield _trade(random, state, time_ms)
        elif draw < TRADE_SHARE + BOOK_SHARE:
            yield _book(random, state, time_ms)
        else:
            yield _funding(random, state, time_ms)
        count += 1


def _trade(random: Random, state: _Symbol, time_ms: int) -> Trade:
    state.turbulence = max(0.2, min(5.0, state.turbulence * exp(random.gauss(0.0, 0.05))))
    state.drift = 0.95 * state.drift + random.gauss(0.0, 0.3)
    move = STEP * state.turbulence * (random.gauss(0.0, 1.0) + 0.2 * state.drift)
    state.mid *= exp(move)
    is_buyer = random.random() < 0.5 + 0.3 * max(-1.0, min(1.0, state.drift))
    notional = 2_000.0 * exp(random.gauss(0.0, 1.0))
    if random.random() < WHALE_ODDS:
        notional *= WHALE_TIMES
    state.trades += 1
    half = _half_spread(state)
    return Trade(
        symbol=state.name,
        price=_rounded(state.mid + (half if is_buyer else -half)),
        quantity=_rounded(notional / state.mid),
        taker_is_buyer=is_buyer,
        time_ms=time_ms,
        id=state.trades,
    )


def _book(random: Random, state: _Symbol, time_ms: int) -> Book:
    half = _half_spread(state)
    lean = max(-0.6, min(0.6, 0.3 * state.drift))
    sides = []
    for sign in (-1.0, 1.0):
        depth = 20_000.0 / state.mid / state.turbulence * (1.0 - sign * lean)
        sides.append(
            tuple(
                (
                    _rounded(state.mid + sign * half * (1 + 2 * level)),
                    _rounded(depth * (0.2 + random.random()) * (1 + level)),
                )
                for level in range(LEVELS)
            )
        )
    return Book(symbol=state.name, bids=sides[0], asks=sides[1], time_ms=time_ms)


def _funding(random: Random, state: _Symbol, time_ms: int) -> Funding:
    state.rate += 0.05 * (1e-4 - state.rate) + random.gauss(0.0, 2e-5)
    state.index_gap = 0.9 * state.index_gap + random.gauss(0.0, 5e-5)
    return Funding(
        symbol=state.name,
        rate=round(state.rate, 8),
        mark_price=_rounded(state.mid),
        index_price=_rounded(state.mid * (1.0 - state.index_gap)),
        time_ms=time_ms,
    )


def _half_spread(state: _Symbol) -> float:
    return state.mid * 5e-5 * state.turbulence


def _rounded(value: float) -> float:
    """Round to a tick that suits the size, as exchanges do; never to nothing."""
    digits = 2 if value >= 100.0 else 4 if value >= 1.0 else 6
    return max(10.0**-digits, round(value, digits))
