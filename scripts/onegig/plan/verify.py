"""Try what a plan proposes: boot the stack as an option changes it, and judge what it takes then.

The boots come in from outside (`Bench`). A larger machine is not booted: what was measured is
judged for it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onegig.errors import OnegigError
from onegig.judge.confidence import assumed_noise, predict
from onegig.judge.fit import starting_together
from onegig.model.engines import EngineKind
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.plan import (
    NOT_JUDGED,
    NOT_VERIFIED,
    Action,
    Basis,
    ChangeKind,
    Letter,
    Offer,
    Option,
    Plan,
    Saving,
    Verified,
)
from onegig.model.report import Report
from onegig.model.settings import HugePages
from onegig.model.sizes import format_mb
from onegig.model.state import State
from onegig.model.tiers import MIB
from onegig.model.twin import MachineKind
from onegig.model.verdict import NO_FIT, Fit, Verdict
from onegig.plan.case import Case
from onegig.plan.confidence import make_confidence
from onegig.plan.edit import merged_override
from onegig.plan.engine import PODMAN
from onegig.plan.limits import ID as LIMITS_ID
from onegig.plan.need import LIMITS, TIER, Limit, find_limits
from onegig.plan.options import effective, with_verified
from onegig.plan.pace import HEALTH, PARALLEL, START

BEST, ALL = "best", "all"
MACHINE_ACTIONS = ("thp", "swap", "zram", START, HEALTH, LIMITS_ID)  # ids without a subject
BOOT_SHARE = 0.07  # of a total: two boots may differ by (2.5 % * 1.96 * √2)
NO_START = Skipped(reason="the highest total was in operation")
_ONLY_TWIN = "only a twin can be given swap (--on twin)"
_PODMAN_ONLY_TWIN = "Podman can only be tried on a twin (--on twin)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One boot: what is merged into the compose project, and the machine's settings."""

    name: str
    override: Mapping[str, Any] = field(default_factory=dict)
    parallel: int = 0  # containers started at once; 0: all
    thp: HugePages | None = None  # None: as the tier has it
    swap_bytes: int = 0
    zram_bytes: int = 0
    engine: EngineKind | None = None  # None: that of budgets.yml


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """The effects: both return a judged report and raise OnegigError."""

    boot: Callable[[Trial], Report]
    judge_for: Callable[[str], Report]  # today's measurement, for a tier


def parse_wanted(text: str) -> str:
    """Return "best", "all", the name of an option or the id of an action; else ValueError."""
    letters = [part.strip() for part in text.split("+")]
    if set(letters) <= set(Letter):
        return " + ".join(letters)
    if text in (BEST, ALL, *MACHINE_ACTIONS) or ":" in text:
        return text
    known = (BEST, ALL, *Letter, *MACHINE_ACTIONS)
    raise ValueError(f"write {', '.join(known)} or an action's id, not {text!r}")


def verify(plan: Plan, case: Case, wanted: str, bench: Bench) -> Plan:
    """Return the plan with what was wanted tried: "best", "all", an option or an action.

    Where the best option does not hold, the next best is tried, until one does. What the plan does
    not have, or can't be applied, is noted.
    """
    tried = _verify(plan, case, wanted, bench)
    return replace(tried, confidence=make_confidence(case, tried))


def _verify(plan: Plan, case: Case, wanted: str, bench: Bench) -> Plan:
    if wanted == BEST and plan.options:
        return _verify_best(plan, case, bench)
    options = [option for option in plan.options if wanted in (ALL, option.name)]
    actions = [action for action in plan.actions if action.id == wanted]
    for option in options:
        plan = _verify_option(plan, case, option, bench)
    for action in actions:
        plan = _verify_action(plan, case, action, bench)
    if options or actions:
        return plan
    known = ", ".join(option.name for option in plan.options)
    names = f"its options: {known}" if known else "it has no options"
    return _note(plan, f"{wanted} was not tried: it is not in the plan ({names})")


def _verify_best(plan: Plan, case: Case, bench: Bench) -> Plan:
    for _ in plan.options:
        best = next((option for option in plan.options if option.name == plan.best), None)
        if best is None or best.verified != NOT_VERIFIED:
            break
        plan = _verify_option(plan, case, best, bench)
    return plan


def _verify_option(plan: Plan, case: Case, option: Option, bench: Bench) -> Plan:
    actions = plan.actions_of(option)
    if Letter.PAY in option.letters:
        tier = actions[0].id.partition(":")[2]
        offer = next(offer for offer in plan.offers if offer.tier == tier)
        return with_verified(plan, option.name, _judge_offer(bench.judge_for(tier), offer))
    trial = plan_trial(option.name, effective(actions), case.memory.machine)
    if isinstance(trial, Skipped):
        skipped = replace(option, verified=trial)
        options = tuple(skipped if each is option else each for each in plan.options)
        plan = replace(plan, options=options)
        return _note(plan, f"{option.name} was not tried: {trial.reason}")
    return with_verified(plan, option.name, _attempt(case, lambda: bench.boot(trial)))


def _verify_action(plan: Plan, case: Case, action: Action, bench: Bench) -> Plan:
    trial = plan_trial(action.id, (action,), case.memory.machine)
    if isinstance(trial, Skipped):
        return _note(plan, f"{action.id} was not tried: {trial.reason}")
    verified = _attempt(case, lambda: bench.boot(trial), limits=())
    saving = _measured_saving(plan, action, verified)
    tried = replace(action, verified=verified, saving=saving)
    actions = (tried if each is action else each for each in plan.actions)
    return replace(plan, actions=tuple(actions))


