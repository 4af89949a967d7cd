"""The real machine that a stack is judged for: which tier that is, and whether the stack fits it.

No machine sold as 1,024 MB has 1,024 MB for programs, so without a `tier` in budgets.yml the
smallest one sold with memory.limit is taken. No check here is worse than a WARN.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from onegig.judge.checks import Case, compare
from onegig.judge.memory import Total, add_up, describe_boot, starting_peak, tightness
from onegig.judge.settings import settings_cost
from onegig.judge.squeeze import NEAR_SHARE, Outcome, answer_of, has_failed
from onegig.judge.twin import twin_of, with_measured_system
from onegig.model.budgets import METRIC_NAMES, Budgets, Metric
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing, Skipped
from onegig.model.measuring import SqueezeMode
from onegig.model.memory import MemoryReport, SqueezePlan
from onegig.model.service import ServiceMemory
from onegig.model.sizes import format_mb, mb_down
from onegig.model.state import State
from onegig.model.tiers import Tier, catalogue, kernel_name, tier_for
from onegig.model.verdict import BESIDE, Bar, Check, Waterfall, make_check
from onegig.text import plain

WHERE = "tiers.toml"
NO_IMAGES = Skipped(reason="not asked for")
ASSUMED, MEASURED = "assumed: memory.system_overhead", "measured"
ESTIMATED = "estimated: the tier's setting"
_ENGINE = dict.fromkeys(Metric, "PSS") | {Metric.COST: "PSS and its kernel memory"}


def choose_tier(
    budgets: Budgets, memory: MemoryReport | Missing, images: ImagesReport | Missing
) -> Tier | None:
    """Return the tier of budgets.yml, or the smallest machine sold with memory.limit.

    None if `tier` is "none", and if no machine is sold with just that much memory. A machine
    that nobody named has the architecture of the one measured on.
    """
    measured = (part for part in (memory, images) if not isinstance(part, Missing))
    architecture = next((part.environment.architecture for part in measured), "")
    return tier_for(budgets.tier, budgets.memory.limit_bytes, architecture)


def other_tiers(budgets: Budgets) -> tuple[Tier, ...]:
    """Return the machines that are judged besides the verdict's, from the same measurement."""
    known = catalogue()
    return tuple(known[name] for name in budgets.tier_names[1:] if name in known)


def check_tier(case: Case) -> Iterator[Check]:
    """Yield checks of the tier's real machine against the needs of the stack."""
    tier, memory, images = case.tier, case.memory, case.images
    if tier is None:
        return
    if not isinstance(memory, Missing):
        yield _check_memory(case.budgets, memory, tier)
        for other in other_tiers(case.budgets):
            check = _check_memory(case.budgets, memory, other)
            yield replace(check, id=BESIDE, subject=other.name)
        for service in memory.services:
            if service.cpus is not None:
                yield _check_cpus(tier, service, service.cpus)
    if not isinstance(images, Missing):
        yield _check_architecture(tier, images)


def _check_memory(budgets: Budgets, report: MemoryReport, tier: Tier) -> Check:
    """Check the highest total since `compose up`; a share of the machine must stay free as well."""
    system, more = _os_bytes(tier, budgets, report), settings_cost(report, tier)
    _, starting = _used_bytes(budgets, report)
    needed = needed_on(tier, budgets, report)
    most = tier.memory_bytes if tier.memtotal_bytes is None else tier.memtotal_bytes
    figures = compare(needed, most)
    if tier.memtotal_bytes is None:
        machine = f"the MemTotal of {tier.name} is not confirmed; of the memory as sold"
    else:
        has = f"{figures.limit:,} MB, its OS takes {format_mb(system)}"
        machine = f"{_name(budgets, tier)} really has {has}"
    tight = tightness(needed, most, budgets.memory)
    state = State.WARN if tight or needed > most else State.GO
    pages = f", {format_mb(more)} of them for its huge pages" if more else ""
    message, limit = f"{machine}: {figures}{tight}{pages}{starting}", tier.memtotal_bytes
    return make_check("memory.tier", "stack", needed, limit, state, message, WHERE, about=tier.name)


def needed_on(tier: Tier, budgets: Budgets, report: MemoryReport) -> int:
    """Return the highest total since `compose up` on a tier, with its OS and its settings."""
    used, _ = _used_bytes(budgets, report)
    return _os_bytes(tier, budgets, report) + used + settings_cost(report, tier)


