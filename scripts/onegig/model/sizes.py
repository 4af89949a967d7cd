"""Sizes and times as people write them, and back.

Inside onegig a size is an integer number of bytes. Two conventions exist outside and both are kept:
memory follows the kernel and the cloud catalogues (a 1 GB machine is "1,024 MB": 1 MB = 2**20
bytes), images and disks follow `docker image ls` (1 MB = 10**6 bytes). KiB, MiB and GiB are binary
everywhere.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from math import ceil, floor


class Convention(Enum):
    """The number of bytes in one MB."""

    MEMORY = 1024
    STORAGE = 1000

    @property
    def mb(self) -> int:
        """Return the bytes in one MB."""
        return int(self.value) ** 2


SMALLEST_BARE_BYTES = 1_000_000  # fewer bytes without a unit are a forgotten unit
DAY_SECONDS = 86_400
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|m|h|)\s*")
_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
PERIODS = {"s": 1, "min": 60, "h": 3600, "day": DAY_SECONDS}
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_BARE = re.compile(r"\s*([0-9]+(?:[.,][0-9]+)?)\s*")
_NUMBER = re.compile(r"\s*0*([0-9]*(?:[.,][0-9]+)?)(?<=[0-9])")
_THOUSANDS = re.compile(r"\s*[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])\s*[a-zA-Z]*\s*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """The most that something may grow by.

    Against main that is a share of what it was, or bytes; while it is measured, bytes in so many
    seconds.
    """

    value: float
    is_share: bool
    per_seconds: int = 0  # 0: against main

    @property
    def period(self) -> str:
        """Return the unit of time, as budgets.yml writes it; "" for growth against main."""
        return next((name for name, each in PERIODS.items() if each == self.per_seconds), "")

    @property
    def bytes_per_second(self) -> float:
        """Return a limit of growth over time."""
        return self.value / self.per_seconds

    def most_bytes(self, before_bytes: int) -> int:
        """Return how much larger it may be than it was."""
        return int(self.value * before_bytes if self.is_share else self.value)


def size(text: str, convention: Convention) -> int:
    """Return bytes. Refuses what could be meant in two ways: `1,024MB`, `90`."""
    if _THOUSANDS.fullmatch(text):
        digits = text.strip().replace(",", "")
        raise ValueError(f"{text!r} can be read in two ways (write {digits} or a decimal point)")
    start = _NUMBER.match(text)
    example = f"{start[1] or 0}MB" if start else "90MB"
    match = _SIZE.fullmatch(text)
    try:
        number, prefix, binary = match.groups() if match else ("", "", "")
        base = 1024.0 if binary else float(convention.value)
        value = round(float(number) * base ** _POWERS[prefix.lower()])
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a size (write {example})") from None
    if _BARE.fullmatch(text) and 0 < value < SMALLEST_BARE_BYTES:
        raise ValueError(f"{text} has no unit (write {example})")
    return value


def memory_growth(text: str) -> Growth:
    """Return a growth of memory: "10%", "20MB", or over time "1MB/h"."""
    amount, slash, unit = text.partition("/")
    if not slash:
        return growth(text, Convention.MEMORY)
    if unit.strip() not in PERIODS:
        raise ValueError(f"{text!r} is not a growth over time (write 1MB/h)")
    value = size(amount, Convention.MEMORY)
    return Growth(value=value, is_share=False, per_seconds=PERIODS[unit.strip()])


def growth(text: str, convention: Convention) -> Growth:
    """Return a growth against main: "10%" or "20MB"."""
    if percentage := _PERCENT.fullmatch(text):
        return Growth(value=float(percentage[1]) / 100, is_share=True)
    if _BARE.fullmatch(text):
        raise ValueError(f"{text} is ambiguous (write {text}% or {text}MB)")
    try:
        return Growth(value=size(text, convention), is_share=False)
    except ValueError:
        if _THOUSANDS.fullmatch(text):
            raise
        raise ValueError(f"{text!r} is not a growth (write 10% or 20MB)") from None


def share(text: str) -> float:
    """Return a share of 1: "10%" or "0.1". Refuses `10`, which could mean tenfold."""
    bare, percentage = _BARE.fullmatch(text), _PERCENT.fullmatch(text)
    if bare and (number := float(bare[1].replace(",", "."))) >= 1:
        alternative = " or 100%" if number == 1 else ""
        raise ValueError(f"{text} is not a share (write {bare[1]}%{alternative})")
    if not percentage and (not bare or "," in text):
        raise ValueError(f"{text!r} is not a share (write 10%)")
    value = float(percentage[1]) / 100 if percentage else float(text)
    if value > 1:
        raise ValueError(f"{text!r} is not between 0% and 100%")
    return value


def seconds(text: str) -> float:
    """Return a duration in seconds, at most a day: "500ms", "15s", "2m" or a plain number."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration (write 15s or 2m)")
    value = float(match[1]) * _SECONDS[match[2]]
    if value > DAY_SECONDS:
        raise ValueError(f"{text} is more than a day")
    return value


def plain_number(value: float) -> str:
    """Write "200" or "2.5", never "2e+02": to be read by a program again."""
    exact = Decimal(str(value))
    whole = exact.to_integral_value()
    return f"{whole if whole == exact else exact:f}"


def percent(share: float) -> str:
    """Return the exact share: "10 %", "12.5 %"."""
    return f"{(Decimal(str(share)) * 100).normalize():f} %"


def mb_up(value_bytes: int, convention: Convention = Convention.MEMORY) -> int:
    """Return whole MB, rounded up: a usage that is over its limit never prints as within it."""
    return ceil(value_bytes / convention.mb)


def mb_down(value_bytes: int, convention: Convention = Convention.MEMORY) -> int:
    """Return whole MB, rounded down: a limit or a headroom never prints larger than it is."""
    return floor(value_bytes / convention.mb)


def format_mb(
    value_bytes: int, convention: Convention = Convention.MEMORY, *, down: bool = False
) -> str:
    """Write "1,024 MB"; one decimal below 10 MB, so that small services stay distinguishable."""
    rounding = floor if down else ceil
    mb = value_bytes / convention.mb
    if 0 < abs(mb) < 10:
        return f"{rounding(mb * 10) / 10:.1f} MB"
    return f"{rounding(mb):,} MB"
