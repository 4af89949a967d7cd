"""The plan in the comment of a pull request: whole, by the base branch's limits, and harmless."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from factories import MIB
from gate_runs import (
    CLAIM,
    HERE,
    Post,
    Scene,
    make_honest_images,
    open_scene,
    zip_files,
    zipped,
)
from github.stand_in import StandIn
from github_markdown import pings, read
from onegig.github.gate import Gate, write_numbers
from onegig.github.trusted.artifact import read_artifact
from onegig.model.plan import Action, Change, ChangeKind, Option, Plan, Verified
from onegig.model.state import State
from onegig.model.verdict import Fit
from onegig.plan.options import with_verified
from planned import LIMITS, OVER, plan_of
from scenarios import HOSTILE, make_go

pytestmark = pytest.mark.security

RUNS = "https://github.com/octo/stack/actions/runs"
LOOSE = "version: 1\ntier: none\nmemory: {limit: 2048MB}\n"


def comment_on(scene: Scene, tell: Post, plan: Plan | None) -> str:
    scene.state.commit({"budgets.yml": LIMITS}, branch="main", message="Limits")
    scene.upload(zipped(scene.claim(), memory=OVER, plan=plan))
    tell(scene.event())
    return scene.only_body()


@pytest.fixture
def comment(stand_in: StandIn, tell: Post) -> Callable[[Plan | None], str]:
    """The comment on a pull request of this repository whose run left that plan."""
    return lambda plan: comment_on(open_scene(stand_in, head_repository=HERE), tell, plan)


def change_actions(plan: Plan, **changes: object) -> Plan:
    actions: list[Action] = [replace(each, **changes) for each in plan.actions]  # type: ignore[arg-type]
    return replace(plan, actions=tuple(actions))


def change_option(plan: Plan, name: str, **changes: object) -> Plan:
    options: list[Option] = [
        replace(each, **changes) if each.name == name else each  # type: ignore[arg-type]
        for each in plan.options
    ]
    return replace(plan, options=tuple(options))


def test_the_comment_has_the_whole_plan(stand_in: StandIn, tell: Post, tmp_path: Path) -> None:
    """What the run has booted stands beside what is predicted, and the change as a diff."""
    found = Verified(total_bytes=871 * MIB, start_bytes=880 * MIB, state=State.GO)
    scene = open_scene(stand_in, head_repository=HERE)
    scene.state.commit({"budgets.yml": LIMITS}, branch="main", message="Limits")
    plan = with_verified(plan_of(), "B", found)
    report = replace(make_go(), images=make_honest_images(), memory=OVER, plan=plan)
    gate = Gate(report=report, claim=scene.claim(), places={}, error=None, weights={})
    write_numbers(gate, tmp_path)
    scene.upload(zip_files({path.name: path.read_bytes() for path in tmp_path.iterdir()}))
    tell(scene.event())
    body = scene.only_body()
    for option in ("A: squeeze", "engine", "B: consolidate", "C: pay"):
        assert f" {option} |" in body
    assert "| 871\u00a0MB (" in body
    assert "; B fits**" in body
    assert "\n- `Run redis-coordinator, market-data" in body
    assert "```diff\n--- a/compose.yml\n+++ b/compose.yml\n" in body
    assert "\n+    profiles: [merged]\n" in body
    assert "from the pull request's own run" in body


def test_texts_that_are_not_ours_are_code(comment: Callable[[Plan], str]) -> None:
    """Which services can share a container only the run knows, which has read the project."""
    body = comment(plan_of())
    row = next(line for line in body.splitlines() if "B: consolidate" in line)
    assert "| `Run redis-coordinator, market-data, telegram-bot and " in row


def test_without_a_plan_of_the_run_there_is_one_of_the_numbers(
    comment: Callable[[None], str],
) -> None:
    body = comment(None)
    assert "**Plan: " in body
    assert "A: squeeze" in body
    assert "B: consolidate" not in body
    assert "own run" not in body


def test_a_plan_is_made_for_the_base_branchs_limits(comment: Callable[[Plan], str]) -> None:
    """By the pull request's own, nothing has to be turned off."""
    loose = plan_of(LOOSE)
    assert loose.roomy
    body = comment(replace(loose, roomy=False))
    assert " over (memory of the stack); " in body
    assert "Turn off " in body
    assert "```diff" not in body