def plan_squeeze(budgets: Budgets, report: MemoryReport) -> SqueezePlan | Skipped:
    """Return the room to squeeze a stack into that was measured with more; Skipped with the reason.

    That is what a machine leaves to engine and stack: the tier's MemTotal without its idle OS, but
    with what its kernel only spares, or the limit without `memory.system_overhead`, whichever is
    less. By itself a stack is squeezed if a tenth or less of one of the two is left, or the limit
    is exceeded by up to a tenth. A twin's room is its own.
    """
    mode, limit = budgets.measure.squeeze, budgets.memory.limit_bytes
    if mode is SqueezeMode.NEVER:
        return Skipped(reason="measure.squeeze is never")
    budgets = with_measured_system(budgets, report)
    tier = choose_tier(budgets, report, NO_IMAGES)
    used, _ = _used_bytes(budgets, report)
    needs = [(used + budgets.memory.system_overhead_bytes, limit, "")]
    if tier and tier.memtotal_bytes is not None:
        system = _os_bytes(tier, budgets, report)
        needs.append((used + system, tier.memtotal_bytes, f" on {tier.name}"))
    plan = _plan_room(budgets, report, tier)
    if mode is SqueezeMode.ALWAYS:
        return plan
    if needs[0][0] > limit * (1 + NEAR_SHARE):
        return Skipped(reason="the total is far over its limit")
    if has_failed(report):
        return Skipped(reason="the verdict does not depend on it")
    near = [need for need in needs if need[0] >= need[1] * (1 - NEAR_SHARE)]
    if not near:
        return Skipped(reason="no limit is close")
    needed, most, where = near[-1]
    return replace(plan, reason=f"the stack needs {compare(needed, most).of}{where}")


def _plan_room(budgets: Budgets, report: MemoryReport, tier: Tier | None) -> SqueezePlan:
    if twin := twin_of(report):
        return SqueezePlan(room_bytes=twin.before.available_bytes, machine="")
    room = tightest_room(budgets, tier)
    is_own = room.machine == own_machine(budgets.memory.limit_bytes)
    return SqueezePlan(room_bytes=room.squeezed_bytes, machine="" if is_own else room.machine)


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """The memory that a machine leaves to a stack: its limit, and what runs there already."""

    machine: str  # "the budget's 1,024 MB", or the tier
    limit_bytes: int
    system_bytes: int
    stack_bytes: int = 0  # of a stack that runs there already
    spare_bytes: int = 0  # counted as not available, but handed out before anything is killed

    @property
    def bytes(self) -> int:
        """Return the memory that is left."""
        return self.limit_bytes - self.system_bytes - self.stack_bytes

    @property
    def squeezed_bytes(self) -> int:
        """Return the memory that programs get before the kernel kills one."""
        return self.bytes + self.spare_bytes


def tightest_room(budgets: Budgets, tier: Tier | None) -> Room:
    """Return the room on the budget's own machine, or on the tier's if that has less."""
    limit = budgets.memory.limit_bytes
    system = budgets.memory.system_overhead_bytes
    rooms = [Room(machine=own_machine(limit), limit_bytes=limit, system_bytes=system)]
    if tier and tier.memtotal_bytes is not None:
        system = system if tier.os_idle_bytes is None else tier.os_idle_bytes
        room = Room(machine=tier.name, limit_bytes=tier.memtotal_bytes, system_bytes=system)
        rooms.append(replace(room, spare_bytes=tier.spare_bytes))
    return min(rooms, key=lambda room: room.bytes)


def own_machine(limit_bytes: int) -> str:
    """Return the name of the machine that has the budget's memory."""
    return f"the budget's {mb_down(limit_bytes):,} MB"


def without_foreign_squeeze(
    budgets: Budgets, report: MemoryReport, tier: Tier | None
) -> MemoryReport:
    """Return the report without a squeeze that says nothing of the machine now judged for.

    What fitted into more room than that machine leaves, or failed in less, may end otherwise there.
    """
    squeeze, answer = report.squeeze, answer_of(report)
    if isinstance(squeeze, Missing) or isinstance(answer, Missing) or twin_of(report):
        return report
    room = tightest_room(budgets, tier).squeezed_bytes
    fits, fails = answer.outcome is Outcome.FITS, answer.outcome is Outcome.DOES_NOT_FIT
    if (squeeze.room_bytes > room and not fails) or (squeeze.room_bytes < room and not fits):
        return replace(report, squeeze=Skipped(reason="squeezed for another machine"))
    return report


def _used_bytes(budgets: Budgets, report: MemoryReport) -> tuple[int, str]:
    """Return the highest total since `compose up`, without the system, and who made it."""
    total = add_up(report, budgets.memory)
    used, peak = total.engine_bytes + total.stack_bytes, starting_peak(budgets, report)
    if peak and peak.total_bytes > used:
        return peak.total_bytes, f"; {describe_boot(report, peak)}"
    return used, ""


