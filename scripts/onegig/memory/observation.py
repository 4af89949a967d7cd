"""What was seen of a stack on a machine, and what each pass adds up to, by metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onegig.machine.machine import Container, Start
from onegig.machine.sampler import ContainerUsage, Pass
from onegig.model.budgets import Metric


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What was seen: every pass since the box came up, those of each window, and the end states."""

    passes: tuple[Pass, ...]
    windows: tuple[tuple[Pass, ...], ...]  # in the order they were taken, none empty
    containers: tuple[Container, ...]
    answered: bool  # whether the engine could still be asked at the end
    restarts_before: Mapping[str, int]  # by container id, when the first window opened
    logs: Mapping[str, str]  # by service, for those that failed
    start: Start

    def window(self, metric: Metric) -> tuple[Pass, ...]:
        """Return the one with the highest total: the one that counts."""
        return max(self.windows, key=lambda window: total_of(peak_pass(window, metric), metric))

    def peak(self, metric: Metric) -> Pass:
        """Return the pass with the highest total of all windows."""
        return peak_pass(self.window(metric), metric)

    def ids(self, service: str) -> tuple[str, ...]:
        """Return the ids of a service's containers."""
        return tuple(c.container_id for c in self.containers if c.service == service)


def total_of(sample: Pass, metric: Metric) -> int:
    """Return the headline of one pass, without the system overhead: stack plus engine, in bytes.

    By the real cost every page counts once, shared or not, and with it what the kernel itself keeps
    for engine and stack: PSS without shared memory, the box's shared memory (tmpfs, /dev/shm, memfd
    and shared maps, mapped or not), the box's kernel memory. By the other metrics the engine counts
    by PSS always: its shims share most of their pages, and a sum of their RSS overstates them four
    times.
    """
    if metric is Metric.CHARGED:
        return sample.box.working_set
    usages = [container.usage for container in sample.containers.values()]
    if metric is Metric.COST:
        private = sum(usage.private for usage in (*sample.engine.values(), *usages))
        return private + sample.box.shmem + sample.box.kernel
    return _engine_pss(sample) + sum(u.pss if metric is Metric.PSS else u.rss for u in usages)


def share_of(container: ContainerUsage, metric: Metric) -> int:
    """Return what a container adds to the total, in bytes."""
    usage, account = container.usage, container.account
    if metric is Metric.COST:
        return usage.private + account.shmem + account.kernel
    if metric is Metric.CHARGED:
        return account.working_set
    return usage.pss if metric is Metric.PSS else usage.rss


def engine_of(sample: Pass, metric: Metric) -> int:
    """Return the engine's part of a pass's total, in bytes.

    By the real cost that is all of it that belongs to no container; else the engine's PSS.
    """
    if metric is not Metric.COST:
        return _engine_pss(sample)
    shares = sum(share_of(container, metric) for container in sample.containers.values())
    return max(0, total_of(sample, metric) - shares)


def peak_pass(window: Sequence[Pass], metric: Metric) -> Pass:
    """Return the pass with the highest total; ValueError for an empty window."""
    return max(window, key=lambda sample: total_of(sample, metric))


def _engine_pss(sample: Pass) -> int:
    return sum(usage.pss for usage in sample.engine.values())
