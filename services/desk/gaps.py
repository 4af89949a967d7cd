"""Moves of a price through bars without a trade, estimated from the bars with one.

An indicator of n bars covers n bars of time however rarely its symbol trades. Between two closes
several bars apart the price is taken for a Brownian bridge: on average it moves evenly, and the
size of the ups and downs that no trade showed follows from the variance of the observed moves
(Glasserman 2003, "Monte Carlo Methods in Financial Engineering", section 3.1.1). Where every bar
has a trade nothing is assumed, and the textbook formulas hold as they are.
"""

from math import erf, exp, pi, sqrt
from typing import NamedTuple

DECAY = 0.97


class Move(NamedTuple):
    """The way from one close to the next."""

    bars: int
    change: float  # per bar, on average
    variance: float  # of the price per bar about its drift; 0 until two moves were seen

    def rise_and_fall(self) -> tuple[float, float]:
        """Return the expected gain and loss of each of the bars, both >= 0.

        They are E[max(X, 0)] and E[max(-X, 0)] of a normal X, which is what one step of a bridge
        is; for a single bar just the change.
        """
        deviation = sqrt(self.variance * (1.0 - 1.0 / self.bars))
        if deviation <= 0.0:
            return max(0.0, self.change), max(0.0, -self.change)
        score = self.change / deviation
        share = (1.0 + erf(score / sqrt(2.0))) / 2.0
        density = exp(-score * score / 2.0) / sqrt(2.0 * pi)
        rise = max(0.0, self.change * share + deviation * density)
        return rise, max(0.0, rise - self.change)


class Moves:
    """Turns closes into moves, and learns the variance from the last few dozen of them.

    The weights decay per move rather than per bar, so that the variance of a symbol that trades
    rarely rests on as many moves as any other's. With w for the weights, c for the changes and k
    for the bars, sum w c^2 / k - (sum w c)^2 / sum w k has the drift taken out; dividing it by
    sum w - sum w^2 / sum w makes up for the degree of freedom that this takes.
    """

    __slots__ = ("_bars", "_changes", "_close", "_squares", "_weight", "_weight_squares")

    def __init__(self) -> None:
        self._close: float | None = None
        self._squares = self._changes = self._bars = 0.0
        self._weight = self._weight_squares = 0.0

    def add(self, close: float, bars: int = 1) -> Move | None:
        """Take the close that came so many bars after the last; return the move between them."""
        previous, self._close = self._close, close
        if previous is None:
            return None
        change = close - previous
        self._squares = DECAY * self._squares + change * change / bars
        self._changes = DECAY * self._changes + change
        self._bars = DECAY * self._bars + bars
        self._weight = DECAY * self._weight + 1.0
        self._weight_squares = DECAY * DECAY * self._weight_squares + 1.0
        return Move(bars, change / bars, self._variance() if bars > 1 else 0.0)

    def _variance(self) -> float:
        freedom = self._weight - self._weight_squares / self._weight
        if freedom <= 1e-9:
            return 0.0
        return max(0.0, (self._squares - self._changes**2 / self._bars) / freedom)
