"""The real machine that a stack is judged for: which tier that is, its processors and architecture.

No machine sold as 1,024 MB has 1,024 MB for programs, so without a `tier` in budgets.yml the
smallest one sold with memory.limit is taken. Nothing here is worse than a WARN.
"""

from collections import Counter
from collections.abc import Iterator

from onegig.judge.figures import memory
from onegig.model.budgets import Budgets
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.memory import MemoryReport, ServiceMemory
from onegig.model.state import State
from onegig.model.tiers import NO_TIER, Tier, find_tier, kernel_name, smallest_tier
from onegig.model.verdict import Check, Unit
from onegig.text import plain

WHERE = "tiers.toml"


def choose_tier(
    budgets: Budgets, memory: MemoryReport | Missing, images: ImagesReport | Missing
) -> Tier | None:
    """Return the tier of budgets.yml, or the smallest machine sold with memory.limit.

    None where `tier` is "none", and where no machine is sold with just that much memory. A machine
    that nobody named has the architecture of the one measured on.
    """
    if budgets.tier == NO_TIER:
        return None
    if budgets.tier:
        return find_tier(budgets.tier)
    return smallest_tier(budgets.memory.limit_bytes, _architecture(memory, images))


def name_tier(budgets: Budgets, tier: Tier) -> str:
    """Return the tier's name, and why it was chosen where budgets.yml names none."""
    if budgets.tier:
        return tier.name
    sold = memory(tier.memory_bytes)
    return f"no tier is set: {tier.name}, the smallest machine sold as {sold},"


def check_hardware(
    tier: Tier, memory: MemoryReport | Missing, images: ImagesReport | Missing
) -> Iterator[Check]:
    """Yield the checks of what the tier has besides memory."""
    if not isinstance(memory, Missing):
        for service in memory.services:
            if service.cpus is not None:
                yield _check_cpus(tier, service, service.cpus)
    if not isinstance(images, Missing):
        yield _check_architecture(tier, images)


def _check_cpus(tier: Tier, service: ServiceMemory, cpus: float) -> Check:
    """Docker creates no container that asks for more processors than the machine shows."""
    name = plain(service.name)
    message = f"{name} asks for {_cpus(cpus)}, {tier.name} has {tier.vcpus:g}"
    if cpus > tier.vcpus and cpus > 1:
        message += ": Docker would refuse to create it"
    return Check(
        id="tier.cpus",
        subject=service.name,
        title=f"CPUs of {name} on {tier.name}",
        unit=Unit.COUNT,
        value=cpus,
        limit=tier.vcpus,
        blocking=False,
        state=State.GO if cpus <= tier.vcpus else State.WARN,
        message=message,
        where=WHERE,
    )


def _check_architecture(tier: Tier, report: ImagesReport) -> Check:
    """Each image counts once, whatever number of services run it."""
    names = (kernel_name(image.architecture) for image in report.images)
    foreign = Counter(name for name in names if name and name != tier.architecture)
    found = " and ".join(
        f"{count:,} {'image is' if count == 1 else 'images are'} {plain(name)}"
        for name, count in foreign.most_common()
    )
    message = f"{found or 'no image is of another architecture'}, {tier.name} is"
    return Check(
        id="tier.architecture",
        subject="stack",
        title=f"Images that do not run on {tier.name}",
        unit=Unit.COUNT,
        value=foreign.total(),
        limit=0,
        blocking=False,
        state=State.WARN if foreign else State.GO,
        message=f"{message} {tier.architecture}",
        where=WHERE,
    )


def _architecture(memory: MemoryReport | Missing, images: ImagesReport | Missing) -> str:
    for part in (memory, images):
        if not isinstance(part, Missing):
            return part.environment.architecture
    return ""


def _cpus(count: float) -> str:
    return f"{count:g} CPU{'' if count == 1 else 's'}"
