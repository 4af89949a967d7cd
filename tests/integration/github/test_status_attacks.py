"""Attacks on the required status: what would make a pull request look better than it is, or worse
for somebody else."""

from typing import Any

import pytest

from gate_runs import (
    FORK,
    HERE,
    LOOSE,
    TIGHT,
    Open,
    Post,
    Scene,
    make_honest_memory,
    open_scene,
    zipped,
)
from github.stand_in import StandIn
from github.state import CheckRun, Pull, Status

pytestmark = pytest.mark.security
STRANGER = "stranger/stack"


def no_go(scene: Scene, **claims: Any) -> None:
    """Numbers over main's limit."""
    scene.upload(zipped(scene.claim(**claims), memory=make_honest_memory(90.0)))


def second_pull(
    scene: Scene, base: str, budgets: str = LOOSE, head_repository: str = HERE
) -> tuple[Pull, Any]:
    """Another pull request of the same commit, into a branch with its own limits, and its event."""
    state = scene.state
    if base not in state.branches:
        state.commit({"budgets.yml": budgets}, parents=(scene.base,), branch=base, message=base)
    sha = scene.pull.head_sha
    pull = state.pull(
        base_ref=base, head_sha=sha, head_ref=f"to-{base}", head_repository=head_repository
    )
    tip = state.branches[base]
    scene.run = state.run(pull)
    merge = state.commit(parents=(tip, sha), message=f"Into {base}")
    scene.upload(
        zipped(
            scene.claim(base_sha=tip, measured_sha=merge),
            memory=make_honest_memory(90.0 if budgets == LOOSE else None),
        )
    )
    return pull, scene.event()


def test_a_fork_whose_gate_does_nothing_is_not_a_success(stand_in: StandIn, tell: Post) -> None:
    """Its own gate.yml: `run: "true"`."""
    scene = open_scene(stand_in)
    tell(scene.event())
    assert scene.status().startswith("failure: #7 into main: INCOMPLETE")


def test_a_check_of_the_same_name_is_not_ours(stand_in: StandIn, tell: Post) -> None:
    """A job called onegig, or a check run posted with a huge external id."""
    scene = open_scene(stand_in, head_repository=HERE)
    no_go(scene)
    scene.state.check_runs[1] = CheckRun(
        id=1,
        head_sha=scene.run.head_sha,
        name="onegig",
        status="completed",
        conclusion="success",
        external_id="999999.1",
    )
    tell(scene.event())
    assert scene.standing() == "failure"
    assert stand_in.state.check_runs[1].conclusion == "success"  # nor do we touch it


