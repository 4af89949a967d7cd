"""Keys of a pattern and type, as they are counted: sums, and a few names to look into."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappush, heappushpop, nlargest

from onegig.model.measured import Missing, Skipped
from onegig.model.redis import Encoding, Estimate, Pattern, Spread
from onegig.redis.estimate import Moments, estimate_bytes, estimate_keys
from onegig.text import escaped

MOST_SAMPLES = 200  # names of a pattern kept to look into, and ages
MOST_LARGEST = 20
MOST_NAME = 200  # characters of a name in a document

Names = tuple[bytes, ...]


@dataclass(kw_only=True, slots=True)
class Reading:
    """One key as the server describes it; not frozen, as that would take longer to make."""

    name: bytes
    type: str
    bytes: int
    encoding: str = ""  # "": not known
    ttl_ms: int = -1  # -1: none
    idle_seconds: int | None = None


@dataclass(slots=True)
class Ages:
    """Seconds of many keys: the extremes, and enough of the first for a median."""

    least: int = 0
    most: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, seconds: int) -> None:
        """Count a key."""
        self.extend((seconds,), seconds, seconds)

    def extend(self, some: Iterable[int], least: int, most: int) -> None:
        """Count keys, of which `some` are a part."""
        self.least = min(self.least, least) if self.first else least
        self.most = max(self.most, most)
        if len(self.first) < MOST_SAMPLES:
            self.first.extend(some)

    @property
    def spread(self) -> Spread | Missing:
        """Return the extremes and the median."""
        if not self.first:
            return Skipped(reason="no key has one")
        ordered = sorted(self.first)
        return Spread(
            least_seconds=self.least,
            median_seconds=ordered[len(ordered) // 2],
            most_seconds=self.most,
        )


@dataclass(slots=True)
class Counts:
    """Counts of the keys looked at, of one pattern and type."""

    sizes: Moments = field(default_factory=Moments)
    expiring: Moments = field(default_factory=Moments)
    encodings: Counter[str] = field(default_factory=Counter)
    ttl: Ages = field(default_factory=Ages)
    idle: Ages = field(default_factory=Ages)
    names: list[bytes] = field(default_factory=list)  # the first: keys come in random order
    largest: list[tuple[int, bytes]] = field(default_factory=list)  # a heap

    def add(self, key: Reading, size: int) -> None:
        """Count a key of `size` bytes in all."""
        self.sizes.add(size)
        if key.encoding:
            self.encodings[key.encoding] += 1
        if key.ttl_ms >= 0:
            self.expiring.add(size)
            self.ttl.add(key.ttl_ms // 1000)
        if key.idle_seconds is not None:
            self.idle.add(key.idle_seconds)
        if len(self.names) < MOST_SAMPLES:
            self.names.append(key.name)
        self._rank(size, key.name)

    def merge(self, other: "Counts") -> None:
        """Add what another has counted."""
        self.sizes.merge(other.sizes)
        self.expiring.merge(other.expiring)
        self.encodings.update(other.encodings)
        for mine, its in ((self.ttl, other.ttl), (self.idle, other.idle)):
            if its.first:
                mine.extend(its.first, its.least, its.most)
        self.names = [*self.names[: MOST_SAMPLES - len(other.names[: MOST_SAMPLES // 2])]]
        self.names += other.names[: MOST_SAMPLES - len(self.names)]
        for size, name in other.largest:
            self._rank(size, name)

    def _rank(self, size: int, name: bytes) -> None:
        if len(self.largest) < MOST_LARGEST:
            heappush(self.largest, (size, name))
        elif size > self.largest[0][0]:
            heappushpop(self.largest, (size, name))


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A pattern's keys and names of some of them, to look into."""

    pattern: Pattern
    sample: Names  # at random
    largest: Names  # of the largest keys, the largest first

    @property
    def name(self) -> str:
        """Return the pattern's text."""
        return self.pattern.name

    @property
    def type(self) -> str:
        """Return the type of its keys."""
        return self.pattern.type

    @property
    def keys(self) -> Estimate:
        """Return the number of its keys."""
        return self.pattern.keys

    @property
    def bytes(self) -> Estimate:
        """Return the bytes of its keys."""
        return self.pattern.bytes


def make_group(
    text: bytes, kind: str, counts: Counts, *, database: int, sampled: int, population: int
) -> Group:
    """Return a pattern's estimates from the keys looked at: `sampled` of a `population`.

    A type whose keys were all looked at is given with both the same.
    """
    seen = counts.sizes
    keys = estimate_keys(seen.count, sampled, population)
    total = estimate_bytes(keys, seen)
    scale = keys.value / seen.count if seen.count else 1.0
    by_size = total.value / seen.total if seen.total else 1.0
    largest = nlargest(MOST_LARGEST, counts.largest)
    pattern = Pattern(
        name=escaped_name(text),
        type=kind,
        database=database,
        keys=keys,
        bytes=total,
        measured_keys=seen.count,
        encodings=tuple(
            Encoding(name=each, keys=number) for each, number in counts.encodings.most_common()
        ),
        expiring_keys=round(counts.expiring.count * scale),
        expiring_bytes=round(counts.expiring.total * by_size),
        ttl=counts.ttl.spread,
        idle=counts.idle.spread,
        largest=escaped_name(largest[0][1]) if largest else "",
        largest_bytes=largest[0][0] if largest else 0,
    )
    return Group(
        pattern=pattern,
        sample=tuple(counts.names),
        largest=tuple(each for _, each in largest),
    )


def escaped_name(name: bytes) -> str:
    r"""Return a name as text for a document; bytes that are not UTF-8 become \xff."""
    text = escaped(name.decode("utf-8", "surrogateescape"))
    return text if len(text) <= MOST_NAME else text[: MOST_NAME - 1] + "…"
