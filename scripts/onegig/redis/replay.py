"""Savings, each measured with a sample in a scratch server, or predicted by sizes of encodings.

Techniques come in the order of what they save on top of those before: at each step every one that
is left is tried together with those chosen, for each pattern, and the best is taken. A pattern for
which a technique costs memory goes without it; settings hold for all.

Intervals (95 %) have three parts: how much a saving differs between parts of a pattern (random
groups), how far the prediction is from the measurement, and what a larger sample would show. Tables
of codes are paid once and values repeat more often the more of them there are, so the share saved
by n entries is about s - c/n. Of a pattern's k parts, joined to one, is known what k times as many
save; all of the data save that difference times k/(k - 1) more than the parts (Richardson's
extrapolation), at most twice the difference. A single part is compared with half of it.
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
from onegig.redis.units import Unit, half_width, join

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
PREDICTION_ERROR = 0.03  # of a saving, at least; held by tests/redis/test_replay.py
DRIFTS = 2.0  # that all data may be off by, in differences of a small sample and a larger one

Chosen = frozenset[str]
Measure = Callable[[Sequence[Sample], Mapping[str, str]], int]


def predict(
    units: Sequence[Unit], settings: Settings, config: Mapping[str, str], used_bytes: int
) -> tuple[Saving, ...]:
    """Return what each technique would save by the sizes of encodings; nothing is measured."""

    def size(samples: Sequence[Sample], changed: Mapping[str, str]) -> int:
        return predicted_bytes(samples, _changed(settings, changed))

    return _rank(units, size, size, config, used_bytes, measured=False)


def measure(
    units: Sequence[Unit], scratch: Scratch, config: Mapping[str, str], used_bytes: int
) -> tuple[Saving, ...]:
    """Return what each technique saves, measured in a scratch server.

    On a busy machine a server may be read while it still works on its tables or buffers. What is
    far from its prediction is measured twice more, and the median counts.
    """

    def guess(samples: Sequence[Sample], changed: Mapping[str, str]) -> int:
        return predicted_bytes(samples, _changed(scratch.settings, changed))

    def size(samples: Sequence[Sample], changed: Mapping[str, str]) -> int:
        first, guessed = scratch.measure(samples, changed), guess(samples, changed)
        if abs(first - guessed) <= AGREEMENT * guessed:
            return first
        more = (scratch.measure(samples, changed) for _ in range(2))
        return round(median((first, *more)))

    return _rank(units, size, guess, config, used_bytes, measured=True)


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
        if REWRITE in chosen and unit.samples[0].type == "stream":
            share *= _live_share(unit, before)
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


def _live_share(unit: Unit, entries_bytes: int) -> float:
    """Return the share of a stream that its entries take; 1 where little is left unexplained."""
    if entries_bytes + unit.pending_bytes >= LIVE * unit.usage_bytes:
        return 1.0
    return entries_bytes / (unit.usage_bytes - unit.pending_bytes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A technique tried on top of those chosen: what every pattern would save."""

    technique: Technique
    saved: Mapping[str, float]  # by pattern, where it is used
    half: float  # of the 95 % interval of all of it, by the differences within patterns

    @property
    def bytes(self) -> float:
        """Return what it saves in all."""
        return sum(self.saved.values())


class Bias:
    """Errors that all parts of a sample share, so that their differences do not show them."""

    def __init__(self, measured: Costs, guess: Measure, config: Mapping[str, str]) -> None:
        self._measured = measured
        self._guessed = Costs(guess, config)
        self._joined: dict[str, tuple[Unit, ...]] = {}

    def drift(self, units: Sequence[Unit], before: Chosen, after: Chosen) -> float:
        """Return the bytes that all of a pattern may save more than its units show, or less."""
        if all(unit.is_whole for unit in units):
            return 0.0
        if len(units) > 1:
            pattern = units[0].pattern
            more = self._joined.setdefault(pattern, (join(units),))
            fewer = tuple(units)
        else:
            more = tuple(units)
            fewer = self._joined.setdefault(units[0].pattern, (units[0].half(),))
        differences = (
            sum(_saved(self._guessed, unit, before, after) for unit in each)
            for each in (more, fewer)
        )
        return DRIFTS * (next(differences) - next(differences))

    def error(self, units: Sequence[Unit], before: Chosen, after: Chosen) -> float:
        """Return the bytes between a pattern's measured and its predicted saving."""
        costs = (self._measured, self._guessed)
        measured, guessed = (sum(_saved(c, unit, before, after) for unit in units) for c in costs)
        return measured - guessed


def _saved(costs: Costs, unit: Unit, before: Chosen, after: Chosen) -> float:
    return costs.of(unit, before) - costs.of(unit, after)


def _rank(
    units: Sequence[Unit],
    size: Measure,
    guess: Measure,
    config: Mapping[str, str],
    used_bytes: int,
    *,
    measured: bool,
) -> tuple[Saving, ...]:
    costs = Costs(size, config)
    bias = Bias(costs, guess, config)
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
        margins = _margins(best, patterns, chosen, bias)
        for pattern in best.saved:
            chosen[pattern] |= {best.technique.name}
        cumulative += best.bytes
        savings.append(_saving(best, margins, cumulative, used_bytes, measured=measured))
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
        differences = [_saved(costs, unit, chosen[pattern], with_it) for unit in units]
        total = sum(differences)
        is_worthwhile = total > LEAST_OF_PATTERN * sum(unit.bytes for unit in units)
        if is_worthwhile or (technique.name in GLOBAL and total):
            saved[pattern] = total
            shares = [each / unit.bytes for each, unit in zip(differences, units, strict=True)]
            squares += half_width(units, shares) ** 2
    return Step(technique=technique, saved=saved, half=sqrt(squares))


def _margins(
    step: Step,
    patterns: Mapping[str, Sequence[Unit]],
    chosen: Mapping[str, Chosen],
    bias: Bias,
) -> tuple[float, float]:
    """Return the bytes by which all of the data may save less than a step, and more."""
    less = more = error = 0.0
    for pattern in step.saved:
        before, after = chosen[pattern], chosen[pattern] | {step.technique.name}
        drift = bias.drift(patterns[pattern], before, after)
        less, more = less + max(0.0, -drift), more + max(0.0, drift)
        error += bias.error(patterns[pattern], before, after)
    margin = step.half + max(abs(error), PREDICTION_ERROR * step.bytes)
    return margin + less, margin + more


def _saving(
    step: Step,
    margins: tuple[float, float],
    cumulative: float,
    used_bytes: int,
    *,
    measured: bool,
) -> Saving:
    largest = sorted(step.saved, key=lambda pattern: -step.saved[pattern])
    technique = step.technique
    return Saving(
        technique=technique.name,
        title=technique.title,
        patterns=tuple(largest),
        saved_bytes=round(step.bytes),
        low_bytes=max(0, round(step.bytes - margins[0])),
        high_bytes=round(step.bytes + margins[1]),
        cumulative_bytes=round(cumulative),
        left_bytes=max(0, round(used_bytes - cumulative)),
        advice="; ".join(filter(None, (technique.advice, technique.note))),
        measured=measured,
    )
