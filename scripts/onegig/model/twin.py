"""Figures that only a virtual machine has: its own kernel, operating system and memory."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Skipped

NO_TWIN = Skipped(reason="the stack was measured in a box")


class MachineKind(StrEnum):
    """Kinds of machines that a stack is booted on."""

    BOX = "box"
    TWIN = "twin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Guest:
    """The software of the virtual machine. `image` is "" for the Debian that onegig builds."""

    accelerator: str  # "kvm", or "tcg" for a processor in software
    os: str  # "Debian GNU/Linux 13 (trixie)"
    kernel: str
    engine_version: str
    image: str = ""  # the file of a cloud image


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The virtual machine's memory at one moment, in bytes."""

    available_bytes: int  # MemAvailable
    shmem_bytes: int
    kernel_bytes: int  # unreclaimable slab, stacks, page tables, percpu
    swap_used_bytes: int
    engine_pss_bytes: int
    stack_pss_bytes: int
    system_pss_bytes: int  # processes of the operating system
    system_processes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TwinMemory:
    """The memory of a virtual machine by use.

    `counted_bytes` is the real cost of engine and stack as a box counts it: PSS, shared memory and
    the kernel's memory for them. The machine's available memory fell by as much or less, because
    the kernel takes pages of programs, which it could read again, for available; or by more, if
    the kernel keeps memory that is in no account. The larger of the two is the total.
    """

    guest: Guest
    sold_bytes: int  # of the machine that it stands for; MemTotal and the kernel's reserve
    memtotal_bytes: int
    sampler_bytes: int  # onegig's own in the machine, in no other figure of use
    before: Reading  # the idle operating system, without an engine
    idle: Reading  # with the engine, without a container
    peak: Reading  # at the peak of the window
    lowest: Reading  # where the least was available since `compose up`
    counted_bytes: int  # at the peak of the window
    swap_bytes: int = 0
    swap_kind: str = ""  # "swap" or "zram"
    swap_peak_bytes: int = 0  # most of it in use
    held_bytes: int = 0  # most that engine and stack held, in memory and swap together
    swapped_in_bytes: int = 0  # over the window that counts

    @property
    def reserve_bytes(self) -> int:
        """Return what the kernel reserves before the first program: as sold minus MemTotal."""
        return max(0, self.sold_bytes - self.memtotal_bytes)

    @property
    def os_bytes(self) -> int:
        """Return what the idle operating system takes of MemTotal, without onegig's sampler."""
        return max(0, self.memtotal_bytes - self.before.available_bytes - self.sampler_bytes)

    @property
    def system_bytes(self) -> int:
        """Return kernel and operating system together: what a box can only assume."""
        return self.reserve_bytes + self.os_bytes

    @property
    def fell_bytes(self) -> int:
        """Return what available memory had fallen by at the peak of the window."""
        return max(0, self.before.available_bytes - self.peak.available_bytes)

    @property
    def difference_share(self) -> float:
        """Return how much more than the counted cost was lost, as a share; less: negative."""
        lost = self.fell_bytes - self.counted_bytes
        return lost / self.counted_bytes if self.counted_bytes else 0.0
