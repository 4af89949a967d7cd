"""/proc/meminfo of a machine of a given size, for containers that would see their host's."""

MEMINFO = "/proc/meminfo"

# Shares of MemTotal on an idle machine of one gigabyte with an engine; None: always 0.
_SHARES: tuple[tuple[str, float | None], ...] = (
    ("MemTotal", 1.0),
    ("MemFree", 0.53),
    ("MemAvailable", 0.75),
    ("Buffers", 0.02),
    ("Cached", 0.22),
    ("SwapCached", None),
    ("Active", 0.17),
    ("Inactive", 0.19),
    ("Active(anon)", 0.05),
    ("Inactive(anon)", 0.07),
    ("Active(file)", 0.12),
    ("Inactive(file)", 0.12),
    ("Unevictable", None),
    ("Mlocked", None),
    ("SwapTotal", None),
    ("SwapFree", None),
    ("Zswap", None),
    ("Zswapped", None),
    ("Dirty", None),
    ("Writeback", None),
    ("AnonPages", 0.11),
    ("Mapped", 0.09),
    ("Shmem", 0.01),
    ("KReclaimable", 0.03),
    ("Slab", 0.07),
    ("SReclaimable", 0.03),
    ("SUnreclaim", 0.04),
    ("KernelStack", 0.003),
    ("PageTables", 0.005),
    ("SecPageTables", None),
    ("NFS_Unstable", None),
    ("Bounce", None),
    ("WritebackTmp", None),
    ("CommitLimit", 0.5),
    ("Committed_AS", 0.6),
)
_AFTER = """\
VmallocTotal:   34359738367 kB
VmallocUsed:       12288 kB
VmallocChunk:          0 kB
Percpu:              512 kB
HardwareCorrupted:     0 kB
AnonHugePages:         0 kB
ShmemHugePages:        0 kB
ShmemPmdMapped:        0 kB
FileHugePages:         0 kB
FilePmdMapped:         0 kB
HugePages_Total:       0
HugePages_Free:        0
HugePages_Rsvd:        0
HugePages_Surp:        0
Hugepagesize:       2048 kB
Hugetlb:               0 kB
"""


def meminfo_text(machine_bytes: int) -> str:
    """Return the file's text, in the kernel's layout, for a machine whose MemTotal this is."""
    total = machine_bytes // 1024
    lines = [f"{name + ':':<16}{int(total * (share or 0)):>8} kB\n" for name, share in _SHARES]
    return "".join(lines) + _AFTER
