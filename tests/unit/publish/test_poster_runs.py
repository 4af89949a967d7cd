"""Which runs the poster answers, for which pull request, and in whatever order they finish."""

from dataclasses import replace
from typing import Any

import pytest

from gate_runs import FORK, HERE, TIGHT, Post, Scene, make_honest_memory, open_scene, zipped
from github.fixtures import CountingClock
from github.stand_in import StandIn


def test_two_pull_requests_of_one_head(stand_in: StandIn, tell: Post) -> None:
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


def test_two_pull_requests_that_can_not_be_told_apart(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.state.pull(base_ref="main", head_sha=scene.run.head_sha, head_repository=FORK)
    scene.upload()
    outcome = tell(scene.event())
    assert "have the same head" in outcome.lines[0]
    assert scene.state.comments == {}
    assert scene.checks() == [("onegig", "failure")]
    assert "have the same head" in scene.check_text()


def test_a_fork_that_was_deleted(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.run.head_repository = scene.pull.head_repository = None
    outcome = tell(scene.event())
    assert "has been deleted" in outcome.lines[0]
    assert (scene.bodies(), scene.checks()) == ([], [("onegig", "failure")])


@pytest.mark.parametrize(
    "changes",
    [
        {"path": ".github/workflows/evil.yml"},
        {"event": "push"},
        {"conclusion": "cancelled"},
        {"conclusion": "skipped"},
    ],
)
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
    assert (scene.bodies(), scene.checks()) == ([], [])


def rerun(scene: Scene, number: int, attempt: int, rss_mib: float) -> dict[str, Any]:
    """Another run for the pull request's present head, and its payload."""
    scene.run = scene.state.run(scene.pull, attempt=attempt)
    scene.upload(zipped(scene.claim(), memory=make_honest_memory(rss_mib)))
    return scene.event(number)


def test_two_runs_of_one_head_that_finish_out_of_order(stand_in: StandIn, tell: Post) -> None:
    """Closed and opened again: two runs of one commit; the older one finishes last."""
    scene = open_scene(stand_in, head_repository=HERE)
    older, newer = rerun(scene, 7, 1, 90.0), rerun(scene, 8, 1, 10.0)
    tell(newer)
    outcome = tell(older)
    assert "a newer run (8, attempt 1)" in outcome.lines[0]
    assert "left alone" in outcome.lines[1]
    assert "### ✅ GO: " in scene.only_body()
    assert scene.checks() == [("onegig", "success")]


def test_attempts_of_one_run_that_finish_out_of_order(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    first, second = rerun(scene, 7, 1, 10.0), rerun(scene, 7, 2, 90.0)
    tell(second)
    tell(first)
    assert "run=7.2" in scene.only_body()
    assert "### ❌ NO-GO: " in scene.only_body()
    assert scene.checks() == [("onegig", "failure")]


def test_runs_in_order_edit_one_comment_and_one_check(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    for attempt, rss in ((1, 90.0), (2, 10.0)):
        tell(rerun(scene, 7, attempt, rss))
    assert "run=7.2" in scene.only_body()
    assert scene.checks() == [("onegig", "success")]


def test_a_run_of_an_older_head_that_finishes_last(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    older = rerun(scene, 7, 1, 90.0)
    scene.push()
    newer = rerun(scene, 8, 1, 10.0)
    tell(newer)
    outcome = tell(older)
    assert outcome.lines[0].startswith("nothing posted: no open pull request has ")
    assert "run=8.1" in scene.only_body()


def test_a_head_that_moves_while_it_is_judged(stand_in: StandIn, tell: Post) -> None:
    """After the pull request was found, before anything is written."""
    scene = open_scene(stand_in)
    scene.upload()
    whole = scene.state.pulls[scene.pull.number]
    moved = replace(whole, head_sha=scene.state.commit(parents=(scene.base,), message="Moved"))
    original = stand_in.state.find_commit

    def on_history(ref: str) -> Any:
        if ref == "onegig-data":
            scene.state.pulls[whole.number] = moved
        return original(ref)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stand_in.state), "find_commit", lambda _self, ref: on_history(ref))
        outcome = tell(scene.event())
    assert "has a newer head" in outcome.lines[0]
    assert (scene.bodies(), scene.checks()) == ([], [])


def test_the_same_payload_twice_changes_nothing(
    stand_in: StandIn, tell: Post, clock: CountingClock
) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    tell(scene.event())
    body = scene.only_body()
    outcome = tell(scene.event())
    assert "comment on #7 u" in outcome.lines[0]  # updated or unchanged: its time may differ
    assert scene.only_body().partition("\n")[0] == body.partition("\n")[0]
    assert len(scene.checks()) == 1
