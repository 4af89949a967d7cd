"""The plan of a pull request: made anew by whoever comments, of the actions that its run proposes.

Some actions and every change to a file need the compose project, which only the run has read. Of
its plan (plan.json) these are taken: what each action saves, turns off and costs, and for each
option its changes and what it took when it was booted. Limits, machines, options, predictions and
which option is best are computed again here. Texts that could not have been written here are shown
as code, and changes in fences.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from onegig.model.measured import Missing
from onegig.model.plan import NOT_VERIFIED, Action, ChangeKind, Letter, Option, Plan, Verified
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.verdict import NO_FIT, Check
from onegig.plan.actions import make_actions
from onegig.plan.case import Case
from onegig.plan.confidence import update_confidence
from onegig.plan.need import LIMITS, find_limits
from onegig.plan.options import build_plan, rate, with_best, with_verified
from onegig.text import plain

MOST_ACTIONS = 5_000
MOST_OPTIONS = 10
MOST_CHANGES = 100  # of one option
MOST_CHANGE = 60_000  # characters
MOST_TEXT = 5_000
SHOWN_TEXT = 160  # characters of a run's own text
CLAIMED = "measured totals, changes and texts set as code come from the pull request's own run"
_PATH = re.compile(r"(?!/)(?!.*\.\.(/|$))[\w./@+~ -]{1,400}")


def abridge(plan: Plan) -> Plan:
    """Return what is handed on of a plan: no change of a single action, nor an unusual one."""
    actions = (replace(action, changes=()) for action in plan.actions)
    options = (
        option if _is_usual(option) else replace(option, changes=()) for option in plan.options
    )
    return replace(
        plan,
        actions=tuple(actions),
        options=tuple(options),
        offers=(),
        confidence=(),
        notes=(),
        limits=(),
    )


def _is_usual(option: Option) -> bool:
    """Return whether an option has few changes, to files of the checkout with plain names."""
    return len(option.changes) <= MOST_CHANGES and all(
        change.kind is not ChangeKind.COMPOSE
        and len(change.text) <= MOST_CHANGE
        and (not change.path or _PATH.fullmatch(change.path))
        for change in option.changes
    )


def doubt_plan(plan: Plan, services: Collection[str]) -> Iterator[str]:
    """Yield contradictions in the plan of a stack with these services."""
    if len(plan.actions) > MOST_ACTIONS or len(plan.options) > MOST_OPTIONS:
        yield f"has more than {MOST_ACTIONS:,} actions or {MOST_OPTIONS} options"
        return
    if plan.offers or plan.confidence or plan.notes or plan.limits:
        yield "has more of a plan than is handed on"
    known = {action.id: action for action in plan.actions}
    if len(known) < len(plan.actions):
        yield "has the same action twice"
    for action in plan.actions:
        yield from _doubt_action(action, services)
    if len({option.name for option in plan.options}) < len(plan.options):
        yield "has the same option twice"
    for option in plan.options:
        if not known.keys() >= set(option.actions) or len(set(option.actions)) < len(
            option.actions
        ):
            yield "has an option of actions that are not there, or there twice"
        yield from _doubt_changes(option)


def _doubt_action(action: Action, services: Collection[str]) -> Iterator[str]:
    saving = action.saving
    if not {*action.services, *action.removes} <= set(services):
        yield "has an action about another stack's services"
    if not saving.low_bytes <= saving.bytes <= saving.high_bytes:
        yield "has an action whose saving lies outside of its own interval"
    texts = (action.id, action.title, action.cost, saving.source, *action.excludes)
    if any(len(text) > MOST_TEXT for text in texts):
        yield f"has an action with a text of more than {MOST_TEXT:,} characters"
    if action.changes:
        yield "has changes of single actions"


def _doubt_changes(option: Option) -> Iterator[str]:
    if not _is_usual(option):
        yield "has changes that are too long, of another kind, or to no file of the checkout"
    if isinstance(option.verified, Verified) and len(option.verified.problem) > MOST_TEXT:
        yield "has a text that is too long about an option that was booted"


def adopt(claim: Plan, case: Case) -> Plan | Missing:
    """Return the plan of a judged case whose compose project was not read, with a run's actions.

    A run that planned with room (see trials.py) found that more is needed: that counts.
    """
    case = _with_need(case, claim.total_bytes)
    own = {action.id: action for action in make_actions(case)}
    actions = [
        _reword(action, own.get(action.id))
        for action in claim.actions
        if action.option is not Letter.PAY
    ]
    plan = build_plan(case, actions)
    if isinstance(plan, Missing):
        return plan
    chosen = [_choose(option, claim, plan, case) for option in plan.options]
    options = tuple(option for option, _ in chosen if option.total_bytes >= 0)
    plan = with_best(update_confidence(replace(plan, options=options)))
    for option, verified in chosen:
        if verified:
            plan = with_verified(plan, option.name, verified)
    is_shown = any(option.changes or option.verified != NOT_VERIFIED for option in plan.options)
    return replace(plan, notes=(*plan.notes, *([CLAIMED] if is_shown else [])))


def _with_need(case: Case, total_bytes: int) -> Case:
    """Return the case with as much more needed of each limit as the run says the stack takes."""
    verdict = case.report.verdict
    if isinstance(verdict.total_bytes, Missing) or total_bytes <= verdict.total_bytes:
        return case
    more = total_bytes - verdict.total_bytes

    def raised(check: Check) -> Check:
        if check.id not in LIMITS or isinstance(check.value, Missing):
            return check
        return replace(check, value=check.value + more)

    verdict = replace(verdict, total_bytes=total_bytes, checks=tuple(map(raised, verdict.checks)))
    return replace(case, report=replace(case.report, verdict=verdict))


def _reword(action: Action, own: Action | None) -> Action:
    """Return a run's action with texts that were written here, or else with its own as code."""
    if own and own.services == action.services:
        source = replace(action.saving, source=own.saving.source)
        return replace(action, title=own.title, cost=own.cost, saving=source)
    source = replace(action.saving, source=_as_code(action.saving.source))
    return replace(action, title=_as_code(action.title), cost=_as_code(action.cost), saving=source)


