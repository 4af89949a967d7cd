"""Computes the figures of a virtual machine from its passes."""

from onegig.machine.machine import TwinFacts
from onegig.machine.sampler import MachineMemory, Pass
from onegig.memory.figures import Figures
from onegig.memory.totals import counted_cost, total_of
from onegig.model.budgets import Budgets, Metric
from onegig.model.twin import Reading, TwinMemory

PAGE_BYTES = 4096


def summarise_twin(
    figures: Figures, facts: TwinFacts, budgets: Budgets, sold_bytes: int
) -> TwinMemory:
    """Return where the machine's memory went, at the peak of the window and at its least."""
    before, peak = _memory(facts.before), figures.peak
    opened, closed = _memory(figures.window.first), _memory(figures.window.last)
    lowest, swapped, held = peak, 0, 0
    for sample in figures.seen.passes:
        if sample.time >= figures.seen.start.began:
            lowest = min(lowest, sample, key=lambda each: _memory(each).available)
            swapped = max(swapped, _swapped(sample))
            held = max(held, total_of(sample, Metric.COST) + _swapped(sample))
    return TwinMemory(
        guest=facts.guest,
        sold_bytes=sold_bytes,
        memtotal_bytes=before.total,
        sampler_bytes=before.sampler,
        before=_reading(facts.before),
        idle=_reading(facts.idle),
        peak=_reading(peak),
        lowest=_reading(lowest),
        counted_bytes=counted_cost(peak),
        swap_bytes=closed.swap_total,
        swap_kind="" if not closed.swap_total else "zram" if budgets.zram_bytes else "swap",
        swap_peak_bytes=swapped,
        held_bytes=held,
        swapped_in_bytes=PAGE_BYTES * (closed.swapped_in - opened.swapped_in),
    )


def _memory(sample: Pass) -> MachineMemory:
    assert sample.machine is not None  # noqa: S101 - the agent puts it into every pass
    return sample.machine


def _swapped(sample: Pass) -> int:
    memory = _memory(sample)
    return memory.swap_total - memory.swap_free


def _reading(sample: Pass) -> Reading:
    memory, system = _memory(sample), sample.system
    containers = (container.usage for container in sample.containers.values())
    return Reading(
        available_bytes=memory.available,
        shmem_bytes=memory.shmem,
        kernel_bytes=memory.kernel,
        swap_used_bytes=_swapped(sample),
        engine_pss_bytes=sum(usage.pss for usage in sample.engine.values()),
        stack_pss_bytes=sum(usage.pss for usage in containers),
        system_pss_bytes=system.pss if system else 0,
        system_processes=system.processes if system else 0,
    )
