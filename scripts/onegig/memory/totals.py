"""The headline of one pass, and the parts it adds up from, by each metric."""

from collections.abc import Sequence

from onegig.machine.sampler import ContainerUsage, Pass
from onegig.model.budgets import Metric


def total_of(sample: Pass, metric: Metric) -> int:
    """Return the headline of one pass, without the system overhead: stack plus engine, in bytes.

    The real cost is counted. A machine of its own also shows it: what its available memory has
    fallen by. There the larger of the two is the total: MemAvailable has pages of programs in it,
    which must be read again and again once they are dropped; counting misses what the kernel keeps
    in no account.

    By the other metrics the engine counts by PSS always: its shims share most of their pages, and a
    sum of their RSS overstates them four times.
    """
    if metric is Metric.CHARGED:
        return sample.box.working_set
    usages = [container.usage for container in sample.containers.values()]
    if metric is Metric.COST:
        fell = sample.machine.fell if sample.machine else 0
        return max(fell, counted_cost(sample))
    return _engine_pss(sample) + sum(u.pss if metric is Metric.PSS else u.rss for u in usages)


def counted_cost(sample: Pass) -> int:
    """Return the real cost of engine and stack as a box counts it, in bytes.

    Every page counts once, shared or not, and with it what the kernel itself keeps for them: PSS
    without shared memory, shared memory (tmpfs, /dev/shm, memfd and shared maps, mapped or not),
    and the kernel's memory.
    """
    containers = (container.usage for container in sample.containers.values())
    private = sum(usage.private for usage in (*sample.engine.values(), *containers))
    return private + sample.box.shmem + sample.box.kernel


def share_of(container: ContainerUsage, metric: Metric) -> int:
    """Return what a container adds to the total, in bytes."""
    usage, account = container.usage, container.account
    if metric is Metric.COST:
        return usage.private + account.shmem + account.kernel
    if metric is Metric.CHARGED:
        return account.working_set
    return usage.pss if metric is Metric.PSS else usage.rss


def shares_of(sample: Pass, ids: Sequence[str], metric: Metric) -> int:
    """Return what the containers with these ids add to the total, in bytes."""
    return sum(share_of(sample.containers[cid], metric) for cid in ids if cid in sample.containers)


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
