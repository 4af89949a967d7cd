"""Memory that a process holds for nothing: DESK_BALLAST_MB, to measure a heavier stack.

It stands for what a large library takes: once for each process, however many services run in it.
"""

from collections.abc import Mapping

VARIABLE = "DESK_BALLAST_MB"
MOST_MB = 1_024

_held: list[bytes] = []


def hold(environ: Mapping[str, str]) -> None:
    """Hold the megabytes (2**20 bytes) that DESK_BALLAST_MB states; raises ValueError."""
    text = environ.get(VARIABLE) or "0"
    if not text.isdecimal() or int(text) > MOST_MB:
        raise ValueError(f"{VARIABLE}={text!r} is not a whole number from 0 to {MOST_MB}")
    _held[:] = [b"\1" * (int(text) << 20)]
