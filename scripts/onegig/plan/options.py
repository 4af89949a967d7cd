"""Options: the smallest set of actions that makes a stack fit, for each kind and combined.

A set's total is a prediction: today's total minus what each action saves, as if none changed
another's saving. What services save that another action of the set turns off does not count. The
interval's halves add up in quadrature, as errors of independent measurements do. Only booting the
set tells its total, and replaces the prediction.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from onegig.model.measured import Missing, Skipped
from onegig.model.plan import Action, Letter, Loss, Offer, Option, Plan, Verified
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.plan.actions import make_actions
from onegig.plan.case import Case
from onegig.plan.confidence import make_confidence, update_confidence
from onegig.plan.edit import merge_changes
from onegig.plan.limits import find_service_limits
from onegig.plan.need import Limit, find_limits, is_nearly_full
from onegig.plan.pay import describe_old_rows, find_offers, pay_action

COMBINATIONS: Sequence[tuple[Letter, ...]] = (
    (Letter.SQUEEZE,),
    (Letter.ENGINE,),
    (Letter.SQUEEZE, Letter.ENGINE),
    (Letter.CONSOLIDATE,),
    (Letter.SQUEEZE, Letter.ENGINE, Letter.CONSOLIDATE),
)


def make_plan(case: Case) -> Plan | Missing:
    """Return the plan of a judged report; Missing where its memory was not measured."""
    return build_plan(case, make_actions(case))


def build_plan(case: Case, actions: Sequence[Action]) -> Plan | Missing:
    """Return the plan that is made of these actions, and of renting a larger machine."""
    verdict, limits = case.report.verdict, find_limits(case)
    if isinstance(verdict.total_bytes, Missing):
        return verdict.total_bytes
    if not limits:
        return Skipped(reason="memory was not judged")
    offers = find_offers(case)
    tightest = min(limits, key=lambda limit: limit.left_bytes)
    options = [*combine(actions, limits, verdict.total_bytes)]
    if offers:
        paid = pay_action(case, offers[0], tightest.limit_bytes)
        actions, options = (*actions, paid), [*options, _pay(paid, offers[0])]
    known = {action.id: action for action in actions}
    options = [
        replace(option, changes=merge_changes(case, [known[name] for name in option.actions]))
        for option in options
    ]
    plan = Plan(
        stack=case.report.stack,
        total_bytes=verdict.total_bytes,
        limit_bytes=verdict.limit_bytes,
        left_bytes=tightest.left_bytes,
        roomy=all(limit.left_bytes >= limit.spare_bytes for limit in limits),
        tightest=tightest.title,
        actions=tuple(actions),
        options=tuple(options),
        best="",
        offers=offers,
        limits=find_service_limits(case),
        notes=(*_full_notes(case), *describe_old_rows(offers, case.today)),
    )
    return with_best(replace(plan, confidence=make_confidence(case, plan)))


def with_verified(plan: Plan, name: str, verified: Verified) -> Plan:
    """Return the plan with what the option of that name was found to be; `best` follows."""
    options = (_verify(each, verified) if each.name == name else each for each in plan.options)
    return with_best(update_confidence(replace(plan, options=tuple(options))))


def _verify(option: Option, verified: Verified) -> Option:
    holds = verified.state.passes and not verified.problem
    problem = "" if holds else verified.problem or f"booted, it was {verified.state}"
    roomy = holds and verified.state is State.GO
    left = option.left_bytes if isinstance(verified.left_bytes, Missing) else verified.left_bytes
    return replace(
        option, verified=verified, left_bytes=left, fits=holds, roomy=roomy, problem=problem
    )


def with_best(plan: Plan) -> Plan:
    """Return the plan with its best option named: that keeps headroom and asks least."""

    def price(option: Option) -> tuple[bool, Loss, int, int]:
        chosen = plan.actions_of(option)
        loss = max((action.loss for action in chosen), default=Loss.NOTHING)
        few = 0 if plan.roomy else len(chosen)
        return not option.roomy, loss, few, option.total_bytes

    needless = {Letter.PAY} if plan.roomy else set()
    fitting = [
        option for option in plan.options if option.fits and needless.isdisjoint(option.letters)
    ]
    best = min(fitting, key=price, default=None)
    return replace(plan, best=best.name if best else "")


def combine(actions: Sequence[Action], limits: Sequence[Limit], total: int) -> Iterator[Option]:
    """Yield an option for each kind; combinations only where no part of them suffices alone."""
    enough: list[set[Letter]] = []
    for letters in COMBINATIONS:
        own = [action for action in actions if action.option in letters and _helps(action, limits)]
        is_whole = {action.option for action in own} == set(letters)
        if not is_whole or any(each < set(letters) for each in enough):
            continue
        option = rate(letters, choose(own, limits), limits, total)
        if option.roomy:
            enough.append(set(letters))
        if option.actions:
            yield option


def _helps(action: Action, limits: Sequence[Limit]) -> bool:
    return any(limit.saved_bytes(action) > 0 for limit in limits)


def choose(actions: Sequence[Action], limits: Sequence[Limit]) -> tuple[Action, ...]:
    """Return a small set of actions that suffices, those that cost the user least; else all.

    Where nothing has to be saved it is everything that costs no service and no money.
    """
    spare = [limit.spare_bytes for limit in limits]
    # Taken one by one, the cheap keep out what excludes them, and that may be what suffices.
    firsts = [(), *((action,) for action in _by_price(actions) if action.excludes)]
    for wanted in (spare, [0] * len(limits)):
        if _suffices((), limits, wanted):
            return _all([action for action in actions if action.loss <= Loss.COMFORT])
        for first in firsts:
            if _suffices(chosen := _grow(actions, limits, wanted, first), limits, wanted):
                return _prune(chosen, limits, wanted)
    return max((_all(actions, first) for first in firsts), key=lambda each: _least(limits, each))


def _grow(
    actions: Sequence[Action],
    limits: Sequence[Limit],
    wanted: Sequence[int],
    chosen: tuple[Action, ...],
) -> tuple[Action, ...]:
    """Add actions, the cheapest first and of those the largest, until they suffice."""
    for action in _by_price(actions):
        if _suffices(chosen, limits, wanted):
            break
        if action not in chosen and _goes_with(action, chosen):
            chosen = (*chosen, action)
    return chosen


def _prune(
    chosen: tuple[Action, ...], limits: Sequence[Limit], wanted: Sequence[int]
) -> tuple[Action, ...]:
    """Leave out what is not needed, the dearest and smallest first."""
    for action in reversed(_by_price(chosen)):
        fewer = tuple(other for other in chosen if other is not action)
        if _suffices(fewer, limits, wanted):
            chosen = fewer
    return chosen


def _all(actions: Iterable[Action], chosen: tuple[Action, ...] = ()) -> tuple[Action, ...]:
    for action in _by_price(actions):
        if action not in chosen and _goes_with(action, chosen):
            chosen = (*chosen, action)
    return chosen


def _least(limits: Sequence[Limit], chosen: Sequence[Action]) -> int:
    """Return what is left of the tightest limit."""
    return min(_left(limit, chosen) for limit in limits)


def _by_price(actions: Iterable[Action]) -> list[Action]:
    return sorted(actions, key=lambda action: (action.loss, -action.saving.bytes, action.id))


def _goes_with(action: Action, chosen: Iterable[Action]) -> bool:
    return not any(other.id in action.excludes or action.id in other.excludes for other in chosen)


def _suffices(chosen: Sequence[Action], limits: Sequence[Limit], wanted: Sequence[int]) -> bool:
    left = (_left(limit, chosen) - spare for limit, spare in zip(limits, wanted, strict=True))
    return all(each >= 0 for each in left)


def _left(limit: Limit, chosen: Sequence[Action]) -> int:
    return limit.left_bytes + sum(limit.saved_bytes(action) for action in effective(chosen))


def effective(chosen: Sequence[Action]) -> tuple[Action, ...]:
    """Return the actions with what they save beside each other.

    Those about nothing but services that others turn off are left out, and so is the share of such
    services in what the others save.
    """
    beside = {
        action.id: {name for other in chosen if other is not action for name in other.removes}
        for action in chosen
    }
    return tuple(
        _without(action, len(beside[action.id]))
        for action in chosen
        if not action.services or not beside[action.id].issuperset(action.services)
    )


def _without(action: Action, services: int) -> Action:
    less, saving = services * action.share_bytes, action.saving
    if not less:
        return action
    saving = replace(
        saving,
        bytes=saving.bytes - less,
        low_bytes=saving.low_bytes - less,
        high_bytes=saving.high_bytes - less,
    )
    return replace(action, saving=saving)


def rate(
    letters: tuple[Letter, ...], chosen: Sequence[Action], limits: Sequence[Limit], total: int
) -> Option:
    """Return some actions as an option: what they bring `total` bytes to, and what is left then."""
    savings = [action.saving for action in effective(chosen)]
    predicted = total - sum(saving.bytes for saving in savings)
    up = math.hypot(*(saving.bytes - saving.low_bytes for saving in savings))
    down = math.hypot(*(saving.high_bytes - saving.bytes for saving in savings))
    tightest = min(limits, key=lambda limit: _left(limit, chosen))
    left = _left(tightest, chosen)
    ordered = sorted(chosen, key=lambda action: -action.saving.bytes)
    return Option(
        letters=letters,
        actions=tuple(action.id for action in ordered),
        total_bytes=predicted,
        low_bytes=predicted - math.ceil(down),
        high_bytes=predicted + math.ceil(up),
        left_bytes=left,
        fits=left >= 0,
        roomy=_suffices(chosen, limits, [limit.spare_bytes for limit in limits]),
        problem="" if left >= 0 else f"{tightest.title}: still {format_mb(-left)} over",
    )


def _pay(action: Action, offer: Offer) -> Option:
    return Option(
        letters=(Letter.PAY,),
        actions=(action.id,),
        total_bytes=offer.needed_bytes,
        low_bytes=offer.needed_bytes,
        high_bytes=offer.needed_bytes,
        left_bytes=offer.room_bytes - offer.needed_bytes,
        fits=True,
        roomy=True,
    )


def _full_notes(case: Case) -> Iterator[str]:
    """Yield that a full machine hides how much more the stack needs."""
    boots = any(boot.full for boot in case.memory.boots)
    if boots or case.memory.box.oom_kills:
        yield "the machine ran full: the stack needs more than was measured, and so may its plan"
    elif is_nearly_full(case.memory):
        yield (
            "the box was nearly full, so the kernel kept less in memory than the stack would hold: "
            "`onegig plan --verify` measures with room, and predicts better"
        )
