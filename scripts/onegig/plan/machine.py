"""Settings of the machine that save memory, or let it do with less."""

from collections.abc import Iterator
from dataclasses import replace

from onegig.judge.settings import containers
from onegig.judge.tier import choose_tier
from onegig.model.measured import Missing
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Loss, Saving
from onegig.model.settings import HugePages, thp_cost
from onegig.model.tiers import MIB
from onegig.model.twin import MachineKind
from onegig.plan.case import Case

_THP = "/sys/kernel/mm/transparent_hugepage/enabled"
_THP_SOURCE = (
    "virtual machine of 968 MB (Debian 13, Docker 26.1) with 15 containers under both modes"
)
_MADVISE = f"""\
echo madvise | sudo tee {_THP}
echo 'w {_THP} - - - - madvise' | sudo tee /etc/tmpfiles.d/huge-pages.conf
"""
_SWAP = """\
sudo fallocate -l 1G /swapfile
sudo chmod 600 /swapfile
sudo mkswap /swapfile
sudo swapon /swapfile
echo '/swapfile none swap sw 0 0' | sudo tee -a /etc/fstab
"""
_ZRAM = """\
sudo modprobe zram
sudo zramctl --find --size 512M --algorithm zstd
sudo mkswap /dev/zram0
sudo swapon --priority 100 /dev/zram0
"""
_NO_SWAP_COST = "pages that come back are read from it first: slower under pressure"
_PUSHED_OUT = "idle pages that the kernel pushes out until 40 to 120 MB are available"
# Twins of 1,024 MB (Debian 13, Docker 29.1): of stacks that needed 967 to 1,148 MB, 920 to 981
# stayed in memory. The peak of the start was as without swap, some 40 MB below the limit.
_AVAILABLE_BYTES, _AVAILABLE_AT_START_BYTES = 80 * MIB, 40 * MIB
_SWAP_SPREAD_BYTES = 40 * MIB
_SWAP_BYTES, _ZRAM_BYTES = 1024 * MIB, 512 * MIB
_ZRAM_SAVES = 0.65  # of what it takes: zstd leaves 28 to 45 % of a page of Python's heap
_THP_SPREAD = 0.3  # of the figure: boots of that stack differed by 2.5 % of its 368 MB, each way


def machine_settings(case: Case) -> Iterator[Action]:
    """Yield huge pages only where asked for; a swap file and zram where there is no swap."""
    yield from _huge_pages(case)
    settings, twin = case.memory.settings, case.memory.twin
    has_swap = not isinstance(settings, Missing) and bool(settings.swap_bytes)
    if has_swap or (not isinstance(twin, Missing) and twin.swap_kind):
        return
    yield _swap(case, "swap", "Give the machine a swap file of 1 GB", _SWAP, _SWAP_BYTES)
    most = int(_ZRAM_BYTES * _ZRAM_SAVES)
    yield _swap(case, "zram", "Give the machine 512 MB of compressed swap (zram)", _ZRAM, most)


def _huge_pages(case: Case) -> Iterator[Action]:
    """Yield the mode `madvise` where the machine measured, or the tier's, gives them unasked."""
    settings = case.memory.settings
    tier = choose_tier(case.budgets, case.memory, case.report.images)
    if isinstance(settings, Missing) or settings.thp is None:
        return
    modes = {settings.thp, tier.settings.thp if tier else None}
    if HugePages.ALWAYS not in modes or (tier and tier.settings.thp is HugePages.MADVISE):
        return
    always = replace(settings, thp=HugePages.ALWAYS)
    asked = replace(settings, thp=HugePages.MADVISE)
    cost = thp_cost(asked, always, containers(case.memory))
    saved = cost if settings.thp is HugePages.ALWAYS else 0
    spread = int(saved * _THP_SPREAD)
    yield Action(
        id="thp",
        option=Letter.SQUEEZE,
        title="Give transparent huge pages only to programs that ask (madvise)",
        saving=Saving(
            bytes=saved,
            low_bytes=saved - spread,
            high_bytes=saved + spread,
            basis=Basis.QUOTED,
            source=_THP_SOURCE,
        ),
        cost="",
        changes=(Change(kind=ChangeKind.COMMANDS, text=_MADVISE),),
        tier_bytes=cost,
    )


def _swap(case: Case, name: str, title: str, commands: str, most_bytes: int) -> Action:
    """Return swap of a kind, which saves so much at most.

    A box has no swap: where it can't be tried, it promises nothing, so that no option needs it.
    """
    pushed = min(most_bytes, _pushed_out(case))
    can_try = case.memory.machine is MachineKind.TWIN
    saved = pushed if can_try else 0
    at_start = max(0, saved - _AVAILABLE_BYTES + _AVAILABLE_AT_START_BYTES)
    return Action(
        id=name,
        option=Letter.SQUEEZE,
        title=title,
        saving=Saving(
            bytes=saved,
            low_bytes=max(0, saved - _SWAP_SPREAD_BYTES),
            high_bytes=pushed + _SWAP_SPREAD_BYTES,
            basis=Basis.PREDICTED,
            source=_PUSHED_OUT,
        ),
        cost=_NO_SWAP_COST,
        loss=Loss.COMFORT,
        changes=(Change(kind=ChangeKind.COMMANDS, text=commands),),
        excludes=tuple({"swap", "zram"} - {name}),
        start_bytes=at_start,
    )


def _pushed_out(case: Case) -> int:
    """Return what of engine and stack swap takes, so that _AVAILABLE_BYTES are left."""
    verdict = case.report.verdict
    if isinstance(verdict.total_bytes, Missing):
        return 0
    anonymous = sum(service.anon_bytes for service in case.memory.services)
    missing = verdict.total_bytes - verdict.limit_bytes + _AVAILABLE_BYTES
    return max(0, min(anonymous + case.memory.engine_pss_bytes, missing))
