"""Numbers decide about a pull request only if its own base branch's gate can have measured them."""

from collections.abc import Callable

import pytest

from gate_runs import (
    BUDGETS,
    FORK,
    GATE,
    HERE,
    LOOSE,
    OWN_GATE,
    Open,
    Post,
    Scene,
    make_honest_memory,
    open_scene,
    zipped,
)
from github.stand_in import StandIn

pytestmark = pytest.mark.security
HUNGRY = 90.0  # MiB of every service: a NO-GO
OWN = OWN_GATE.read_text(encoding="utf-8")
THEN = "2026-01-03T00:00:00Z"  # after the first runs
LATER = "2026-01-04T00:00:00Z"
STRICTER = "load: {service: redis, command: [hammer]}\nmeasure: {window: 60s}\n"


def hungry(stand_in: StandIn) -> Scene:
    """A branch of the repository whose honest numbers are a NO-GO."""
    scene = open_scene(stand_in, head_repository=HERE, before={"scripts/check": "a"})
    scene.upload(zipped(scene.claim(), memory=make_honest_memory(HUNGRY)))
    return scene


def test_another_base_branch_forges_no_numbers(stand_in: StandIn, tell: Post) -> None:
    """The gate of a second base is anything, and claims the merge into the first."""
    scene = hungry(stand_in)
    state = scene.state
    tell(scene.event())
    assert scene.standing() == "failure"
    evil = state.commit({GATE: "forge"}, parents=(scene.base,), branch="evil", message="evil")
    scene.run = state.run(
        state.pull(
            base_ref="evil",
            base_sha=evil,
            head_sha=scene.pull.head_sha,
            head_ref=scene.pull.head_ref,
            head_repository=HERE,
        )
    )
    scene.upload()
    tell(scene.event())
    assert scene.standing() == "pending"
    assert "has the same head, and the gate of its base may have measured" in scene.status()


@pytest.mark.parametrize("state_of_other", ["closed", "open"])
def test_nor_does_one_whose_base_was_changed(
    stand_in: StandIn, tell: Post, state_of_other: str
) -> None:
    scene = hungry(stand_in)
    other = scene.state.pull(
        head_sha=scene.pull.head_sha,
        head_ref=scene.pull.head_ref,
        head_repository=HERE,
        state=state_of_other,
        base_changed=THEN,
        merge_sha=scene.merge,
    )
    scene.run = scene.state.run(other)
    scene.upload()
    tell(scene.event())
    assert scene.standing() == "pending"


def test_a_base_that_was_changed_there_and_back(stand_in: StandIn, tell: Post) -> None:
    """The run for the other base is the newest that was not cancelled."""
    scene = hungry(stand_in)
    scene.run = scene.state.run(scene.pull)
    scene.upload()
    scene.pull.base_changed = THEN
    scene.run = scene.state.run(scene.pull, conclusion="cancelled", created=LATER)
    tell(scene.event())
    assert scene.standing() == "pending"


def test_what_is_measured_after_the_change_decides(stand_in: StandIn, tell: Post) -> None:
    scene = hungry(stand_in)
    scene.pull.base_changed = THEN
    scene.run = scene.state.run(scene.pull, created=LATER)
    scene.upload()
    tell(scene.event())
    assert scene.standing() == "success"


