"""When tests can boot a twin, and reports of one with the reference stack's figures, in MiB."""

import shutil
from dataclasses import fields, replace

import pytest

from factories import MIB, make_memory, stack
from onegig.machine.cgroup import Account
from onegig.machine.sampler import MachineMemory, Pass
from onegig.model.memory import MemoryReport
from onegig.model.twin import Guest, Reading, TwinMemory
from onegig.variables import search_path

PROGRAMS = ("qemu-system-x86_64", "mmdebstrap", "mke2fs")
_MISSING = [name for name in PROGRAMS if not shutil.which(name, path=search_path(("/usr/sbin",)))]
NEEDS_TWIN = [
    pytest.mark.engine,
    pytest.mark.twin,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]
_NOTHING = MachineMemory(**dict.fromkeys((each.name for each in fields(MachineMemory)), 0))
_EMPTY = Account(
    usage=0, anon=0, file=0, inactive_file=0, shmem=0, kernel=0, peak=None, oom_kills=0
)
GUEST = Guest(
    accelerator="tcg",
    os="Debian GNU/Linux 13 (trixie)",
    kernel="6.12.48+deb13-cloud-amd64",
    engine_version="26.1.5",
)


def reading(available: float, *, engine: float = 0, services: float = 0) -> Reading:
    """A moment; what else there is of the machine is always the same."""
    return Reading(
        available_bytes=round(available * MIB),
        shmem_bytes=1 * MIB,
        kernel_bytes=48 * MIB,
        swap_used_bytes=0,
        engine_pss_bytes=round(engine * MIB),
        stack_pss_bytes=round(services * MIB),
        system_pss_bytes=39 * MIB,
        system_processes=14,
    )


def make_twin(fell: float = 368, counted: float = 364, **changes: object) -> TwinMemory:
    """A machine sold as 1,024 MB of which 968 are MemTotal and 846 available before the engine."""
    before = 846
    lowest = reading(max(0, before - fell), engine=236, services=97)
    twin = TwinMemory(
        guest=GUEST,
        sold_bytes=1024 * MIB,
        memtotal_bytes=968 * MIB,
        sampler_bytes=1 * MIB,
        before=reading(before),
        idle=reading(745, engine=92),
        peak=lowest,
        lowest=lowest,
        counted_bytes=round(counted * MIB),
    )
    return replace(twin, **changes)  # type: ignore[arg-type]  # any field of the dataclass


def make_twin_memory(twin: TwinMemory | None = None, **changes: object) -> MemoryReport:
    """The reference stack's report from that twin."""
    twin = twin or make_twin()
    report = make_memory(stack())
    box = replace(
        report.box,
        mode="virtual machine",
        cap_bytes=twin.memtotal_bytes,
        cost_bytes=max(twin.fell_bytes, twin.counted_bytes),
        kernel_bytes=31 * MIB,
        peak_bytes=twin.memtotal_bytes,
    )
    gap = box.cost_bytes - max(sample.total_bytes for sample in report.samples)
    samples = tuple(
        replace(
            sample,
            total_bytes=sample.total_bytes + gap,
            cost_bytes=sample.cost_bytes + gap,
            engine_bytes=sample.engine_bytes + gap,
        )
        for sample in report.samples
    )
    return replace(report, twin=twin, box=box, samples=samples, **changes)  # type: ignore[arg-type]


def machine_pass(
    time: float,
    *,
    available: int,
    faults: int = 0,
    kills: int = 0,
    victim: str = "",
    swapped: int = 0,
) -> Pass:
    """A pass of a machine with 960 MiB, 800 of them available without an engine."""
    machine = replace(
        _NOTHING,
        total=960 * MIB,
        available=available * MIB,
        available_before=800 * MIB,
        major_faults=faults,
        oom_kills=kills,
        swap_total=512 * MIB,
        swap_free=(512 - swapped) * MIB,
    )
    return Pass(
        time=time,
        cost_seconds=0.0,
        box=_EMPTY,
        pressure=None,
        engine={},
        containers={},
        unreadable=0,
        oom_killed=[("/", f"/system.slice/{victim}")] if victim else [],
        machine=machine,
    )
