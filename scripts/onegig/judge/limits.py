"""Changes of limits between two versions of budgets.yml, as text and with their direction.

"Looser" means that it may let more pass. Where no direction can be told (another load, another
compose file) it may, so that a reviewer looks.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from onegig.judge.checks import Case, shorten
from onegig.judge.compare import growth_notes
from onegig.judge.throttled import plan_throttle
from onegig.judge.tier import plan_squeeze, without_foreign_squeeze
from onegig.judge.twin import with_measured_system
from onegig.model.budgets import Budgets, ServiceBudget, Waiver
from onegig.model.keys import NONE, Key, keys_of, raised, walk
from onegig.model.measured import Missing, Skipped
from onegig.model.memory import SqueezePlan, Throttle, Throttled
from onegig.model.report import LimitChange
from onegig.model.sizes import Growth
from onegig.model.stack import HostAccess
from onegig.model.tiers import Tier, catalogue, smallest_tier
from onegig.text import format_list, plain

MEASURING = (  # keys that say what is booted, on which machine, and what is looked at there
    *("compose", "profiles", "machine", "engine", "swap", "zram", "twin"),
    *("measure", "load", "redis.services"),
)
SIZING = ("memory.limit", "memory.system_overhead", "tier")  # of that machine
MOST_NAMED = 4  # services that can reach the machine, in a sentence
REASON_LENGTH = 60


def limit_changes(old: Budgets, new: Budgets) -> tuple[LimitChange, ...]:
    """Return every change of what is judged or how it is measured."""
    return tuple(
        replace(change, key=plain(change.key), old=plain(change.old), new=plain(change.new))
        for change in (*_values(old, new), *_waivers(old, new), *_services(old, new))
    )


def has_change(changes: Iterable[LimitChange], keys: Sequence[str]) -> bool:
    """Return whether one of the keys, or of those below them, was changed."""
    return any(f"{change.key}.".startswith(f"{key}.") for change in changes for key in keys)


def unjudged(case: Case) -> Iterator[str]:
    """Yield what these budgets judge, but a run on a machine of another size left out."""
    memory = case.memory
    if isinstance(memory, Missing):
        return
    yield from growth_notes(case)
    budgets = with_measured_system(case.budgets, memory)
    known = without_foreign_squeeze(budgets, memory, case.tier).squeeze
    if isinstance(plan_squeeze(budgets, memory), SqueezePlan) and isinstance(known, Skipped):
        yield "the stack was not squeezed into the memory that the machine leaves it"
    throttle, throttled = plan_throttle(budgets, memory), memory.throttled
    most_cpus = throttled.cpus if isinstance(throttled, Throttled) else float("inf")
    if isinstance(throttle, Throttle) and throttle.cpus < most_cpus:
        yield "the stack was not booted with the CPU that the machine has without credits"


def _values(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    skipped: tuple[str, ...] = ("services", "waivers")
    if (old.load is None) is not (new.load is None):
        before, after = (
            f"{load.service}: {' '.join(load.words)}" if load else NONE
            for load in (old.load, new.load)
        )
        yield LimitChange(key="load", old=before, new=after, looser=new.load is None)
        skipped = (*skipped, "load.")
    for name, key in walk(Budgets):
        if name == "tier":
            yield from _tier(old, new)
        elif key.warns_by_default:
            yield from _blocking(key, name, old, new)
        elif not name.startswith(skipped):
            yield from _change(key, name, _value(name, key, old), _value(name, key, new))


def _value(name: str, key: Key, budgets: Budgets) -> Any:
    """Return a key's value; None also where the section that it is in is left out."""
    section, dot, _ = name.partition(".")
    return getattr(getattr(budgets, section) if dot else budgets, key.attribute, None)


def _change(key: Key, name: str, old: Any, new: Any) -> Iterator[LimitChange]:
    """Yield the change of a value, written exactly where rounding would hide it."""
    if old != new:
        before, after = key.write(old), key.write(new)
        if before == after:
            before, after = (f"{v:,} bytes" if isinstance(v, int) else str(v) for v in (old, new))
        yield LimitChange(key=name, old=before, new=after, looser=key.looser(old, new))


