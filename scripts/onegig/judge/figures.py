"""Figures in sentences. What is within its limit never reads as over it, nor the other way round.

Usage is rounded up, limits are rounded down, and what is left is the difference of the two printed
numbers, so that a reader can check the sum. Where whole MB would tell the opposite of the truth,
decimals are added until they do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from signal import Signals

from onegig.model.measured import Missing, Unknown
from onegig.model.sizes import Convention, format_mb
from onegig.text import plain

LOG_LINE_LENGTH = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A usage beside its limit, both as printed."""

    used: Decimal
    limit: Decimal
    unit: str

    @property
    def of(self) -> str:
        """Such as "612 of 1,024 MB"."""
        return f"{self.used:,} of {self.limit:,} {self.unit}"

    @property
    def room(self) -> str:
        """Such as "412 MB (40 %) to spare" or "286 MB (28 %) over"."""
        room = self.limit - self.used
        share = f" ({self._percent} %)" if self.limit else ""
        return f"{abs(room):,} {self.unit}{share} {'over' if room < 0 else 'to spare'}"

    @property
    def _percent(self) -> int:
        """Of the limit; less is spared and more is over than the exact share."""
        exact = (self.limit - self.used) * 100 / self.limit
        return abs(int(exact.to_integral_value(ROUND_FLOOR)))


def compare(value: int, limit: int, convention: Convention = Convention.MEMORY) -> Comparison:
    """Return the two in MB with as few decimals as tell the truth, or in bytes."""
    for decimals in (0, 1, 2, 3, 6):
        scale = 10**decimals
        used, most = -(-value * scale // convention.mb), limit * scale // convention.mb
        precise = decimals > 0 or limit >= 10 * convention.mb
        if precise and (used > most) == (value > limit):
            unit = Decimal(1).scaleb(-decimals)
            return Comparison(used=used * unit, limit=most * unit, unit="MB")
    return Comparison(used=Decimal(value), limit=Decimal(limit), unit="bytes")


def memory(value_bytes: int) -> str:
    """Return a usage of memory, rounded up: "712 MB"."""
    return format_mb(value_bytes, Convention.MEMORY)


def span(low: int, high: int) -> str:
    """Return a range of memory: "1,019 to 1,026 MB"."""
    return f"{memory(low).removesuffix(' MB')} to {memory(high)}"


def listed(values: Sequence[int]) -> str:
    """Several usages of memory: "1,019, 1,026 and 1,023 MB"."""
    *first, last = [memory(value) for value in values]
    few = ", ".join(text.removesuffix(" MB") for text in first)
    return f"{few} and {last}" if few else last


def percent(share: float) -> str:
    """Return the exact share: "10 %", "12.5 %"."""
    return f"{(Decimal(str(share)) * 100).normalize():f} %"


def percent_beside(share: float, limit: float, *, at_most: bool) -> str:
    """Return a share with as few decimals as tell whether it keeps to its limit."""
    value, bound = Decimal(str(share)) * 100, Decimal(str(limit)) * 100
    rounding = ROUND_CEILING if at_most else ROUND_FLOOR
    for decimals in (0, 1, 2, 3):
        shown = value.quantize(Decimal(1).scaleb(-decimals), rounding)
        if (
            ((shown > bound) == (value > bound))
            if at_most
            else ((shown < bound) == (value < bound))
        ):
            return f"{shown:f} %"
    return percent(share)


def times(count: int) -> str:
    """In words: "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def exit_code(code: int) -> str:
    """Name an exit code, with the signal where it stands for one: "exit code 137 (SIGKILL)"."""
    try:
        signal = f" ({Signals(code - 128).name})" if code > 128 else ""
    except ValueError:
        signal = ""
    return f"exit code {code}{signal}"


def duration(seconds: float) -> str:
    """Return a duration in a unit that fits: "120 s", "12 min", "2.1 h"."""
    if seconds < 180:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:g} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def reason(missing: Missing, what: str, done: str) -> str:
    """Say why something "could not be" measured, or "was not" where it was left out on purpose."""
    left_out = "were not" if what.endswith("s") else "was not"
    how = "could not be" if isinstance(missing, Unknown) else left_out
    return f"{what} {how} {done}: {plain(missing.reason)}"


def last_line(log: str) -> str:
    """Return what a service said last, in one short line; "" when it said nothing."""
    lines = [line for line in map(plain, log.splitlines()) if line]
    if not lines:
        return ""
    return shorten(lines[-1], LOG_LINE_LENGTH)


def shorten(text: str, length: int) -> str:
    """Return the text, cut to that many characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
