"""Sizes and times as people write them, and back.

Inside onegig a size is an integer number of bytes. Two conventions exist outside and both are kept:
memory follows the kernel and the cloud catalogues (a 1 GB machine is "1,024 MB": 1 MB = 2**20
bytes), images and disks follow `docker image ls` (1 MB = 10**6 bytes). KiB, MiB and GiB are binary
everywhere.
"""

import re
from decimal import Decimal
from enum import Enum
from math import ceil, floor


class Convention(Enum):
    """How many bytes one MB is."""

    MEMORY = 1024
    STORAGE = 1000

    @property
    def mb(self) -> int:
        """Bytes in one MB."""
        return int(self.value) ** 2


_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(b?)\s*", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_size(text: str | int, convention: Convention) -> int:
    """Bytes for "90MB", "1.9 GB", "512MiB" or a plain integer of bytes.

    Raises ValueError with a message that shows the right form.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text < 0:
            raise ValueError(f"{text} is negative")
        return text
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        digits = re.match(r"\s*(\d+(?:\.\d+)?)(?![.,\d])", str(text))
        example = f"{digits[1]}MB" if digits else "90MB"
        raise ValueError(f"{text!r} is not a size (write {example})")
    number, prefix, binary, _ = match.groups()
    base = 1024 if binary else convention.value
    return round(float(number) * float(base) ** _POWERS[prefix.lower()])


def parse_seconds(text: str | int | float) -> float:
    """Seconds for "500ms", "15s", "2m", "1h" or a plain number of seconds.

    Raises ValueError with a message that shows the right form.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if text < 0:
            raise ValueError(f"{text} is negative")
        return float(text)
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration (write 15s or 2m)")
    return float(match[1]) * _SECONDS[match[2]]


def parse_fraction(text: str | int | float) -> float:
    """A share of 1 for "10%" or 0.1.

    Raises ValueError with a message that shows the right form.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        share = float(text)
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"{text!r} is not a share (write 10%)")
        share = float(match[1]) / 100
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not between 0% and 100%")
    return share


def plain_number(value: float) -> str:
    """Such as "200" or "2.5", never "2e+02": to be read by a program again."""
    exact = Decimal(str(value))
    whole = exact.to_integral_value()
    return f"{whole if whole == exact else exact:f}"


def mb_up(value_bytes: int, convention: Convention = Convention.MEMORY) -> int:
    """Whole MB, rounded up: a usage that is over its limit never prints as within it."""
    return ceil(value_bytes / convention.mb)


def mb_down(value_bytes: int, convention: Convention = Convention.MEMORY) -> int:
    """Whole MB, rounded down: a limit or a headroom never prints larger than it is."""
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
