"""Parts of every check: the case to judge, and figures formatted for a sentence.

What is within its limit never reads as over it, nor the other way round: usage is rounded up,
limits are rounded down, and what is left is the difference of the two printed numbers, so that a
reader can check the sum. Where whole MB would show the opposite of the truth, decimals are added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from onegig.model.budgets import Budgets, Waiver
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.sizes import Convention, format_mb, percent
from onegig.model.state import State
from onegig.model.tiers import Tier
from onegig.model.verdict import Baseline, Check, make_check
from onegig.text import plain

SOON_DAYS = 14  # a waiver that ends within these is announced
FEW_VALUES = 5  # that a sentence can list


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Everything that a verdict depends on."""

    budgets: Budgets
    images: ImagesReport | Missing
    memory: MemoryReport | Missing
    tier: Tier | None  # the machine that `choose_tier` gives
    today: date  # UTC; decides which waivers are still in force
    main: Baseline | None  # what a pull request goes on top of


def gap(subject: str, message: str) -> Check:
    """Return the check of something that was not measured as it should have been."""
    return make_check("measure.complete", subject, 1, 0, State.INCOMPLETE, message)


def subject_of(image: Image) -> str:
    """Return the service that runs an image; or the image's own name if there are several."""
    return image.services[0] if len(image.services) == 1 else image.reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A usage beside its limit, both as printed."""

    used: Decimal
    limit: Decimal
    unit: str

    def __str__(self) -> str:
        """Return such as "612 of 1,024 MB, 412 MB (40 %) to spare"."""
        return f"{self.of}, {self.room}"

    @property
    def of(self) -> str:
        """Return such as "612 of 1,024 MB"."""
        return f"{self.used:,} of {self.limit:,} {self.unit}"

    @property
    def room(self) -> str:
        """Return such as "412 MB (40 %) to spare" or "286 MB (28 %) over"."""
        room, share = self.limit - self.used, ""
        if self.limit:  # less is spared and more is over than the exact share
            exact = (room * 100 / self.limit).to_integral_value(ROUND_FLOOR)
            share = f" ({abs(int(exact))} %)"
        return f"{abs(room):,} {self.unit}{share} {'over' if room < 0 else 'to spare'}"


def compare(value: int, limit: int, convention: Convention = Convention.MEMORY) -> Comparison:
    """Return the two in MB with as few decimals as show the truth, or in bytes."""
    for decimals in (0, 1, 2, 3, 6):
        scale = 10**decimals
        used, most = -(-value * scale // convention.mb), limit * scale // convention.mb
        precise = decimals > 0 or limit >= 10 * convention.mb
        if precise and (used > most) == (value > limit):
            unit = Decimal(1).scaleb(-decimals)
            return Comparison(used=used * unit, limit=most * unit, unit="MB")
    return Comparison(used=Decimal(value), limit=Decimal(limit), unit="bytes")


def format_span(low: int, high: int) -> str:
    """Return a range of memory: "1,019 to 1,026 MB"."""
    return f"{format_mb(low).removesuffix(' MB')} to {format_mb(high)}"


def format_values(values: Sequence[int]) -> str:
    """Return several usages of memory: "1,019, 1,026 and 1,023 MB"; of many only the range."""
    if len(values) > FEW_VALUES:
        return format_span(min(values), max(values))
    *first, last = [format_mb(value) for value in values]
    listed = ", ".join(text.removesuffix(" MB") for text in first)
    return f"{listed} and {last}" if listed else last


def percent_of_limit(share: float, limit: float, *, at_most: bool) -> str:
    """Return a share with as few decimals as show whether it keeps to its limit."""
    value, bound = Decimal(str(share)) * 100, Decimal(str(limit)) * 100
    sign = 1 if at_most else -1
    for decimals in (0, 1, 2, 3):
        step = Decimal(1).scaleb(-decimals)
        shown = value.quantize(step, ROUND_CEILING if at_most else ROUND_FLOOR)
        if (sign * shown > sign * bound) == (sign * value > sign * bound):
            return f"{shown:f} %"
    return percent(share)


def times(count: int) -> str:
    """Return "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def duration(seconds: float) -> str:
    """Return a duration in a unit that fits: "120 s", "12 min", "2.1 h"."""
    if seconds < 180:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:g} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def reason(missing: Missing, what: str, done: str) -> str:
    """Explain why something "could not be" measured, or "was not" if it was left out."""
    left_out = "were not" if what.endswith("s") else "was not"
    how = "could not be" if isinstance(missing, Unknown) else left_out
    return f"{what} {how} {done}: {plain(missing.reason)}"


def shorten(text: str, length: int) -> str:
    """Return the text, cut to that many characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def describe_terms(waiver: Waiver, today: date) -> str:
    """Return such as "until 2026-12-31 by @ops: the fix is on its way"."""
    until = f"until {waiver.expires}{days_left(waiver, today)}"
    return f"{until} by {plain(waiver.owner)}: {plain(waiver.reason)}"


def days_left(waiver: Waiver, today: date) -> str:
    """Return the remaining time of a waiver, if it is short."""
    days = (waiver.expires - today).days
    if days > SOON_DAYS:
        return ""
    return f" ({days} day{'s' if days > 1 else ''} left)" if days else " (its last day)"
