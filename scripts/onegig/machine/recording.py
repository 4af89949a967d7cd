"""Passes of the sampler, packed: an hour of them at 10 Hz takes some 20 MB instead of 270.

They are kept as compressed JSON, a block at a time, and unpacked again while they are walked
through. Whoever needs many figures takes them in one walk: an hour is unpacked in some seconds.
"""

import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import overload

from pydantic import TypeAdapter

from onegig.machine.sampler import Pass

BLOCK = 64  # passes: more pack hardly better
_PASSES = TypeAdapter(list[Pass])


class Recording(Sequence[Pass]):
    """All passes so far, oldest first. One thread may add to it while others read."""

    def __init__(self) -> None:
        self.times = array("d")
        self._blocks: list[bytes] = []  # of BLOCK passes each
        self._last: list[Pass] = []  # fewer than that
        self._unpacked: tuple[int, list[Pass]] = (-1, [])
        self._lock = Lock()

    def add(self, sample: Pass) -> None:
        """Append a pass."""
        with self._lock:
            self._last.append(sample)
            self.times.append(sample.time)
            if len(self._last) == BLOCK:
                self._blocks.append(zlib.compress(_PASSES.dump_json(self._last)))
                self._last = []

    def between(self, start: float, end: float) -> "Stretch":
        """Return the passes from `start` to `end`, by the monotonic clock."""
        low = bisect_left(self.times, start)
        return Stretch(self, low, max(low, bisect_right(self.times, end)))

    def block(self, number: int) -> list[Pass]:
        """Return BLOCK passes, fewer at the end. The last block read is cached."""
        with self._lock:
            if number >= len(self._blocks):
                return list(self._last)
            if self._unpacked[0] != number:
                unpacked = _PASSES.validate_json(zlib.decompress(self._blocks[number]))
                self._unpacked = number, unpacked
            return self._unpacked[1]

    def __len__(self) -> int:
        """Return the number of passes so far."""
        return len(self.times)

    @overload
    def __getitem__(self, at: int) -> Pass: ...
    @overload
    def __getitem__(self, at: slice) -> "Stretch": ...
    def __getitem__(self, at: int | slice) -> "Pass | Stretch":
        """Return a pass, or the passes of a slice."""
        return Stretch(self, 0, len(self))[at]

    def __iter__(self) -> Iterator[Pass]:
        """Iterate over the current passes."""
        return iter(Stretch(self, 0, len(self)))


class Stretch(Sequence[Pass]):
    """Successive passes of a recording."""

    def __init__(self, recording: Recording, low: int, high: int) -> None:
        self._recording, self._low, self._high = recording, low, high

    def __len__(self) -> int:
        """Return the number of passes."""
        return self._high - self._low

    @overload
    def __getitem__(self, at: int) -> Pass: ...
    @overload
    def __getitem__(self, at: slice) -> "Stretch": ...
    def __getitem__(self, at: int | slice) -> "Pass | Stretch":
        """Return a pass, or a shorter stretch."""
        places = range(self._low, self._high)[at]
        if isinstance(places, range):
            if places.step != 1:
                raise ValueError("a stretch has no gaps")
            return Stretch(self._recording, places.start, places.stop)
        return self._recording.block(places // BLOCK)[places % BLOCK]

    def __iter__(self) -> Iterator[Pass]:
        """Iterate over the passes, unpacking each block once."""
        at = self._low
        while at < self._high:
            first = at - at % BLOCK
            yield from self._recording.block(at // BLOCK)[at - first : self._high - first]
            at = first + BLOCK