def _as_code(text: str) -> str:
    shown = plain(text, SHOWN_TEXT).replace("`", "'")
    return f"`{shown}`" if shown else ""


def _choose(option: Option, claim: Plan, plan: Plan, case: Case) -> tuple[Option, Verified | None]:
    """Return the run's own set of actions where it is no worse, and what it took when booted."""
    said = next((each for each in claim.options if each.letters == option.letters), None)
    if said is None or Letter.PAY in option.letters:
        return option, None
    known = {action.id: action for action in plan.actions}
    rated = rate(
        option.letters,
        [known[name] for name in said.actions if name in known],
        find_limits(case),
        plan.total_bytes,
    )
    if (rated.roomy, rated.fits) < (option.roomy, option.fits):
        return option, None
    verified = None if isinstance(said.verified, Missing) else _hold(said.verified, plan)
    return replace(rated, changes=said.changes), verified


def _hold(verified: Verified, plan: Plan) -> Verified:
    """Return what a boot took, held to the limit that counts here.

    The run's probability of fitting is of its own limits, and not repeated.
    """
    problem, state = _as_code(verified.problem), verified.state
    if isinstance(verified.total_bytes, Missing):
        return replace(verified, problem=problem, left_bytes=verified.total_bytes, fit=NO_FIT)
    left = plan.limit_bytes - verified.total_bytes
    if left < 0:
        problem, state = f"{format_mb(-left)} over", State.NO_GO
    if isinstance(verified.left_bytes, int):
        left = min(left, verified.left_bytes)
    return replace(verified, problem=problem, state=state, left_bytes=left, fit=NO_FIT)
