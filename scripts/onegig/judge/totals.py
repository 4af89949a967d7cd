"""The headline: what the stack, the engine and the system take together, by the metric chosen."""

from dataclasses import dataclass

from onegig.model.budgets import MemoryBudget, Metric
from onegig.model.measured import Missing, Unknown
from onegig.model.memory import MemoryReport, ServiceMemory, WindowTotals


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """system + engine + stack = total, at the highest peak; `spread` is its range over all windows.

    `peaks` are those of each window, in the order they were taken; none for a metric that was not
    the one measured by.
    """

    system_bytes: int
    engine_bytes: int
    stack_bytes: int
    spread: tuple[int, int] | Missing
    peaks: tuple[int, ...] = ()
    rss_bytes: int = 0  # the total by RSS, beside whatever metric was chosen
    doubt: str = ""  # why the total may be too low

    @property
    def bytes(self) -> int:
        """The headline."""
        return self.system_bytes + self.engine_bytes + self.stack_bytes


def add_up(memory: MemoryReport, budget: MemoryBudget) -> Total:
    """Return the total by `budget.metric`.

    cost is what the machine loses to engine and stack: every page once, with tmpfs and the kernel's
    own memory for them. rss and pss add the services to the engine's PSS, charged is what the
    kernel counts for the whole box. The system's share is assumed in all of them:
    `system_overhead`.
    """
    windows = _windows(memory, budget.metric)
    samples = (
        *_samples(memory, budget.metric),
        *(one.low_bytes for one in windows),
        *(one.high_bytes for one in windows),
    )
    measured = max(_at_the_peak(memory, budget.metric), *samples, 0)
    engine = min(_engine(memory, budget.metric), measured)
    system = budget.system_overhead_bytes
    spread: tuple[int, int] | Missing = Unknown(reason="no samples by this metric")
    if samples:
        spread = (min(samples) + system, measured + system)
    return Total(
        system_bytes=system,
        engine_bytes=engine,
        stack_bytes=measured - engine,
        spread=spread,
        peaks=tuple(one.high_bytes + system for one in windows),
        rss_bytes=max(_at_the_peak(memory, Metric.RSS), *_samples(memory, Metric.RSS), 0) + system,
        doubt=_doubt(memory, budget.metric),
    )


def consumption(service: ServiceMemory, metric: Metric) -> int:
    """Return a service's share of the headline."""
    if metric is Metric.COST:
        return service.cost_bytes
    if metric is Metric.PSS:
        return service.pss_bytes
    return service.working_set_bytes if metric is Metric.CHARGED else service.rss_bytes


def own_ranges(memory: MemoryReport, metric: Metric) -> dict[str, tuple[int, int]]:
    """Return the least and the most each service took, by name.

    A service is held to its own peak where it is known, not to that of the stack.
    """
    windows = _windows(memory, metric)
    ranges: dict[str, tuple[int, int]] = {}
    for place, service in enumerate(memory.services):
        now = consumption(service, metric)
        known = [window.services[place] for window in windows if place < len(window.services)]
        if metric is Metric.RSS:
            known.append((service.rss_min_bytes, service.rss_max_bytes))
        if service.name in ranges:  # replicas that a foreign report lists by themselves
            known.append(ranges[service.name])
        lows, highs = zip((now, now), *known, strict=True)
        ranges[service.name] = min(lows), max(highs)
    return ranges


def _windows(memory: MemoryReport, metric: Metric) -> tuple[WindowTotals, ...]:
    return memory.windows if memory.window.metric == metric else ()


def _at_the_peak(memory: MemoryReport, metric: Metric) -> int:
    if metric is Metric.CHARGED:
        return memory.box.charged_bytes
    if metric is Metric.COST:
        return memory.box.cost_bytes
    services = sum(consumption(service, metric) for service in memory.services)
    return services + memory.engine_pss_bytes


def _samples(memory: MemoryReport, metric: Metric) -> tuple[int, ...]:
    """Return the window by `metric`; empty when it cannot be converted to that."""
    if memory.window.metric == metric:
        return tuple(sample.total_bytes for sample in memory.samples)
    convert = {
        Metric.COST: lambda sample: sample.cost_bytes,
        Metric.RSS: lambda sample: sample.rss_bytes,
        Metric.CHARGED: lambda sample: sample.charged_bytes,
    }.get(metric)
    return tuple(map(convert, memory.samples)) if convert else ()


def _engine(memory: MemoryReport, metric: Metric) -> int:
    """Return the engine's part; of the real cost that is whatever belongs to no service."""
    if metric is not Metric.COST:
        return memory.engine_pss_bytes
    services = sum(service.cost_bytes for service in memory.services)
    return max(0, memory.box.cost_bytes - services)


def _doubt(memory: MemoryReport, metric: Metric) -> str:
    if metric is not Metric.PSS or memory.window.metric == metric:
        return ""
    return f"measured at the peak of {memory.window.metric}; the peak of pss may be higher"
