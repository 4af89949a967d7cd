"""Sizes and times as people write them, and back.

Inside onegig a size is an integer number of bytes. Two conventions exist outside and both are kept:
memory follows the kernel and the cloud catalogues (a 1 GB machine is "1,024 MB": 1 MB = 2**20
bytes), images and disks follow `docker image ls` (1 MB = 10**6 bytes). KiB, MiB and GiB are binary
everywhere.
"""

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


def plain_number(value: float) -> str:
    """Such as "200" or "2.5", never "2e+02": to be read by a program again."""
    exact = Decimal(str(value))
    whole = exact.to_integral_value()
    return f"{whole if whole == exact else exact:f}"


def percent(share: float) -> str:
    """Return the exact share: "10 %", "12.5 %"."""
    return f"{(Decimal(str(share)) * 100).normalize():f} %"


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
