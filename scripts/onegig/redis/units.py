"""Samples of a server's keys, put together to units whose memory is measured at once.

A unit stands for a part of its pattern's bytes. Several units of a pattern say how much a saving
differs within it (random groups: Wolter, Introduction to Variance Estimation, chapter 2).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import sqrt

from redis.exceptions import ResponseError

from onegig.redis.estimate import student
from onegig.redis.groups import Group
from onegig.redis.samples import TYPES, Client, Sample, read_sample, select
from onegig.text import plain

MOST_GROUPS = 20  # patterns, the largest
LEAST_SHARE = 0.004  # of all keys' bytes that a pattern is worth looking into
MOST_KEYS = 120  # of a pattern
MOST_STREAMS = 4
MOST_BYTES = 512 * 1024  # read of a pattern
UNITS = 4  # of a pattern; half as many of one that holds little
LITTLE = 0.02  # of all keys' bytes


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Unit:
    """Keys that are measured together.

    `bytes` is the memory of the server they stand for, without pending entries of streams: those
    stay, however entries are written.
    """

    pattern: str
    samples: tuple[Sample, ...]
    bytes: float
    is_whole: bool  # all keys of the pattern were read to their end

    @property
    def usage_bytes(self) -> float:
        """Return what the audited server takes for what was read (MEMORY USAGE)."""
        return sum(sample.usage_bytes * sample.share for sample in self.samples)

    @property
    def pending_bytes(self) -> float:
        """Return what is taken of that by entries that groups have not acknowledged."""
        return sum(sample.pending_bytes * sample.share for sample in self.samples)

    def half(self) -> "Unit":
        """Return a unit that stands for the same bytes with half of what was read."""
        if len(self.samples) > 1:
            return replace(self, samples=self.samples[::2])
        return replace(self, samples=(self.samples[0].half(),))


def read_units(client: Client, groups: Sequence[Group]) -> tuple[tuple[Unit, ...], list[str]]:
    """Return the units of the largest patterns, and which could not be read and why."""
    total = sum(group.bytes.value for group in groups)
    units: list[Unit] = []
    gaps: list[str] = []
    for group in groups[:MOST_GROUPS]:
        if group.type not in TYPES or group.bytes.value < LEAST_SHARE * total:
            continue
        try:
            select(client, group.pattern.database)
            samples = tuple(_read(client, group))
        except ResponseError as error:
            gaps.append(f"{group.name}: contents could not be read ({plain(str(error))})")
            continue
        units += _make_units(group, samples, UNITS if group.bytes.value > LITTLE * total else 2)
    return tuple(units), gaps


def _read(client: Client, group: Group) -> Iterator[Sample]:
    most = MOST_STREAMS if group.type == "stream" else MOST_KEYS
    names = group.sample
    step = max(1, len(names) // most)
    read = 0
    for name in names[::step][:most]:
        for sample in read_sample(client, name, group.type):
            read += round(sample.usage_bytes * sample.share)
            yield sample
        if read > MOST_BYTES:
            return


def _make_units(group: Group, samples: Sequence[Sample], most: int) -> Iterable[Unit]:
    """Yield at most so many units of keys that were read whole, and those of parts of large ones.

    The pattern's bytes are shared out by the keys' own: of a key read in parts, to its parts.
    """
    parts: dict[bytes, int] = {}
    for sample in samples:
        parts[sample.name] = parts.get(sample.name, 0) + 1
    weights = [sample.usage_bytes / parts[sample.name] for sample in samples]
    contents = [max(0.0, 1 - sample.pending_bytes / sample.usage_bytes) for sample in samples]
    known = sum(weights)
    is_whole = len(parts) == group.keys.value and all(sample.share == 1 for sample in samples)
    whole = [n for n, sample in enumerate(samples) if sample.share == 1]
    count = min(most, max(1, len(whole) // 5))
    chunks = [whole[first::count] for first in range(count)]
    chunks += [[n] for n, sample in enumerate(samples) if sample.share < 1]
    for chunk in filter(None, chunks):
        share = sum(weights[n] * contents[n] for n in chunk) / known
        yield Unit(
            pattern=group.name,
            samples=tuple(samples[n] for n in chunk),
            bytes=max(1.0, group.bytes.value * share),
            is_whole=is_whole,
        )


def join(units: Sequence[Unit]) -> Unit:
    """Return one unit of all that units of a pattern hold; parts of a stream become one."""
    joined: dict[bytes, Sample] = {}
    for sample in chain.from_iterable(unit.samples for unit in units):
        if first := joined.get(sample.name):
            entries, share = first.entries + sample.entries, first.share + sample.share
            sample = replace(first, entries=entries, share=share)
        joined[sample.name] = sample
    total = sum(unit.bytes for unit in units)
    return replace(units[0], samples=tuple(joined.values()), bytes=total)


def half_width(units: Sequence[Unit], shares: Sequence[float]) -> float:
    """Return half of the 95 % interval of the bytes that units of a pattern save.

    `shares` of each unit's bytes are saved. Nothing is uncertain where all keys were read; of a
    single unit nothing is known.
    """
    if all(unit.is_whole for unit in units):
        return 0.0
    total = sum(unit.bytes for unit in units)
    mean = sum(unit.bytes * share for unit, share in zip(units, shares, strict=True)) / total
    count = len(units)
    if count < 2:
        return abs(mean) * total
    spread = sum((u.bytes / total * (s - mean)) ** 2 for u, s in zip(units, shares, strict=True))
    return student(count - 1) * sqrt(spread * count / (count - 1)) * total
