"""Which events the poster answers, for which pull requests, and in whatever order they come."""

from dataclasses import replace
from typing import Any

import pytest

from gate_runs import FORK, HERE, TIGHT, Post, open_scene
from github.stand_in import StandIn


def test_two_pull_requests_of_one_head(stand_in: StandIn, tell: Post) -> None:
    """Each is told by its own base branch's limits, where the run measured it."""
    scene = open_scene(stand_in)
    state = scene.state
    line = state.commit({"budgets.yml": TIGHT}, parents=(scene.base,), branch="v1", message="v1")
    second = state.pull(base_ref="v1", head_sha=scene.run.head_sha, head_repository=FORK)
    merge = state.commit(parents=(line, scene.run.head_sha), message="Into v1")
    scene.upload(measured_sha=merge, base_sha=line)
    tell(scene.event())
    assert scene.bodies() == []
    (comment,) = state.comments.values()
    assert comment.issue == second.number
    assert "NO-GO: 460 of 300 MB" in comment.body


def test_a_merge_into_a_commit_of_both_bases_is_told_to_both(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    state = scene.state
    state.commit({"budgets.yml": TIGHT}, parents=(scene.base,), branch="v1", message="v1")
    state.pull(base_ref="v1", head_sha=scene.run.head_sha, head_repository=FORK)
    scene.upload()
    tell(scene.event())
    into_main, into_v1 = (one.body for one in state.comments.values())
    assert "GO: 460 of 1,024 MB" in into_main
    assert "NO-GO: 460 of 300 MB" in into_v1


def test_a_fork_that_was_deleted(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.run.head_repository = scene.pull.head_repository = None
    tell(scene.event())
    assert scene.bodies() == []
    assert scene.status().startswith("failure: #7 into main: the repository it came from has been")


@pytest.mark.parametrize("changes", [{"path": ".github/workflows/evil.yml"}, {"event": "push"}])
def test_other_runs_leave_no_trace(stand_in: StandIn, tell: Post, changes: dict[str, Any]) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    outcome = tell(scene.event(**changes))
    assert outcome.lines[0].startswith("nothing posted: the run ")
    assert stand_in.log == []


def test_a_closed_pull_request_is_left_alone(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.pull.state = "closed"
    assert "no open pull request" in tell(scene.event()).lines[0]
    assert (scene.bodies(), scene.standing()) == ([], "none")


def test_a_run_that_begins_is_waited_for_and_has_no_comment(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE, conclusion=None)
    tell(scene.event("requested"))
    assert scene.status() == "pending: #7 into main: being measured"
    assert scene.bodies() == []


def test_two_runs_of_one_head_that_finish_out_of_order(stand_in: StandIn, tell: Post) -> None:
    """Closed and opened again: two runs of one commit; the older one finishes last."""
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    older = scene.event()
    scene.rerun(90.0)
    tell(scene.event())
    tell(older)
    assert "### ❌ NO-GO: " in scene.only_body()
    assert scene.standing() == "failure"


def test_an_older_run_that_ends_while_a_newer_one_measures_says_nothing(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    older = scene.event()
    scene.rerun(conclusion=None)
    tell(older)
    assert (scene.bodies(), scene.standing()) == ([], "pending")


def test_a_cancelled_run_leaves_the_one_before_it(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    scene.rerun(conclusion="cancelled")
    tell(scene.event())
    assert "### ✅ GO: " in scene.only_body()
    assert scene.standing() == "success"


def test_a_new_title_measures_nothing_and_changes_nothing(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    tell(scene.event())
    scene.rerun(conclusion=None)
    tell(scene.event("requested"))
    assert scene.standing() == "pending"
    scene.run.conclusion = "skipped"
    tell(scene.event())
    assert scene.standing() == "success"
    assert len(scene.bodies()) == 1


def test_runs_in_order_edit_one_comment_and_the_status(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    for rss, state in ((90.0, "failure"), (10.0, "success")):
        scene.rerun(rss)
        tell(scene.event())
        assert scene.standing() == state
    assert "### ✅ GO: " in scene.only_body()


def test_a_run_of_an_older_head_that_finishes_last(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    older = scene.event()
    scene.push()
    scene.rerun(90.0, head_sha=scene.pull.head_sha)
    tell(scene.event())
    outcome = tell(older)
    old_head = older["workflow_run"]["head_sha"][:12]
    assert outcome.lines == (
        f"no status onegig: no open pull request has {old_head} as its head now",
    )
    assert len(scene.bodies()) == 1


def test_a_head_that_moves_while_it_is_judged_is_not_commented_on(
    stand_in: StandIn, tell: Post
) -> None:
    """After the pull request was found, before anything is written."""
    scene = open_scene(stand_in)
    scene.upload()
    whole = scene.state.pulls[scene.pull.number]
    moved = replace(whole, head_sha=scene.state.commit(parents=(scene.base,), message="Moved"))
    data = scene.state.commit({"history.jsonl": ""}, branch="onegig-data", message="Data")
    original = stand_in.state.find_commit

    def on_history(ref: str) -> Any:
        if ref == data:
            scene.state.pulls[whole.number] = moved
        return original(ref)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stand_in.state), "find_commit", lambda _self, ref: on_history(ref))
        outcome = tell(scene.event())
    assert "has a newer head" in outcome.lines[0]
    assert scene.bodies() == []


def test_a_run_that_begins_while_the_one_before_it_is_judged_is_seen(
    stand_in: StandIn, tell: Post
) -> None:
    """Whoever writes last has read last, however jobs overlap."""
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    event = scene.event()
    original = stand_in.state.statuses.append

    class Statuses(list[Any]):
        def append(self, status: Any) -> None:
            original(status)
            super().append(status)
            if len(self) == 1:  # the newer run begins just as the status of the older is written
                scene.rerun(conclusion=None)

    stand_in.state.statuses = Statuses()
    outcome = tell(event)
    assert [one.state for one in stand_in.state.statuses] == ["success", "pending"]
    assert "status onegig: pending, #7 into main: being measured" in outcome.lines


def test_the_same_payload_twice_changes_nothing(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    tell(scene.event())
    outcome = tell(scene.event())
    assert "comment on #7 u" in outcome.lines[0]  # updated or unchanged: its time may differ
    assert "(unchanged)" in outcome.lines[1]
    assert len(scene.bodies()) == len(scene.state.statuses) == 1
