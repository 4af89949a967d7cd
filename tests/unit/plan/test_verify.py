"""Plans tried: which boots, by which changes, and how an option is marked that does not hold."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from factories import MIB, TODAY, make_memory, make_report, make_service
from onegig.config.budgets import parse_budgets
from onegig.errors import BootError
from onegig.model.engines import EngineKind
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.memory import MemoryReport
from onegig.model.plan import Action, Basis, Change, ChangeKind, Letter, Option, Plan, Verified
from onegig.model.report import Report
from onegig.model.service import ServiceState
from onegig.model.state import State
from onegig.model.twin import MachineKind
from onegig.model.verdict import Fit
from onegig.plan.case import Case
from onegig.plan.options import make_plan
from onegig.plan.verify import Bench, Trial, parse_wanted, plan_trial, verify
from onegig.report.plan import describe_action, render_plan

BUDGETS = parse_budgets(
    "budgets.yml", b"version: 1\ntier: none\nmemory: {limit: 1024MB, headroom: 0%}\n"
)
NO_IMAGES = Skipped(reason="not inspected")
Boot = Callable[[Trial], Report]


def make_memory_of(extra_mib: float, **changes: object) -> MemoryReport:
    """Return a stack whose optional service takes so much; engine and web take 825 MB.

    Its engine is one that no other is proposed for.
    """
    services = [make_service("web", 70.0, optional=False, **changes)]
    if extra_mib:
        services.append(make_service("extra", extra_mib, criticality="low"))
    memory = make_memory(services)
    return replace(
        memory,
        engine_kind=EngineKind.TUNED,
        box=replace(memory.box, cost_bytes=round((825 + extra_mib) * MIB)),
    )


def make_case(memory: MemoryReport) -> Case:
    return Case(
        report=make_report(memory, NO_IMAGES, BUDGETS),
        memory=memory,
        stack=Skipped(reason="not read"),
        budgets=BUDGETS,
        today=TODAY,
    )


CASE = make_case(make_memory_of(150.0))  # 1,055 MB: 31 over
MADE = make_plan(CASE)
assert isinstance(MADE, Plan)
PLAN = MADE


def boots(memory: MemoryReport | Missing) -> tuple[Boot, list[Trial]]:
    """Return a boot that ends so, and the list of trials that it was asked for."""
    trials: list[Trial] = []

    def boot(trial: Trial) -> Report:
        trials.append(trial)
        return make_report(memory, NO_IMAGES, BUDGETS)

    return boot, trials


def bench(boot: Boot) -> Bench:
    return Bench(boot=boot, judge_for=lambda tier: judge_for(tier))


def judge_for(tier: str) -> Report:
    return make_report(CASE.memory, NO_IMAGES, replace(BUDGETS, tier_names=(tier,)))


def option(plan: Plan, name: str) -> Option:
    return next(option for option in plan.options if option.name == name)


def test_the_best_option_is_booted_as_a_user_would_apply_it() -> None:
    boot, trials = boots(make_memory_of(0))
    plan = verify(PLAN, CASE, "best", bench(boot))
    assert PLAN.best == plan.best == "A"
    (trial,) = trials
    assert trial.override == {"services": {"extra": {"profiles": ["optional"]}}}
    tried = option(plan, "A")
    assert isinstance(tried.verified, Verified)
    fit = tried.verified.fit
    assert isinstance(fit, Fit)
    assert fit.peaks == (905 * MIB,)
    assert 0.9 < fit.probability < 1
    assert tried.verified == Verified(
        total_bytes=905 * MIB,
        start_bytes=Skipped(reason="the highest total was in operation"),
        state=State.GO,
        fit=fit,
        left_bytes=119 * MIB,
    )
    assert tried.left_bytes == 119 * MIB
    assert (tried.fits, tried.problem) == (True, "")
    assert tried.error_share == tried.total_bytes / (905 * MIB) - 1


CRASH = {"state": ServiceState.CRASHED, "exit_code": 1}


@pytest.mark.parametrize(
    ("memory", "problem", "left_mib"),
    [
        (make_memory_of(140), "21 MB over (Memory of the stack)", -21),
        (make_memory_of(0, **CRASH), "web crashed with exit code 1", 119),
        (Unknown(reason="nothing was sampled"), "nothing was sampled", None),
    ],
    ids=["over", "crashed", "not measured"],
)
def test_an_option_that_does_not_hold_says_why_and_the_next_best_is_tried(
    memory: MemoryReport | Missing, problem: str, left_mib: int | None
) -> None:
    boot, trials = boots(memory)
    plan = verify(PLAN, CASE, "best", bench(boot))
    predicted = option(PLAN, "A").left_bytes
    assert option(plan, "A").left_bytes == (predicted if left_mib is None else left_mib * MIB)
    assert option(plan, "A").problem.startswith(problem)
    assert not option(plan, "A").fits
    assert plan.best == "C"
    assert len(trials) == 1  # a larger machine is not booted
    assert isinstance(option(plan, "C").verified, Verified)


def test_a_boot_that_fails_is_a_plan_that_does_not_hold() -> None:
    def boot(_trial: Trial) -> Report:
        raise BootError("docker compose could not create the stack", detail="no space left\nmore")

    plan = verify(PLAN, CASE, "A", bench(boot))
    problem = "docker compose could not create the stack: no space left"
    assert option(plan, "A").problem == problem
    assert not option(plan, "A").fits
    claim = next(claim for claim in plan.confidence if claim.subject == "the last 31 MB can go")
    assert claim.high == pytest.approx(0.001)
    assert claim.basis == f"option A was booted: {problem}"
    printed = " ".join(re.split(r"\s+", render_plan(plan)))
    assert "docker compose could not create the stack: no space left" in printed
    assert isinstance(option(plan, "C").verified, Missing)  # only A was wanted


def test_a_service_that_crashed_is_not_what_an_action_saves() -> None:
    boot, _ = boots(make_memory_of(0, **CRASH))
    plan = verify(PLAN, CASE, "off:extra", bench(boot))
    (action,) = (action for action in plan.actions if action.id == "off:extra")
    assert action.saving.basis is Basis.PREDICTED
    assert "booted, it does not hold: web crashed" in describe_action(action)


def test_an_action_that_is_tried_alone_has_a_measured_saving() -> None:
    boot, _ = boots(make_memory_of(0))
    plan = verify(PLAN, CASE, "off:extra", bench(boot))
    (action,) = (action for action in plan.actions if action.id == "off:extra")
    assert action.saving.basis is Basis.MEASURED
    assert action.saving.bytes == 150 * MIB
    assert action.saving.low_bytes < 150 * MIB < action.saving.high_bytes
    assert isinstance(action.verified, Verified)
    assert isinstance(option(plan, "A").verified, Missing)


def test_a_larger_machine_is_judged_by_what_was_measured() -> None:
    boot, trials = boots(make_memory_of(0))
    plan = verify(PLAN, CASE, "C", bench(boot))
    assert (trials, option(plan, "C").error_share, option(plan, "C").fits) == ([], 0.0, True)


def make_action(id_: str, *changes: Change) -> Action:
    action = next(action for action in PLAN.actions if action.id == "off:extra")
    return replace(action, id=id_, changes=changes)


COMPOSE = Change(kind=ChangeKind.COMPOSE, text=json.dumps({"services": {"web": {"init": True}}}))
COMMANDS = Change(kind=ChangeKind.COMMANDS, text="sudo something\n")


@pytest.mark.parametrize(
    ("action", "machine", "expected"),
    [
        (make_action("x:web", COMPOSE), "box", {"override": json.loads(COMPOSE.text)}),
        (make_action("swap", COMMANDS), "twin", {"swap_bytes": 1024 * MIB}),
        (make_action("zram", COMMANDS), "twin", {"zram_bytes": 512 * MIB}),
        (make_action("parallel", COMMANDS), "box", {"parallel": 3}),
        (make_action("thp", COMMANDS), "box", {"thp": "madvise"}),
        (make_action("swap", COMMANDS), "box", "only a twin can be given swap (--on twin)"),
        (make_action("engine:tuned", COMMANDS), "box", {"engine": EngineKind.TUNED}),
        (make_action("engine:podman", COMMANDS), "twin", {"engine": EngineKind.PODMAN}),
        (
            make_action("engine:podman", COMMANDS),
            "box",
            "Podman can only be tried on a twin (--on twin)",
        ),
        (make_action("engine:x", COMMANDS), "box", "engine:x can't be applied here"),
    ],
)
def test_a_trial_has_an_actions_changes_or_says_why_it_cannot(
    action: Action, machine: str, expected: object
) -> None:
    trial = plan_trial("A", (action,), MachineKind(machine))
    if isinstance(expected, str):
        assert trial == Skipped(reason=expected)
        plan = replace(PLAN, actions=(action,))
        done = verify(plan, CASE, action.id, bench(boots(CASE.memory)[0]))
        assert done.notes == (*plan.notes, f"{action.id} was not tried: {expected}")
    else:
        assert trial == replace(Trial(name="A"), **expected)  # type: ignore[arg-type]


def test_what_a_plan_does_not_have_is_noted() -> None:
    plan = verify(PLAN, CASE, "B", bench(boots(CASE.memory)[0]))
    assert plan.notes[-1] == "B was not tried: it is not in the plan (its options: A, C)"


@pytest.mark.parametrize(
    ("text", "name"),
    [("A+engine", "A + engine"), ("best", "best"), ("off:x", "off:x"), ("thp", "thp")],
)
def test_names_as_users_write_them(text: str, name: str) -> None:
    assert parse_wanted(text) == name
    with pytest.raises(ValueError, match="or an action's id, not 'D'"):
        parse_wanted("D")


def test_letters_of_options_are_names() -> None:
    assert all(parse_wanted(letter) == letter for letter in Letter)