def test_a_pull_request_that_was_opened_anew_is_vouched_for(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.state.pull(
        head_sha=scene.pull.head_sha,
        head_ref=scene.pull.head_ref,
        head_repository=HERE,
        state="closed",
    )
    scene.upload()
    tell(scene.event())
    assert scene.standing() == "success"


@pytest.mark.parametrize(("home", "trust"), [(HERE, ""), (FORK, "forks: trust\n")])
def test_an_older_branch_measures_for_no_newer_one(
    stand_in: StandIn, tell: Post, home: str, trust: str
) -> None:
    """A second pull request goes into a branch that stands at an older commit of main."""
    state = stand_in.state
    files = {"budgets.yml": BUDGETS + trust, GATE: OWN, "scripts/check": "old"}
    old = state.commit(files, branch="main", message="old")
    state.branches["old"] = old
    newer = {"budgets.yml": BUDGETS + trust + STRICTER, "scripts/check": "new"}
    tip = state.commit(newer, branch="main", message="stricter")
    head = state.commit({"services/x": "hungry"}, parents=(old,), message="The change")
    pull = state.pull(base_sha=tip, head_sha=head, head_ref="feature", head_repository=home)
    merge = state.commit({"services/x": "hungry"}, parents=(old, head), message="Into old")
    other = state.pull(
        base_ref="old", base_sha=old, head_sha=head, head_ref="feature", head_repository=home
    )
    run = state.run(other)
    scene = Scene(stand_in=stand_in, pull=pull, run=run, older=old, base=old, merge=merge)
    scene.upload()
    tell(scene.event())
    assert scene.standing() == "pending"


def newer_script(scene: Scene) -> str:
    return scene.state.commit({"scripts/check": "fixed"}, branch="main", message="fix the gate")


def newer_settings(scene: Scene) -> str:
    files = {"budgets.yml": BUDGETS + STRICTER}
    return scene.state.commit(files, branch="main", message="measure longer")


def newer_machine(scene: Scene) -> str:
    files = {"budgets.yml": f"{BUDGETS}machine: twin\n"}
    return scene.state.commit(files, branch="main", message="measure in a twin")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (newer_script, "measured before the base branch changed scripts"),
        (newer_settings, "measured with settings of budgets.yml that differ"),
        (newer_machine, "measured with settings of budgets.yml that differ"),
    ],
)
def test_a_run_from_before_the_base_changed_how_is_measured(
    measured: Open, tell: Post, change: Callable[[Scene], str], why: str
) -> None:
    scene = measured(head_repository=HERE, before={"scripts/check": "a"})
    tip = change(scene)
    scene.pull.merge_sha = scene.state.commit(parents=(tip, scene.pull.head_sha), message="anew")
    tell(scene.event())
    assert scene.standing() == "pending"
    assert why in scene.status()


def test_of_several_merge_bases_none_smuggles_older_settings(stand_in: StandIn, tell: Post) -> None:
    """The head has what one merge base has, and git's merge takes it."""
    state = stand_in.state
    oldest = state.commit({"budgets.yml": BUDGETS, GATE: OWN}, branch="main", message="oldest")
    settings = {"budgets.yml": BUDGETS + STRICTER}
    second = state.commit(settings, branch="main", message="second")
    first = state.commit({"x": "1"}, parents=(oldest,), message="first")
    tip = state.commit({"x": "1"}, parents=(second, first), branch="main", message="tip")
    head = state.commit({"y": "1"}, parents=(first, second), message="head")
    older = {"budgets.yml": BUDGETS, "y": "1"}
    merge = state.commit(older, parents=(tip, head), message="GitHub's merge")
    pull = state.pull(base_sha=tip, head_sha=head, head_repository=HERE, merge_sha=merge)
    scene = Scene(
        stand_in=stand_in, pull=pull, run=state.run(pull), older=oldest, base=tip, merge=merge
    )
    scene.upload()
    tell(scene.event())
    assert scene.standing() == "pending"


def test_a_confirmation_is_of_the_numbers_that_were_there(stand_in: StandIn, tell: Post) -> None:
    """Confirmed for a loose branch, then measured again for main."""
    scene = open_scene(stand_in)
    state = scene.state
    state.protected = ("dev",)
    tip = state.commit({"budgets.yml": LOOSE}, parents=(scene.base,), branch="dev", message="dev")
    scene.pull.base_ref, scene.pull.created = "dev", "2020-01-01T00:00:00Z"
    merge = state.commit(parents=(tip, scene.pull.head_sha), message="into dev")
    scene.upload(zipped(scene.claim(base_sha=tip, measured_sha=merge)))
    tell(scene.dispatch(conclusion="success", created="2020-01-10T14:10:00Z"))
    assert scene.standing() == "success"
    scene.pull.base_ref, scene.pull.base_changed = "main", THEN
    scene.run = state.run(scene.pull, created=LATER, started="2020-01-10T14:20:00Z")
    scene.upload()
    tell(scene.event())
    assert scene.standing() == "pending"
    tell(scene.dispatch(conclusion="success", created=LATER))
    assert scene.standing() == "success"
