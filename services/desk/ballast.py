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
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = -1.0
    if not 0.0 <= megabytes <= MOST_MB:
        raise ValueError(f"{VARIABLE}={text!r} is not a number from 0 to {MOST_MB}")
    _held[:] = [b"\1" * int(megabytes * (1 << 20))]
