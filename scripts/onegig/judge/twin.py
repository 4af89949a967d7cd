"""Checks that only a virtual machine allows: its system's own memory, and the use of swap."""

from collections.abc import Iterator
from dataclasses import replace

from onegig.judge.checks import Case
from onegig.model.budgets import Budgets
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.twin import MachineKind, TwinMemory
from onegig.model.verdict import Check, make_check

APART = 0.1  # of the counted cost: a larger difference to what was lost deserves a note
BOX_ASSUMES = 16 * 1024**2  # less than the system takes: a box would be that much too generous


def twin_of(memory: MemoryReport | Missing) -> TwinMemory | None:
    """Return the twin's measurement, or None for a box or if nothing was measured."""
    if isinstance(memory, Missing) or isinstance(memory.twin, Missing):
        return None
    return memory.twin


def with_measured_system(budgets: Budgets, memory: MemoryReport | Missing) -> Budgets:
    """Return the budgets with the system's memory as a twin measured it, not as it is assumed."""
    twin = twin_of(memory)
    if twin is None:
        return budgets
    system = replace(budgets.memory, system_overhead_bytes=twin.system_bytes)
    return replace(budgets, memory=system)


def check_twin(case: Case) -> Iterator[Check]:
    """Yield a check of the swap in use, or nothing for a machine without swap."""
    twin = twin_of(case.memory)
    if twin and twin.swap_kind:
        yield _check_swap(twin)


def _check_swap(twin: TwinMemory) -> Check:
    """Warn if everything together was more than the machine has, so that it fits by swap only.

    The kernel also moves idle pages out if memory would do: these are no need.
    """
    held, used = twin.system_bytes + twin.held_bytes, twin.swap_peak_bytes
    needs, size = held > twin.sold_bytes, format_mb(twin.swap_bytes)
    state = State.WARN if needs else State.GO
    message = (
        f"{format_mb(used)} of {size} {twin.swap_kind} in use, but the stack would fit without it"
    )
    if needs:
        together = f"{format_mb(held)} were in use on a machine with {format_mb(twin.sold_bytes)}"
        read = f", {format_mb(twin.swapped_in_bytes)} read back" if twin.swapped_in_bytes else ""
        message = f"fits with {format_mb(used)} in {twin.swap_kind}: {together}{read}"
    return make_check("memory.swap", "stack", used, None, state, message)


def twin_notes(budgets: Budgets, memory: MemoryReport | Missing) -> Iterator[str]:
    """Yield differences from what a box says or assumes; `budgets` are as written."""
    twin = twin_of(memory)
    if isinstance(memory, Missing):
        return
    if twin is None:
        if budgets.swap_bytes or budgets.zram_bytes:
            swap = "swap" if budgets.swap_bytes else "zram"
            yield f"a box has no swap; use `--on twin` to measure with the {swap} of {budgets.path}"
        if budgets.measure.reboot:
            yield "a box cannot be rebooted; use `--on twin`"
        if budgets.machine is MachineKind.TWIN:
            yield f"{budgets.path} asks for a twin, but this was measured in a box"
        return
    assumed = budgets.memory.system_overhead_bytes
    if twin.system_bytes - assumed > BOX_ASSUMES:
        takes = f"kernel and OS take {format_mb(twin.system_bytes)} here"
        yield f"{takes}; a box assumes {format_mb(assumed)} (memory.system_overhead)"
    if abs(twin.difference_share) > APART:
        fell, counted = format_mb(twin.fell_bytes), format_mb(twin.counted_bytes)
        why = "the kernel counts program pages as available"
        if twin.fell_bytes > twin.counted_bytes:
            why = "no counter shows where the difference went"
        yield f"available memory fell by {fell}, engine and stack count {counted}: {why}"
