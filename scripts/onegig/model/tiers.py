"""The catalogue of cloud machines (tiers.toml): what a tier gives, with source and date."""

import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import ceil
from typing import Any

from onegig.errors import ConfigError
from onegig.model.settings import UNKNOWN, HugePages, Settings

MIB = 1024**2
GB = 1000**3
SYSTEMS = "systems"  # in the file: not a tier, but the settings of images
HUGE_PAGE_BYTES = 2 * 1024**2
NO_TIER = "none"  # as `tier` of budgets.yml: judge for no real machine
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}  # images' names for them: the kernel's


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """One row. MemTotal is what the machine shows: as sold, minus the kernel's reserve.

    `vcpus` counts the processors that the machine shows; below 1 it is a share of one. Of them all
    it may use `baseline_vcpus` forever, and more only while it has credits.
    """

    name: str
    memory_bytes: int
    memtotal_bytes: int | None  # None: not confirmed
    disk_bytes: int | None
    usd_per_month: float | None
    ipv4_usd_per_month: float | None  # a public address; 0.0: included; None: not known
    disk_usd_per_gb: float | None  # a month; None: what disk there is comes with the tier
    free_months: int
    credit_usd: float  # that a new account gets, and the free months take
    always_free: bool
    price_note: str
    os_idle_bytes: int | None  # used by the idle operating system, engine not included
    vcpus: float
    baseline_vcpus: float
    os: str  # the image that the cloud offers first; "": not known
    settings: Settings  # as that image comes; the number of processors included
    architecture: str  # as the kernel names it: "x86_64" or "aarch64"
    runs_compose: bool  # False: a host of single containers, without an engine of one's own
    source: str
    as_of: str
    confirmed: bool

    @property
    def spare_bytes(self) -> int:
        """Return what the kernel hands out although MemAvailable leaves it out; 0 if not known.

        MemAvailable counts from the high watermark of free memory, and programs get all down to the
        minimum: half of vm.min_free_kbytes lies between. With huge pages that is 11 of their blocks
        in each zone, 5 % of the memory at most; without them it is little. Source: Linux,
        mm/khugepaged.c, set_recommended_min_free_kbytes; mm/page_alloc.c, __setup_per_zone_wmarks.
        """
        if self.memtotal_bytes is None or self.settings.thp in (None, HugePages.NEVER):
            return 0
        zones = (
            2 if self.architecture == "x86_64" else 1
        )  # DMA and DMA32; machines above 3 GB have 3
        return min(11 * zones * HUGE_PAGE_BYTES, self.memtotal_bytes // 20) // 2


@cache
def catalogue() -> dict[str, Tier]:
    """Return all tiers by name, in the file's order."""
    text = files("onegig.model").joinpath("tiers.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)
    systems = {name: _settings(row) for name, row in rows.pop(SYSTEMS).items()}
    return {
        name: _tier(name, row, systems.get(row.get("os", ""), UNKNOWN))
        for name, row in rows.items()
    }


def find_tier(name: str) -> Tier:
    """Return the tier of that name; ConfigError names the nearest ones otherwise."""
    tiers = catalogue()
    if name in tiers:
        return tiers[name]
    near = get_close_matches(name, tiers, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(tiers)}"
    raise ConfigError(f"no tier is called {name!r}", advice=hint)


def smallest_tier(memory_bytes: int, architecture: str = "") -> Tier | None:
    """Return the tier with the least MemTotal of those sold with exactly so much memory.

    Only confirmed figures count, and only tiers of the architecture, if that is given.
    """
    sold = [
        tier
        for tier in catalogue().values()
        if tier.confirmed and tier.memory_bytes == memory_bytes
        if not architecture or tier.architecture == kernel_name(architecture)
    ]
    return min(sold, key=lambda tier: tier.memtotal_bytes or 0, default=None)


def tier_for(name: str | None, memory_bytes: int, architecture: str = "") -> Tier | None:
    """Return the tier of that name; without one, the smallest machine sold with so much memory.

    None if the name is "none", and if no machine is sold with just that much.
    """
    if name == NO_TIER:
        return None
    return find_tier(name) if name else smallest_tier(memory_bytes, architecture)


def kernel_name(architecture: str) -> str:
    """Return the kernel's name of an architecture, as `uname -m` prints it."""
    return _ARCHITECTURES.get(architecture, architecture)


def _dollars(row: dict[str, Any], key: str) -> float | None:
    return float(row[key]) if key in row else None


def _settings(row: dict[str, Any]) -> Settings:
    swap = row.get("swap_mib")
    return Settings(
        thp=HugePages(row["thp"]) if "thp" in row else None,
        overcommit=row.get("overcommit"),
        swappiness=row.get("swappiness"),
        swap_bytes=None if swap is None else swap * MIB,
        kernel=row.get("kernel", ""),
        cgroup_version=row.get("cgroup_version"),
    )


def _tier(name: str, row: dict[str, Any], settings: Settings) -> Tier:
    def size(key: str, unit: int = MIB) -> int | None:
        return int(row[key]) * unit if key in row else None

    same = ("architecture", "source", "as_of", "confirmed")
    return Tier(
        name=name,
        memory_bytes=row["memory_mib"] * MIB,
        memtotal_bytes=size("memtotal_mib"),
        disk_bytes=size("disk_gb", GB),
        usd_per_month=_dollars(row, "usd_per_month"),
        ipv4_usd_per_month=_dollars(row, "ipv4_usd_per_month"),
        disk_usd_per_gb=_dollars(row, "disk_usd_per_gb"),
        free_months=row.get("free_months", 0),
        credit_usd=float(row.get("credit_usd", 0)),
        always_free=row.get("always_free", False),
        price_note=row.get("price_note", ""),
        os_idle_bytes=size("os_idle_mib"),
        vcpus=float(row["vcpus"]),
        baseline_vcpus=float(row["baseline_vcpus"]),
        os=row.get("os", ""),
        runs_compose=row.get("runs_compose", True),
        settings=replace(settings, vcpus=ceil(row["vcpus"]), cpus=float(row["vcpus"])),
        **{key: row[key] for key in same},
    )