def _os_bytes(tier: Tier, budgets: Budgets, report: MemoryReport) -> int:
    """Return the memory of the idle OS on the tier.

    A twin that ran a cloud image has measured it. The Debian of another twin is not the tier's OS:
    like the budget's assumption it only counts if the tier's own is not known.
    """
    twin = twin_of(report)
    if twin and (twin.guest.image or tier.os_idle_bytes is None):
        return twin.os_bytes
    if tier.os_idle_bytes is None:
        return budgets.memory.system_overhead_bytes
    return tier.os_idle_bytes


def _name(budgets: Budgets, tier: Tier) -> str:
    if budgets.tier:
        return tier.name
    sold = format_mb(tier.memory_bytes)
    return f"no tier is set: {tier.name}, the smallest machine sold as {sold},"


def _check_cpus(tier: Tier, service: ServiceMemory, cpus: float) -> Check:
    """Warn if Docker would refuse to create a container for lack of processors."""
    name = plain(service.name)
    asks = f"{name} asks for {cpus:g} CPU{'' if cpus == 1 else 's'}, {tier.name} has {tier.vcpus:g}"
    refused = cpus > tier.vcpus and cpus > 1
    state, about = State.GO if cpus <= tier.vcpus else State.WARN, f"{name} on {tier.name}"
    message = f"{asks}{': Docker would refuse to create it' if refused else ''}"
    return make_check(
        "tier.cpus", service.name, cpus, tier.vcpus, state, message, WHERE, about=about
    )


def _check_architecture(tier: Tier, report: ImagesReport) -> Check:
    """Count each image once, whatever number of services run it."""
    names = (kernel_name(image.architecture) for image in report.images)
    foreign = Counter(name for name in names if name and name != tier.architecture)
    listed = " and ".join(
        f"{count:,} {'image is' if count == 1 else 'images are'} {plain(name)}"
        for name, count in foreign.most_common()
    )
    images = listed or "no image is of another architecture"
    message = f"{images}, {tier.name} is {tier.architecture}"
    state = State.WARN if foreign else State.GO
    count, about = foreign.total(), tier.name
    return make_check("tier.architecture", "stack", count, 0, state, message, WHERE, about=about)


def waterfalls(budgets: Budgets, report: MemoryReport, tier: Tier | None) -> tuple[Waterfall, ...]:
    """Return the memory breakdown of the budget's own machine, and of the tier's.

    Each adds up: as sold, minus kernel, OS, engine and stack, is what is left.
    """
    limit, total, twin = budgets.memory.limit_bytes, add_up(report, budgets.memory), twin_of(report)
    system: tuple[Bar, ...] = (Bar(name="kernel and OS", bytes=total.system_bytes, note=ASSUMED),)
    if twin:
        sizes = {"kernel": twin.reserve_bytes, "OS": twin.os_bytes}
        system = tuple(Bar(name=name, bytes=size, note=MEASURED) for name, size in sizes.items())
    own = _waterfall(own_machine(limit), limit, system, budgets, total)
    if tier is None:
        return (own,)
    confirmed = tier.memtotal_bytes is not None
    reserve = tier.memory_bytes - (tier.memtotal_bytes or 0) if confirmed else 0
    os_bytes = _os_bytes(tier, budgets, report)
    note = ASSUMED if tier.os_idle_bytes is None else "when idle"
    if twin and os_bytes == twin.os_bytes:
        note = MEASURED
    pages = settings_cost(report, tier)
    bars = (
        Bar(name="kernel", bytes=reserve, note="" if confirmed else "not confirmed"),
        Bar(name="OS", bytes=os_bytes, note=note),
        *((Bar(name="huge pages", bytes=pages, note=ESTIMATED),) if pages else ()),
    )
    sold = _waterfall(tier.name, tier.memory_bytes, bars, budgets, total)
    return (own, replace(sold, usd_per_month=tier.usd_per_month))


def _waterfall(
    machine: str, sold_bytes: int, system: tuple[Bar, ...], budgets: Budgets, total: Total
) -> Waterfall:
    metric = budgets.memory.metric
    bars = (
        *system,
        Bar(name="engine", bytes=total.engine_bytes, note=_ENGINE[metric]),
        Bar(name="stack", bytes=total.stack_bytes, note=METRIC_NAMES[metric]),
    )
    left = sold_bytes - sum(bar.bytes for bar in bars)
    return Waterfall(machine=machine, sold_bytes=sold_bytes, steps=bars, headroom_bytes=left)
