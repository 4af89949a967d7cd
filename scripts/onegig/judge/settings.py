"""Settings of the measured machine beside the tier's: what differs, and what that is known to cost.

A difference in the number of processors, and one that could be made up for in the box, is not in
here: what is compared are the settings that held for the stack.
"""

from collections.abc import Iterator

from onegig.judge.checks import Case
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport
from onegig.model.settings import Settings, thp_cost
from onegig.model.sizes import format_mb, mb_up, percent
from onegig.model.tiers import Tier
from onegig.text import plain


def settings_cost(report: MemoryReport, tier: Tier) -> int:
    """Return the bytes that the tier's settings are expected to add to what was measured.

    0 if they save some instead: that is noted, but not relied on.
    """
    if isinstance(report.settings, Missing):
        return 0
    return max(0, thp_cost(report.settings, tier.settings, containers(report)))


def describe_settings(settings: Settings) -> Iterator[str]:
    """Yield each known setting as text."""
    if settings.thp is not None:
        yield f"transparent huge pages {settings.thp}"
    if settings.swap_bytes is not None:
        zram = f" ({format_mb(settings.zram_bytes)} of it zram)" if settings.zram_bytes else ""
        yield (
            f"{format_mb(settings.swap_bytes)} of swap{zram}" if settings.swap_bytes else "no swap"
        )
    if settings.swap_bytes and settings.swappiness is not None:
        yield f"swappiness {settings.swappiness}"
    if settings.overcommit is not None:
        yield f"vm.overcommit_memory {settings.overcommit}"
    if settings.cgroup_version is not None:
        yield f"cgroup v{settings.cgroup_version}"
    if settings.vcpus is not None:
        share = settings.vcpus if settings.cpus is None else settings.cpus
        part = f" at {percent(share / settings.vcpus)}" if share < settings.vcpus else ""
        yield f"{settings.vcpus} CPU{'' if settings.vcpus == 1 else 's'}{part}"
    if settings.kernel:
        yield f"kernel {plain(settings.kernel)}"


def settings_notes(case: Case) -> Iterator[str]:
    """Yield in one note how the tier's settings differ from those that were measured under."""
    report, tier = case.memory, case.tier
    if isinstance(report, Missing) or isinstance(report.settings, Missing) or tier is None:
        return
    if found := list(_differences(report, report.settings, tier)):
        image = f" with {tier.os}" if tier.os else ""
        yield f"{tier.name}{image} differs from the machine that was measured: {'; '.join(found)}"


def _differences(report: MemoryReport, here: Settings, tier: Tier) -> Iterator[str]:
    there = tier.settings
    if None not in (here.thp, there.thp) and here.thp != there.thp:
        cost = thp_cost(here, there, containers(report))
        amount = f", about {mb_up(abs(cost)):,} MB {'more' if cost > 0 else 'less'}" if cost else ""
        counted = " (counted in the memory that it needs)" if cost > 0 else ""
        yield f"transparent huge pages {there.thp}, not {here.thp}{amount}{counted}"
    pairs = [
        ("vm.overcommit_memory", here.overcommit, there.overcommit),
        ("cgroup version", here.cgroup_version, there.cgroup_version),
        ("MB of swap", _mb(here.swap_bytes), _mb(there.swap_bytes)),
    ]
    if here.swap_bytes or there.swap_bytes:
        pairs.append(("swappiness", here.swappiness, there.swappiness))
    for name, ours, theirs in pairs:
        if None not in (ours, theirs) and ours != theirs:
            yield f"{name} {theirs}, not {ours}"


def _mb(size_bytes: int | None) -> int | None:
    return None if size_bytes is None else mb_up(size_bytes)


def containers(report: MemoryReport) -> int:
    """Return the number of containers that ran; each has a shim."""
    shims = [part.processes for part in report.engine if part.name == "shim"]
    return shims[0] if shims else len(report.services)
