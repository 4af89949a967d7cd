"""Savings, each measured with a sample in a scratch server, or predicted by sizes of encodings.

Techniques come in the order of what they save on top of those before: at each step every one that
is left is tried together with those chosen, for each pattern, and the best is taken. A pattern for
which a technique costs memory goes without it; settings hold for all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import median
from typing import Any

from onegig.model.redis import Saving
from onegig.redis.encodings import Settings
from onegig.redis.samples import Sample, predicted_bytes
from onegig.redis.scratch import Scratch
from onegig.redis.techniques import TECHNIQUES, Technique, configure, rewrite
from onegig.redis.units import Unit, half_width

REWRITE = "rewrite-streams"
GLOBAL = {"node-limits", "listpack-limits"}
VALUES = frozenset({"json-fields", "pack-numbers", "deduplicate", "compress"})
KEYS = VALUES | {"ttl"}
FOR_TYPE = {
    "string": KEYS | {"hash-buckets", "listpack-limits"},
    "hash": KEYS | {"listpack-limits"},
    "list": KEYS,
    "set": frozenset({"ttl", "listpack-limits"}),
    "zset": frozenset({"ttl", "listpack-limits"}),
    "stream": VALUES | {"compact-entries", "uniform-fields", "node-limits"},
}
LIVE = 0.85  # of a stream's bytes; below, entries were deleted inside of nodes
LEAST_SHARE = 0.003  # of used memory that a technique has to save
LEAST_BYTES = 4096
AGREEMENT = 0.05  # of a prediction that a measurement may be off by
LEAST_OF_PATTERN = 0.005  # of a pattern's bytes

Chosen = frozenset[str]
Measure = Callable[[Sequence[Sample], Mapping[str, str]], int]


def predict(
    units: Sequence[Unit], settings: Settings, config: Mapping[str, str], used_bytes: int
) -> tuple[Saving, ...]:
    """Return what each technique would save by the sizes of encodings; nothing is measured."""

    def size(samples: Sequence[Sample], changed: Mapping[str, str]) -> int:
        return predicted_bytes(samples, _changed(settings, changed))

    return _rank(units, size, config, used_bytes, measured=False)


def measure(
    units: Sequence[Unit], scratch: Scratch, config: Mapping[str, str], used_bytes: int
) -> tuple[Saving, ...]:
    """Return what each technique saves, measured in a scratch server.

    On a busy machine a server may be read while it still works on its tables or buffers. What is
    far from its prediction is measured twice more, and the median counts.
    """

    def size(samples: Sequence[Sample], changed: Mapping[str, str]) -> int:
        first = scratch.measure(samples, changed)
        guess = predicted_bytes(samples, _changed(scratch.settings, changed))
        if abs(first - guess) <= AGREEMENT * guess:
            return first
        more = (scratch.measure(samples, changed) for _ in range(2))
        return round(median((first, *more)))

    return _rank(units, size, config, used_bytes, measured=True)


def _changed(settings: Settings, config: Mapping[str, str]) -> Settings:
    values: dict[str, Any] = {name.replace("-", "_"): int(config[name]) for name in config}
    return replace(settings, **values)


class Costs:
    """Bytes of the server that units take under a set of techniques, each measured once."""

    def __init__(self, size: Measure, config: Mapping[str, str]) -> None:
        self._size = size
        self._config = config
        self._sizes: dict[tuple[int, Chosen], int] = {}
        self._contents: dict[int, int] = {}  # bytes by a hash of what was measured

    def of(self, unit: Unit, chosen: Chosen) -> float:
        """Return the bytes of the audited server that a unit would take."""
        before = max(1, self._measured(unit, frozenset()))
        share = self._measured(unit, chosen - {REWRITE}) / before
        live = before / unit.usage_bytes if unit.usage_bytes else 1.0
        if REWRITE in chosen and unit.samples[0].type == "stream" and live < LIVE:
            share *= live
        return unit.bytes * share

    def _measured(self, unit: Unit, chosen: Chosen) -> int:
        """Return a unit's measured bytes; where techniques change nothing it is not done again."""
        chosen &= FOR_TYPE[unit.samples[0].type]
        key = (id(unit), chosen)
        if key not in self._sizes:
            samples, settings = rewrite(unit.samples, chosen), self._settings(unit, chosen)
            content = hash((id(unit), samples, *sorted(settings.items())))
            if content not in self._contents:
                self._contents[content] = self._size(samples, settings)
            self._sizes[key] = self._contents[content]
        return self._sizes[key]

    def _settings(self, unit: Unit, chosen: Chosen) -> dict[str, str]:
        """Return the changed settings that matter to a unit's type."""
        kind = unit.samples[0].type
        kinds = {kind, "hash"} if kind == "string" else {kind}
        changed = configure(chosen, self._config)
        return {name: value for name, value in changed.items() if name.split("-")[0] in kinds}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A technique tried on top of those chosen: what every pattern would save."""

    technique: Technique
    saved: Mapping[str, float]  # by pattern, where it is used
    half: float  # of the 95 % interval of all of it

    @property
    def bytes(self) -> float:
        """Return what it saves in all."""
        return sum(self.saved.values())


def _rank(
    units: Sequence[Unit],
    size: Measure,
    config: Mapping[str, str],
    used_bytes: int,
    *,
    measured: bool,
) -> tuple[Saving, ...]:
    costs = Costs(size, config)
    patterns: dict[str, list[Unit]] = {}
    for unit in units:
        patterns.setdefault(unit.pattern, []).append(unit)
    chosen = dict.fromkeys(patterns, frozenset[str]())
    left, savings, cumulative = [*TECHNIQUES], list[Saving](), 0.0
    least = max(LEAST_BYTES, LEAST_SHARE * used_bytes)
    while left:
        steps = [_try(technique, patterns, chosen, costs) for technique in left]
        best = max(steps, key=lambda step: step.bytes)
        if best.bytes < least:
            break
        left.remove(best.technique)
        for pattern in best.saved:
            chosen[pattern] |= {best.technique.name}
        cumulative += best.bytes
        savings.append(_saving(best, cumulative, used_bytes, measured=measured))
    return tuple(savings)


def _try(
    technique: Technique,
    patterns: Mapping[str, Sequence[Unit]],
    chosen: Mapping[str, Chosen],
    costs: Costs,
) -> Step:
    saved: dict[str, float] = {}
    squares = 0.0
    for pattern, units in patterns.items():
        with_it = chosen[pattern] | {technique.name}
        differences = [costs.of(u, chosen[pattern]) - costs.of(u, with_it) for u in units]
        total = sum(differences)
        is_worthwhile = total > LEAST_OF_PATTERN * sum(unit.bytes for unit in units)
        if is_worthwhile or (technique.name in GLOBAL and total):
            saved[pattern] = total
            shares = [each / unit.bytes for each, unit in zip(differences, units, strict=True)]
            squares += half_width(units, shares) ** 2
    return Step(technique=technique, saved=saved, half=sqrt(squares))


def _saving(step: Step, cumulative: float, used_bytes: int, *, measured: bool) -> Saving:
    largest = sorted(step.saved, key=lambda pattern: -step.saved[pattern])
    technique = step.technique
    return Saving(
        technique=technique.name,
        title=technique.title,
        patterns=tuple(largest),
        saved_bytes=round(step.bytes),
        low_bytes=max(0, round(step.bytes - step.half)),
        high_bytes=round(step.bytes + step.half),
        cumulative_bytes=round(cumulative),
        left_bytes=max(0, round(used_bytes - cumulative)),
        advice="; ".join(filter(None, (technique.advice, technique.note))),
        measured=measured,
    )
