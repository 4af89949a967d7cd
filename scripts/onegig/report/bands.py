"""Memory over time as bands on top of each other: few enough to tell apart by colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from onegig.model.memory import MemoryReport, Sample
from onegig.report import words

POINTS = 120  # of a time series; more cannot be told apart
COLORED = 7  # services with a colour of their own


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """One layer of the stacked plot; `color` is its custom property on the page."""

    label: str
    color: str
    values: tuple[int, ...]  # bytes, one per sample

    @property
    def peak_bytes(self) -> int:
        """Its highest value."""
        return max(self.values, default=0)


def memory_bands(memory: MemoryReport, overhead_bytes: int) -> tuple[Band, ...]:
    """What is stacked, from below: kernel and OS, engine, the largest services, the rest."""
    samples = thinned(memory.samples)
    names = [service.name for service in memory.services]
    series = [tuple(sample.service_bytes[i] for sample in samples) for i in range(len(names))]
    order = sorted(range(len(names)), key=lambda i: -max(series[i], default=0))
    top, rest = order[:COLORED], order[COLORED:]
    if len(rest) == 1:
        top, rest = order[: COLORED - 1], order[COLORED - 1 :]
    bands = [
        Band(label="kernel and OS", color="os", values=(overhead_bytes,) * len(samples)),
        Band(label="engine", color="engine", values=tuple(s.engine_bytes for s in samples)),
    ]
    bands += [
        Band(label=names[i], color=f"c{place}", values=series[i])
        for place, i in enumerate(top, start=1)
    ]
    if rest:
        together = tuple(sum(series[i][at] for i in rest) for at in range(len(samples)))
        label = words.plural(len(rest), "other service")
        bands.append(Band(label=label, color="rest", values=together))
    return tuple(bands if overhead_bytes else bands[1:])


def thinned(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """At most POINTS samples: of each stretch of time the one with the highest total."""
    if len(samples) <= POINTS:
        return tuple(samples)
    edges = [at * len(samples) // POINTS for at in range(POINTS + 1)]
    stretches = (samples[low:high] for low, high in pairwise(edges))
    return tuple(max(stretch, key=lambda sample: sample.total_bytes) for stretch in stretches)
