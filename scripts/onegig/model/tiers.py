"""The catalogue of cloud machines (tiers.toml): what a tier gives, with source and date."""

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from onegig.errors import ConfigError

MIB = 1024**2
GB = 1000**3
NO_TIER = "none"  # as `tier` of budgets.yml: judge for no real machine
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}  # images' names for them: the kernel's


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """One row. MemTotal is what the machine shows: as sold, minus the kernel's reserve.

    `vcpus` counts the processors that the machine shows; below 1 it is a share of one.
    """

    name: str
    memory_bytes: int
    memtotal_bytes: int | None  # None: not confirmed
    disk_bytes: int | None
    usd_per_month: float | None
    price_note: str
    os_idle_bytes: int | None  # used by the idle operating system, engine not included
    vcpus: float
    architecture: str  # as the kernel names it: "x86_64" or "aarch64"
    source: str
    as_of: str
    confirmed: bool


@cache
def catalogue() -> dict[str, Tier]:
    """Return all tiers by name, in the file's order."""
    text = files("onegig.model").joinpath("tiers.toml").read_text(encoding="utf-8")
    return {name: _tier(name, row) for name, row in tomllib.loads(text).items()}


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

    Only confirmed figures count, and only tiers of the architecture, where that is given.
    """
    sold = [
        tier
        for tier in catalogue().values()
        if tier.confirmed and tier.memory_bytes == memory_bytes
        if not architecture or tier.architecture == kernel_name(architecture)
    ]
    return min(sold, key=lambda tier: tier.memtotal_bytes or 0, default=None)


def kernel_name(architecture: str) -> str:
    """Return the kernel's name of an architecture, as `uname -m` prints it."""
    return _ARCHITECTURES.get(architecture, architecture)


def _tier(name: str, row: dict[str, Any]) -> Tier:
    def size(key: str, unit: int = MIB) -> int | None:
        return int(row[key]) * unit if key in row else None

    same = ("architecture", "source", "as_of", "confirmed")
    return Tier(
        name=name,
        memory_bytes=row["memory_mib"] * MIB,
        memtotal_bytes=size("memtotal_mib"),
        disk_bytes=size("disk_gb", GB),
        usd_per_month=float(row["usd_per_month"]) if "usd_per_month" in row else None,
        price_note=row.get("price_note", ""),
        os_idle_bytes=size("os_idle_mib"),
        vcpus=float(row["vcpus"]),
        **{key: row[key] for key in same},
    )
