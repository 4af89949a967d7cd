"""What one more container costs besides its processes: the engine's shim, bookkeeping and kernel.

Shims share the pages of their program. With n of them, S shared and p private bytes each, PSS is
n p + S and RSS is n (p + S); so S = (RSS - PSS) / (n - 1), and a container less saves p, not the
n-th part of PSS.
"""

from dataclasses import dataclass

from onegig.model.budgets import Metric
from onegig.model.memory import EnginePart, MemoryReport

KIB = 1024

# Measured with the reference stack in 15 and in 4 containers, Docker 26.1 and cgroup v1. Containers
# without health checks and output take 600 to 730 KiB of dockerd and containerd (15 to 100 of them,
# Docker 29.1): `_SPREAD` has them.
DAEMON_BYTES = 1360 * KIB  # dockerd and containerd grow by so much with each container
ENGINE_KERNEL_BYTES = 2660 * KIB  # the kernel's memory for an engine without containers
_SPREAD = 0.15  # of the sum, either way


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A number of bytes; the true one should lie in the interval."""

    bytes: int
    low_bytes: int
    high_bytes: int

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            bytes=self.bytes + other.bytes,
            low_bytes=self.low_bytes + other.low_bytes,
            high_bytes=self.high_bytes + other.high_bytes,
        )

    def times(self, count: int) -> "Estimate":
        """Return the sum of so many."""
        return Estimate(
            bytes=count * self.bytes,
            low_bytes=count * self.low_bytes,
            high_bytes=count * self.high_bytes,
        )


def container_bytes(memory: MemoryReport, metric: Metric) -> Estimate:
    """Return what the engine and the kernel keep for one container more."""
    count = sum(service.containers for service in memory.services) or 1
    shim = next((part for part in memory.engine if part.name == "shim"), None)
    total = private_bytes(shim) + DAEMON_BYTES if shim else 0
    if metric in (Metric.COST, Metric.CHARGED):
        own = sum(service.kernel_bytes for service in memory.services)
        total += max(0, memory.box.kernel_bytes - own - ENGINE_KERNEL_BYTES) // count
    spread = round(total * _SPREAD)
    return Estimate(bytes=total, low_bytes=total - spread, high_bytes=total + spread)


def private_bytes(part: EnginePart) -> int:
    """Return what one process of a kind holds by itself."""
    count = part.processes
    if count < 2:
        return part.pss_bytes
    shared = (part.rss_bytes - part.pss_bytes) // (count - 1)
    return max(0, part.pss_bytes - shared) // count