def _note(plan: Plan, text: str) -> Plan:
    return replace(plan, notes=(*plan.notes, text))


def plan_trial(name: str, actions: Sequence[Action], machine: MachineKind) -> Trial | Skipped:
    """Return the boot that tries some actions together; Skipped where they can't be applied."""
    trial = Trial(name=name, override=merged_override(actions))
    for action in actions:
        applied = _apply(trial, action, machine)
        if isinstance(applied, Skipped):
            return applied
        trial = applied
    return trial


def _apply(trial: Trial, action: Action, machine: MachineKind) -> Trial | Skipped:
    """Return the trial with an action's settings of the machine."""
    if action.id in ("swap", "zram") and machine is not MachineKind.TWIN:
        return Skipped(reason=_ONLY_TWIN)
    if action.id == PODMAN and machine is not MachineKind.TWIN:
        return Skipped(reason=_PODMAN_ONLY_TWIN)
    match action.id:
        case "engine:podman":
            return replace(trial, engine=EngineKind.PODMAN)
        case "engine:tuned":
            return replace(trial, engine=EngineKind.TUNED)
        case "swap":
            return replace(trial, swap_bytes=1024 * MIB)
        case "zram":
            return replace(trial, zram_bytes=512 * MIB)
        case "thp":
            return replace(trial, thp=HugePages.MADVISE)
        case "parallel":
            return replace(trial, parallel=PARALLEL)
    if all(change.kind is ChangeKind.COMPOSE for change in action.changes):
        return trial
    return Skipped(reason=f"{action.id} can't be applied here")


def _judge_offer(report: Report, offer: Offer) -> Verified:
    """Return how much of a larger machine is needed, by what was measured on this one."""
    needed = next(check.value for check in report.verdict.checks if check.id == "memory.tier")
    total = needed if isinstance(needed, Missing) else int(needed)
    over = isinstance(total, int) and total > offer.room_bytes
    problem = f"{offer.tier} has {format_mb(offer.room_bytes, down=True)}" if over else ""
    state = State.NO_GO if problem else State.GO
    left = offer.room_bytes - total if isinstance(total, int) else total
    return Verified(
        total_bytes=total, start_bytes=total, state=state, problem=problem, left_bytes=left
    )


def _attempt(case: Case, run: Callable[[], Report], limits: Collection[str] = LIMITS) -> Verified:
    try:
        report = run()
    except OnegigError as error:
        return _failed(": ".join(filter(None, (error.message, error.detail.partition("\n")[0]))))
    if isinstance(report.memory, Missing):
        return _failed(report.memory.reason)
    return judge_trial(replace(case, report=report, memory=report.memory), limits)


def _failed(problem: str) -> Verified:
    missing = Unknown(reason=problem)
    return Verified(
        total_bytes=missing, start_bytes=missing, state=State.INCOMPLETE, problem=problem
    )


def judge_trial(case: Case, limits: Collection[str] = LIMITS) -> Verified:
    """Return how a trial ended: all services up, and held to these limits (ids of checks).

    One action alone need not make the stack fit.
    """
    verdict = case.report.verdict
    problem = next(_problems(verdict, limits), "")
    known = find_limits(case)
    tightest = min(known, key=lambda limit: limit.left_bytes, default=None)
    is_roomy = not limits or all(limit.left_bytes >= limit.spare_bytes for limit in known)
    starts = [check.value for check in verdict.checks if check.id == "memory.boot"]
    return Verified(
        total_bytes=verdict.total_bytes,
        start_bytes=next((int(v) for v in starts if isinstance(v, (int, float))), NO_START),
        state=State.NO_GO if problem else State.GO if is_roomy else State.WARN,
        problem=problem,
        fit=_fit(tightest, case.memory) if tightest else NO_FIT,
        left_bytes=tightest.left_bytes if tightest else NOT_JUDGED,
    )


def _fit(limit: Limit, memory: MemoryReport) -> Fit:
    """Return the probability that the next boot stays within a limit, by this one boot."""
    needed = limit.needed_bytes
    noise = assumed_noise(needed, starting_together(memory))
    return predict((needed,), limit.limit_bytes, noise=noise)


def _problems(verdict: Verdict, limits: Collection[str]) -> Iterator[str]:
    """Yield why a trial does not hold, the most telling first.

    A limit that is exceeded counts unless the stack was squeezed and fitted, or it was noise.
    """
    states = ("service.state", "memory.squeeze") if limits else ("service.state",)
    fitted = any(check.id == "memory.squeeze" and check.state.passes for check in verdict.checks)
    for check in verdict.checks:
        if check.id in states and not check.state.passes:
            yield check.message
    for check in verdict.checks:
        left = check.headroom if check.id in limits else None
        is_spared = fitted if check.id == TIER else check.state.passes
        if left is not None and left < 0 and not is_spared:
            yield f"{format_mb(-int(left))} over ({check.title})"
    for check in verdict.checks:
        if check.id == "measure.complete" and check.subject == "memory":
            yield f"not measured in full: {check.message}"


def _measured_saving(plan: Plan, action: Action, verified: Verified) -> Saving:
    """Return what the total fell by; two boots of one stack differ by BOOT_SHARE at most.

    Where services did not run, that says nothing.
    """
    total = verified.total_bytes
    if not isinstance(total, int) or verified.problem or action.id == LIMITS_ID:
        return action.saving
    saved, spread = plan.total_bytes - total, round(plan.total_bytes * BOOT_SHARE)
    return Saving(
        bytes=saved,
        low_bytes=saved - spread,
        high_bytes=saved + spread,
        basis=Basis.MEASURED,
        source="the stack booted with it",
    )
