"""Boots the twin at the size at which its kernel shows the MemTotal that was asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from onegig.errors import BootError
from onegig.machine.box import read_remarks
from onegig.machine.machine import BootPlan
from onegig.machine.nesting import HostPrograms
from onegig.machine.twin import disks, host, qemu, virtual
from onegig.machine.twin.guest import Guest
from onegig.machine.twin.virtual import VirtualMachine

MIB = 1024**2
BOOT_SECONDS = {qemu.KVM: 120.0, qemu.TCG: 600.0}
MOST_OFF_KIB = 1024  # of MemTotal; the machine is started anew if it is off by more
PREPARATION = "! cat /onegig/problem 2>/dev/null && cat /onegig/remarks"  # see guest.sh
PARAMETERS = (
    "root=/dev/vda rw console=tty0 console=ttyS0 loglevel=5 net.ifnames=0 psi=1"
    " systemd.show_status=0"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Boot:
    """A machine to start."""

    plan: BootPlan
    guest: Guest
    nesting: HostPrograms
    ports: tuple[qemu.Port, ...]
    control_port: int

    @contextmanager
    def start(self) -> Iterator[VirtualMachine]:
        """Yield a machine of the right size whose agent has sent its first pass."""
        memory_kib, wanted = self._memory_kib(), self.plan.memtotal_bytes
        accelerators: tuple[str, ...] = (qemu.KVM, qemu.TCG)
        for attempt in range(3):
            self.plan.say(f"booting a virtual machine of {memory_kib // 1024:,} MB")
            with self._run(memory_kib, accelerators) as machine:
                seconds = sum(BOOT_SECONDS.values())
                machine.wait_for(machine.is_sampled, seconds, "did not boot")
                machine.remarks += _read_remarks(machine)
                memory = machine.watch.passes[0].machine
                total = memory.total if memory else wanted
                reserved = qemu.reserved_by(memory_kib, total)
                self._reserved_file.write_text(str(reserved))
                off_kib = abs(total - wanted) // 1024
                if off_kib <= MOST_OFF_KIB or self._is_whole or attempt == 2:
                    yield machine
                    return
            memory_kib = qemu.memory_for(wanted, reserved)
            accelerators = (machine.accelerator,)

    @property
    def _is_whole(self) -> bool:
        """Return whether the machine has the memory as sold (MemTotal is not known)."""
        return self.plan.memtotal_bytes == self.plan.budgets.memory.limit_bytes

    @property
    def _reserved_file(self) -> Path:
        """Return the file that stores the kernel's reserve of a machine of this size."""
        return self.guest.notes / f"reserved_kib.{self.plan.memtotal_bytes // MIB}"

    def _memory_kib(self) -> int:
        if self._is_whole:
            return self.plan.memtotal_bytes // 1024
        reserved = qemu.RESERVED_KIB
        with suppress(OSError, ValueError):
            reserved = int(self._reserved_file.read_text())
        return qemu.memory_for(self.plan.memtotal_bytes, reserved)

    @contextmanager
    def _run(self, memory_kib: int, accelerators: tuple[str, ...]) -> Iterator[VirtualMachine]:
        directory = self.plan.run.directory / "twin"
        hardware = qemu.Hardware(
            memory_kib=memory_kib,
            processors=self.plan.vcpus or os.cpu_count() or 1,
            drives=(
                self.guest.root,
                qemu.Drive(path=str(host.scratch(self.plan.run) / disks.DATA)),
                *([self.guest.seed] if self.guest.seed else []),
            ),
            agent_socket=str(directory / "agent.sock"),
            console=str(directory / "console.log"),
            control_port=self.control_port,
            ports=self.ports,
            kernel=self.guest.kernel,
            initrd=self.guest.initrd,
            parameters=PARAMETERS,
        )
        with virtual.start(
            self.plan.engine,
            self.plan.run,
            hardware,
            image=self.nesting.image_name,
            volume=self.nesting.volume,
            folders=(directory,),
            accelerators=accelerators,
        ) as machine:
            yield machine


def _read_remarks(machine: VirtualMachine) -> tuple[str, ...]:
    """Return the remarks of guest.sh; BootError if it did not come to its end."""
    answer = machine.port.run(PREPARATION)
    if answer.ran != 0:
        raise BootError(
            f"the twin can't be used: {answer.output.strip()}",
            command="/onegig/guest.sh",
            advice="its console is above; install what is missing in `twin.image`, or remove it",
            detail=machine.tail(),
        )
    return read_remarks(answer.output)