def test_what_a_run_says_it_booted_is_held_to_the_limit(comment: Callable[[Plan], str]) -> None:
    found = Verified(total_bytes=1025 * MIB, start_bytes=1025 * MIB, state=State.GO)
    body = comment(with_verified(plan_of(), "A", found))
    row = next(line for line in body.splitlines() if "A: squeeze" in line)
    assert row.startswith("| ❌ ")
    assert row.endswith(" over |")


@pytest.mark.parametrize("share", [5.0, 0.999])
def test_a_runs_own_probability_is_not_repeated(
    comment: Callable[[Plan], str], share: float
) -> None:
    """It is of the limits that the run judged by, which may be looser, if of anything."""
    fit = Fit(probability=share, low=share, high=share, level=0.95, peaks=(871 * MIB,))
    found = Verified(total_bytes=871 * MIB, start_bytes=880 * MIB, state=State.GO, fit=fit)
    body = comment(change_option(plan_of(), "B", verified=found))
    assert "| 871\u00a0MB (" in body
    assert "500\u00a0%" not in body
    assert "option B was booted" not in body


@pytest.mark.parametrize("saved", [0, 2**49])
def test_forged_savings_make_no_verdict(stand_in: StandIn, tell: Post, saved: int) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    plan = plan_of()
    saving = replace(plan.actions[0].saving, bytes=saved, low_bytes=saved, high_bytes=saved)
    body = comment_on(scene, tell, change_actions(plan, saving=saving))
    assert body.splitlines()[1].startswith("### ❌ NO-GO")
    assert scene.standing() == "failure"
    assert "-5" not in next(line for line in body.splitlines() if line.startswith("**Plan"))


@pytest.mark.parametrize("text", [*HOSTILE, "### ✅ GO: everything fits", "`", "``` \n~~~"])
def test_a_hostile_plan_is_text(comment: Callable[[Plan], str], text: str) -> None:
    """No link, picture, mention or heading; no fence ends before its content does."""
    plan = plan_of()
    saving = replace(plan.actions[0].saving, source=text)
    plan = change_actions(plan, title=text, cost=text, saving=saving)
    lines = f"--- a/x\n+++ b/x\n+{text}\n```\n````\n~~~\n</details>\n{text}\n"
    changes = (
        Change(kind=ChangeKind.DIFF, path="x", text=lines),
        Change(kind=ChangeKind.COMMANDS, text=f"{text}\n" * 3),
    )
    missed = Verified(total_bytes=9, start_bytes=9, state=State.NO_GO, problem=text)
    plan = change_option(plan, "A", changes=changes)
    plan = change_option(plan, "engine", verified=missed)
    body = comment(plan)
    page = read(body)
    assert not pings(body)
    assert [str(link).rpartition("/")[0] for link in page.links] == [RUNS]
    assert [tag for tag, _ in page.tags if tag in ("img", "h1", "h2", "h3", "script")] == ["h3"]
    assert page.text.strip().splitlines()[0].startswith("❌ NO-GO")


def test_a_file_elsewhere_is_no_reason_to_refuse_numbers() -> None:
    """The plan of a stack whose compose file lies beside the checkout comes without its diff."""
    change = Change(kind=ChangeKind.DIFF, text="+a\n", path="../compose.yml")
    plan = change_option(plan_of(), "A", changes=(change,))
    numbers = read_artifact(zipped(CLAIM, memory=OVER, plan=plan))
    assert isinstance(numbers.plan, Plan)
    assert numbers.plan.options[0].changes == ()
