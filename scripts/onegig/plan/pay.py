"""Pay: the cheapest machines of the catalogue that the stack fits on with headroom.

A price is that of the machine, a public IPv4 address and a disk as large as `disk.limit`, together.
Where nobody has confirmed a row's MemTotal, it is taken for the least share of the memory sold that
any confirmed row shows.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache

from onegig.judge.tier import needed_on
from onegig.judge.twin import with_measured_system
from onegig.model.measured import Missing, Unknown
from onegig.model.plan import Action, Basis, Change, Letter, Loss, Offer, Saving
from onegig.model.sizes import format_mb
from onegig.model.tiers import GB, Tier, catalogue, kernel_name
from onegig.plan.case import Case
from onegig.plan.edit import change_budgets

MOST = 5  # offers
OLD_DAYS = 180


def find_offers(case: Case) -> tuple[Offer, ...]:
    """Return the cheapest machines, of the measured architecture first; at most MOST."""
    budgets = with_measured_system(case.budgets, case.memory)
    share = 1 - budgets.memory.headroom_share
    offers = (
        _offer(case, tier, needed_on(tier, budgets, case.memory))
        for tier in catalogue().values()
        if tier.runs_compose and _has_disk(case, tier)
    )
    fitting = [offer for offer in offers if offer.needed_bytes <= offer.room_bytes * share]
    return tuple(sorted(fitting, key=lambda offer: _price(case, offer))[:MOST])


def pay_action(case: Case, offer: Offer, room_bytes: int) -> Action:
    """Return the action of renting a machine instead of one that has so much room."""
    more = offer.room_bytes - room_bytes
    price = describe_price(offer.usd_per_month)
    return Action(
        id=f"pay:{offer.tier}",
        option=Letter.PAY,
        title=f"Rent {offer.tier} ({format_mb(offer.memory_bytes, down=True)}) for {price}",
        saving=Saving(
            bytes=more, low_bytes=more, high_bytes=more, basis=Basis.QUOTED, source=offer.source
        ),
        cost=offer.price,
        loss=Loss.NOTHING if offer.usd_per_month == 0.0 else Loss.MAJOR,
        changes=_changes(case, offer),
    )


def describe_price(usd_per_month: float | Missing) -> str:
    """Return "15.65 USD a month", or that it is free or not known."""
    if isinstance(usd_per_month, Missing):
        return "a price that is not known"
    return f"{usd_per_month:.2f} USD a month" if usd_per_month else "nothing"


def describe_free(tier: Tier, *, short: bool = False) -> str:
    """Return for how long a tier costs nothing: "free for 12 months"; "" for not at all."""
    if tier.always_free:
        return "always" if short else "always free"
    if not tier.free_months:
        return ""
    months = f"{tier.free_months} months"
    if tier.credit_usd:
        credit = f"{tier.credit_usd:g} USD"
        return f"{months}, {credit}" if short else f"up to {months} on {credit} of credit"
    return months if short else f"free for {months}"


def price_of(tier: Tier, disk_bytes: int) -> tuple[float | Missing, str]:
    """Return machine, address and disk together in USD a month, and of what that is made up."""
    parts = {"machine": tier.usd_per_month, "IPv4": tier.ipv4_usd_per_month}
    size = f"{-(-disk_bytes // GB)} GB"
    if tier.disk_usd_per_gb is not None:
        parts[size] = tier.disk_usd_per_gb * -(-disk_bytes // GB)
    unknown = [name for name, usd in parts.items() if usd is None]
    if unknown:
        reason = f"the price of {' and '.join(unknown)} is not in the catalogue"
        return Unknown(reason=reason), reason
    known = {name: usd for name, usd in parts.items() if usd is not None}
    included = [name for name, usd in known.items() if not usd and name != "machine"]
    if tier.disk_usd_per_gb is None and tier.disk_bytes:
        included.append(f"{tier.disk_bytes // GB} GB")
    paid = [f"{usd:.2f} {name}" for name, usd in known.items() if usd or name == "machine"]
    extra = f", {' and '.join(included)} included" if included else ""
    return round(sum(known.values()), 2), f"{' + '.join(paid)}{extra}"


def is_old(as_of: str, today: date) -> bool:
    """Return whether a row was checked too long ago to be relied upon."""
    return (today - date.fromisoformat(as_of)).days > OLD_DAYS


def describe_old_rows(rows: Sequence[Offer | Tier], today: date) -> Iterator[str]:
    """Yield in one sentence which rows of the catalogue are older than OLD_DAYS."""
    old = [row for row in rows if is_old(row.as_of, today)]
    names = ", ".join(row.tier if isinstance(row, Offer) else row.name for row in old)
    if old:
        oldest = min(row.as_of for row in old)
        yield f"prices may have changed: {names} checked on {oldest}, over {OLD_DAYS} days ago"


@cache
def _least_share() -> float:
    rows = catalogue().values()
    return min((row.memtotal_bytes or 0) / row.memory_bytes for row in rows if row.confirmed)


def _offer(case: Case, tier: Tier, needed_bytes: int) -> Offer:
    room, confirmed = tier.memtotal_bytes, tier.confirmed and tier.memtotal_bytes is not None
    usd, price = price_of(tier, case.budgets.disk.limit_bytes)
    remarks = []
    if _is_foreign(case, tier):
        remarks.append(f"images must be built for {tier.architecture}")
    if not confirmed:
        remarks.append("its MemTotal is not confirmed")
    if is_old(tier.as_of, case.today):
        remarks.append(f"checked over {OLD_DAYS} days ago")
    return Offer(
        tier=tier.name,
        memory_bytes=tier.memory_bytes,
        room_bytes=room if room is not None else int(tier.memory_bytes * _least_share()),
        confirmed=confirmed,
        needed_bytes=needed_bytes,
        architecture=tier.architecture,
        usd_per_month=usd,
        price=price,
        free=describe_free(tier),
        as_of=tier.as_of,
        source=tier.source,
        remarks=tuple(remarks),
    )


def _is_foreign(case: Case, machine: Tier | Offer) -> bool:
    return machine.architecture != kernel_name(case.memory.environment.architecture)


def _has_disk(case: Case, tier: Tier) -> bool:
    """Return whether the images have room; disks that are paid apart are as large as needed."""
    images = case.report.images
    if tier.disk_bytes is None or tier.disk_usd_per_gb is not None or isinstance(images, Missing):
        return True
    return images.disk_bytes <= tier.disk_bytes


def _price(case: Case, offer: Offer) -> tuple[bool, bool, float, int]:
    unknown = isinstance(offer.usd_per_month, Missing)
    usd = 0.0 if isinstance(offer.usd_per_month, Missing) else offer.usd_per_month
    return _is_foreign(case, offer), unknown, usd, offer.memory_bytes


def _changes(case: Case, offer: Offer) -> tuple[Change, ...]:
    limit = f"{offer.memory_bytes // 1024**2}MB"
    change = change_budgets(case, {"tier": offer.tier, "memory": {"limit": limit}})
    return (change,) if change else ()