def test_an_earlier_status_is_not_taken_over(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    no_go(scene)
    scene.state.statuses.append(Status(sha=scene.run.head_sha, state="success", context="onegig"))
    tell(scene.event())
    assert scene.standing() == "failure"


@pytest.mark.parametrize("protected", [(), ("loose",)], ids=["unprotected", "protected"])
def test_a_second_pull_request_into_a_loose_branch_saves_no_first(
    stand_in: StandIn, tell: Post, protected: tuple[str, ...]
) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.state.protected = protected
    no_go(scene)
    tell(scene.event())
    pull, event = second_pull(scene, "loose")
    tell(event)
    assert scene.status().startswith("failure: #7 into main: NO-GO")
    assert any(comment.issue == pull.number for comment in scene.state.comments.values())


def test_a_success_for_an_unprotected_branch_is_not_carried_to_main(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.pull.state = "closed"
    pull, event = second_pull(scene, "loose")
    outcome = tell(event)
    assert scene.status() == "none"
    assert "protected branches get a status: loose is not protected" in outcome.lines[-1]
    pull.base_ref = "main"  # its run, which begins, is told of
    scene.run = scene.state.run(pull, conclusion=None)
    tell(scene.event("requested"))
    assert scene.standing() == "pending"


@pytest.mark.parametrize("conclusion", [None, "cancelled", "skipped"])
def test_a_base_that_was_changed_does_not_keep_its_success(
    stand_in: StandIn, tell: Post, conclusion: str | None
) -> None:
    """From a protected branch with loose limits to main; the run for main may be cancelled."""
    scene = open_scene(stand_in, head_repository=HERE)
    scene.pull.state = "closed"
    scene.state.protected = ("loose",)
    pull, event = second_pull(scene, "loose")
    tell(event)
    assert scene.standing() == "success"
    pull.base_ref = "main"
    scene.run = scene.state.run(pull, conclusion=conclusion)
    tell(scene.event("requested" if conclusion is None else "completed"))
    assert scene.standing() == "pending"
    assert scene.bodies() == []


def test_a_fork_turns_no_failure_into_something_better(stand_in: StandIn, tell: Post) -> None:
    """Somebody's own pull request fails; a stranger opens one of the same commit."""
    scene = open_scene(stand_in, head_repository=HERE)
    no_go(scene)
    tell(scene.event())
    _, event = second_pull(scene, "main", head_repository=STRANGER)
    scene.upload()
    tell(event)
    assert scene.status().startswith("failure: #7 into main: NO-GO")


def test_a_stranger_turns_nobodys_success_red(judged: Open, tell: Post) -> None:
    scene = judged(head_repository=HERE)
    _, event = second_pull(scene, "main", head_repository=STRANGER)
    no_go(scene)
    tell(event)
    assert scene.status().startswith("success: #7 into main: GO")


def test_a_stranger_turns_no_confirmed_fork_red(measured: Open, tell: Post) -> None:
    scene = measured()
    tell(scene.dispatch())
    assert scene.standing() == "success"
    _, event = second_pull(scene, "main", head_repository=STRANGER)
    no_go(scene)
    tell(event)
    assert scene.standing() == "success"


def test_a_stranger_marks_no_commit_of_the_default_branch(stand_in: StandIn, tell: Post) -> None:
    """A pull request of main's tip into another protected branch."""
    scene = open_scene(stand_in)
    state = scene.state
    state.protected = ("release",)
    state.commit({"budgets.yml": TIGHT}, parents=(scene.older,), branch="release", message="R")
    scene.pull.base_ref, scene.pull.head_sha = "release", state.branches["main"]
    scene.rerun()
    no_go(scene)
    outcome = tell(scene.event())
    assert scene.status() == "none"
    assert "is already on main" in outcome.lines[-1]


def test_many_pull_requests_of_one_commit_are_not_all_judged(
    stand_in: StandIn, measured: Open, tell: Post
) -> None:
    scene = measured()
    for number in range(21):
        scene.state.pull(
            head_sha=scene.pull.head_sha, head_ref=f"b{number}", head_repository=STRANGER
        )
    tell(scene.event())
    assert scene.status() == "error: 22 pull requests have the same commit; close some"
    assert not any("/zip" in item for item in stand_in.asked())


@pytest.mark.parametrize("order", ["999999.1", "1.1"])
def test_a_forged_comment_mutes_nobody(stand_in: StandIn, tell: Post, order: str) -> None:
    """Of another workflow, which writes with the same login."""
    scene = open_scene(stand_in)
    no_go(scene)
    forged = f"<!-- onegig:default run={order} head={scene.run.head_sha} -->\nGO, trust me"
    scene.state.comment(scene.pull.number, forged)
    tell(scene.event())
    assert "GO, trust me" not in "".join(scene.bodies())
    assert "### ❌ NO-GO: " in scene.only_body()
    assert scene.standing() == "failure"


def test_trust_in_forks_is_the_base_branchs_word(judged: Open, tell: Post) -> None:
    trusting = "version: 1\nforks: trust\n"
    scene = judged(head_repository=FORK, files={"budgets.yml": trusting})
    assert scene.standing() == "pending"
    scene.state.commit({"budgets.yml": trusting}, branch="main", message="Trust")
    tell(scene.event())
    assert scene.standing() == "success"