def _blocking(key: Key, name: str, old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    """Compare a limit that blocks only if written: removing it is looser."""
    values = _value(name, key, old), _value(name, key, new)
    blocks = [
        value is not None and budgets.where(name) != "default"
        for value, budgets in zip(values, (old, new), strict=True)
    ]
    if blocks[0] is blocks[1]:
        yield from _change(key, name, *values)
    else:
        before, after = (
            key.write(value) + ("" if value is None or blocking else " (only warns)")
            for value, blocking in zip(values, blocks, strict=True)
        )
        yield LimitChange(key=name, old=before, new=after, looser=blocks[0])


def _tier(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    """Count a machine that leaves more room as looser, and no machine as the loosest.

    Without `tier` the smallest machine sold with memory.limit is judged, if there is one.
    """
    if old.tier_names == new.tier_names:
        return
    (was, before, room_before), (now, _, room) = _machine(old), _machine(new)
    looser = old.tier != new.tier and before is not None and raised(room_before, room)
    was, now = (
        ", ".join((first, *budgets.tier_names[1:])) for first, budgets in ((was, old), (now, new))
    )
    yield LimitChange(key="tier", old=was, new=now, looser=looser)


def _machine(budgets: Budgets) -> tuple[str, Tier | None, int | None]:
    """Return `tier` as people read it, the machine, and the confirmed room for engine and stack."""
    if budgets.tier:
        tier, text = catalogue().get(budgets.tier), budgets.tier  # "none" is not in it
    else:
        tier = smallest_tier(budgets.memory.limit_bytes)
        text = f"not set ({tier.name})" if tier else "not set"
    if tier is None or tier.memtotal_bytes is None:
        return text, tier, None
    return text, tier, tier.memtotal_bytes - (tier.os_idle_bytes or 0)


def _services(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    for service in dict.fromkeys(name for name, _ in (*old.services, *new.services)):
        for name, key in keys_of(ServiceBudget).items():
            own = [getattr(budgets.service(service), key.attribute) for budgets in (old, new)]
            for change in _change(key, f"services.{service}.{name}", *own):
                in_force = [
                    _for_all(name, budgets) if value in (None, ()) else value
                    for value, budgets in zip(own, (old, new), strict=True)
                ]
                looser = in_force[0] != in_force[1] and key.looser(*in_force)
                yield replace(change, looser=looser)


def _for_all(name: str, budgets: Budgets) -> int | Sequence[Growth] | None:
    if name == "image":
        return budgets.images.each_bytes
    return budgets.memory.max_service_growth if name == "max_growth" else None


def _waivers(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    """Pair waivers by subject; one that is new, or holds for longer, lets more pass."""
    for name in dict.fromkeys(map(_name, (*old.waivers, *new.waivers))):
        before, after = (
            [own for own in budgets.waivers if _name(own) == name] for budgets in (old, new)
        )
        for was, now in zip_longest(before, after):
            if was != now:
                longer = now is not None and (was is None or now.expires > was.expires)
                yield LimitChange(key="waivers", old=_waiver(was), new=_waiver(now), looser=longer)


def _name(waiver: Waiver) -> tuple[str, str | None, str | None]:
    return waiver.check, waiver.subject, waiver.id


def _waiver(waiver: Waiver | None) -> str:
    if waiver is None:
        return NONE
    subject = f" of {waiver.subject}" if waiver.subject else ""
    terms = f"until {waiver.expires} by {waiver.owner}: {waiver.reason}"
    finding = f" {waiver.id}" if waiver.id else ""
    return f"{waiver.check}{finding}{subject} {terms}"


def disallowed(host_access: Sequence[HostAccess], budgets: Budgets) -> tuple[HostAccess, ...]:
    """Return the access that services ask for and `allow_host_access` does not list."""
    return tuple(item for item in host_access if item.service not in budgets.allow_host_access)


def describe_host_access(host_access: Sequence[HostAccess]) -> str:
    """Return the sentence that names the services, or "" if there are none."""
    reasons: dict[str, list[str]] = {}
    for access in host_access:
        reasons.setdefault(access.service, []).append(shorten(plain(access.reason), REASON_LENGTH))
    if not reasons:
        return ""
    named = [f"{plain(name)} ({format_list(texts, 1)})" for name, texts in reasons.items()]
    *first, last = named[:MOST_NAMED]
    if len(named) > MOST_NAMED:
        first, last = named[:MOST_NAMED], f"{len(named) - MOST_NAMED} more"
    names = " and ".join(filter(None, (", ".join(first), last)))
    return f"{names} can access the machine they run on"
