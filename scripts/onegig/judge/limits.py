"""What a change of budgets.yml changes in the limits, each in words and with its direction.

"Looser" means that it may let more pass. Where no direction can be told (another load, another
compose file) it may, so that a reviewer looks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from onegig.judge.checks import shorten
from onegig.judge.rules import (
    NONE,
    RULES,
    Rule,
    grown,
    memory_growth_text,
    memory_text,
    raised,
    storage_text,
)
from onegig.model.budgets import Budgets, Load, Waiver
from onegig.model.report import LimitChange
from onegig.model.stack import HostAccess
from onegig.model.tiers import Tier, catalogue, smallest_tier
from onegig.text import format_list, plain

MOST_NAMED = 4  # services that can reach the machine, in a sentence
REASON_LENGTH = 60

_BLOCK_WHEN_WRITTEN = (
    "images.total",
    "images.min_efficiency",
    "scan.vulnerabilities",
    "scan.secrets",
    "scan.misconfigurations",
)
_SERVICE_MEMORY = Rule(key="", field="", write=memory_text, looser=raised)
_SERVICE_IMAGE = Rule(key="", field="", write=storage_text, looser=raised)
_SERVICE_GROWTH = Rule(key="", field="", write=memory_growth_text, looser=grown)


def limit_changes(old: Budgets, new: Budgets) -> tuple[LimitChange, ...]:
    """Everything that changes what is judged or how it is measured, in the order of the file."""
    found = [*_values(old, new), *_waivers(old, new), *_services(old, new)]
    return tuple(_shown(change) for change in found)


def _values(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    load_came_or_went = (old.load is None) is not (new.load is None)
    if load_came_or_went:
        texts = _load(old.load), _load(new.load)
        yield LimitChange(key="load", old=texts[0], new=texts[1], looser=new.load is None)
    for rule in RULES:
        if rule.key == "tier":
            yield from _tier(old, new)
        elif rule.key in _BLOCK_WHEN_WRITTEN:
            yield from _blocking(rule, old, new)
        elif not (load_came_or_went and rule.key.startswith("load.")):
            yield from _value(rule, rule.key, rule.value(old), rule.value(new))


def _value(rule: Rule, key: str, old: object, new: object) -> Iterator[LimitChange]:
    if old != new:
        before, after = rule.texts(old, new)
        yield LimitChange(key=key, old=before, new=after, looser=rule.looser(old, new))


def _blocking(rule: Rule, old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    """Written it blocks, by default it only warns: leaving the line out lets more pass."""
    before, after = _blocks(rule, old), _blocks(rule, new)
    if before is after:
        yield from _value(rule, rule.key, rule.value(old), rule.value(new))
    else:
        texts = (_beside_default(rule, old), _beside_default(rule, new))
        yield LimitChange(key=rule.key, old=texts[0], new=texts[1], looser=before)


def _blocks(rule: Rule, budgets: Budgets) -> bool:
    return rule.value(budgets) is not None and budgets.where(rule.key) != "default"


def _beside_default(rule: Rule, budgets: Budgets) -> str:
    value = rule.value(budgets)
    if value is None:
        return NONE
    return f"{rule.write(value)}{'' if _blocks(rule, budgets) else ' (only warns)'}"


def _tier(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    """A machine that leaves more room is looser, and judging for none at all is loosest.

    Without `tier` the smallest machine sold with memory.limit is judged, where there is one.
    """
    if old.tier == new.tier:
        return
    before, after = _machine(old), _machine(new)
    looser = before is not None and raised(_room(before), _room(after))
    yield LimitChange(
        key="tier", old=_tier_text(old, before), new=_tier_text(new, after), looser=looser
    )


def _machine(budgets: Budgets) -> Tier | None:
    if budgets.tier:
        return catalogue().get(budgets.tier)  # "none" is not in it
    return smallest_tier(budgets.memory.limit_bytes)


def _room(tier: Tier | None) -> int | None:
    """What a tier leaves to engine and stack; None without one, and where that is not confirmed."""
    if tier is None or tier.memtotal_bytes is None:
        return None
    return tier.memtotal_bytes - (tier.os_idle_bytes or 0)


def _tier_text(budgets: Budgets, tier: Tier | None) -> str:
    if budgets.tier:
        return budgets.tier
    return f"not set ({tier.name})" if tier else "not set"


def _load(load: Load | None) -> str:
    return NONE if load is None else f"{load.service}: {' '.join(load.words)}"


def _services(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    for name in dict.fromkeys(name for name, _ in (*old.services, *new.services)):
        before, after = old.service(name), new.service(name)
        yield from _value(
            _SERVICE_MEMORY, f"services.{name}.memory", before.memory_bytes, after.memory_bytes
        )
        images = before.image_bytes, after.image_bytes
        for change in _value(_SERVICE_IMAGE, f"services.{name}.image", *images):
            # without a limit of its own, images.each holds
            held = [
                limits.images.each_bytes if own is None else own
                for limits, own in zip((old, new), images, strict=True)
            ]
            yield replace(change, looser=held[0] != held[1] and raised(*held))
        growths = before.max_growth, after.max_growth
        for change in _value(_SERVICE_GROWTH, f"services.{name}.max_growth", *growths):
            # without a limit of its own, memory.max_service_growth holds
            most = [
                own or limits.memory.max_service_growth
                for limits, own in zip((old, new), growths, strict=True)
            ]
            yield replace(change, looser=most[0] != most[1] and grown(*most))


def _waivers(old: Budgets, new: Budgets) -> Iterator[LimitChange]:
    """Pairs by what is waived; one that is new, or holds for longer, lets more pass."""
    names = dict.fromkeys(map(_name, (*old.waivers, *new.waivers)))
    for name in names:
        before, after = (
            [one for one in budgets.waivers if _name(one) == name] for budgets in (old, new)
        )
        for was, now in zip_longest(before, after):
            if was != now:
                longer = now is not None and (was is None or now.expires > was.expires)
                yield LimitChange(key="waivers", old=_waiver(was), new=_waiver(now), looser=longer)


def _name(waiver: Waiver) -> tuple[str, str | None, str | None]:
    return waiver.metric, waiver.subject, waiver.id


def _waiver(waiver: Waiver | None) -> str:
    if waiver is None:
        return NONE
    subject = f" of {waiver.subject}" if waiver.subject else ""
    terms = f"until {waiver.expires} by {waiver.owner}: {waiver.reason}"
    finding = f" {waiver.id}" if waiver.id else ""
    return f"{waiver.metric}{finding}{subject} {terms}"


def _shown(change: LimitChange) -> LimitChange:
    """On one line, whatever the file contains."""
    return replace(change, key=plain(change.key), old=plain(change.old), new=plain(change.new))


def disallowed(host_access: Sequence[HostAccess], budgets: Budgets) -> tuple[HostAccess, ...]:
    """Return what services ask for that `allow_host_access` does not list."""
    return tuple(each for each in host_access if each.service not in budgets.allow_host_access)


def describe_host_access(host_access: Sequence[HostAccess]) -> str:
    """Return the sentence that names the services, or "" where there are none."""
    reasons: dict[str, list[str]] = {}
    for each in host_access:
        reasons.setdefault(each.service, []).append(shorten(plain(each.reason), REASON_LENGTH))
    if not reasons:
        return ""
    named = [f"{plain(name)} ({format_list(texts, 1)})" for name, texts in reasons.items()]
    *first, last = named[:MOST_NAMED]
    if len(named) > MOST_NAMED:
        first, last = named[:MOST_NAMED], f"{len(named) - MOST_NAMED} more"
    names = " and ".join(filter(None, (", ".join(first), last)))
    return f"{names} can reach the machine they run on"
