"""Which events the poster answers, in whatever order they come, and at what cost."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gate_runs import FORK, HERE, TIGHT, Open, Post, Scene, make_honest_memory, open_scene, zipped
from github.stand_in import StandIn
from github.state import Status


class Statuses(list[Any]):
    """Statuses; while the first is written, something happens."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def append(self, status: Any) -> None:
        super().append(status)
        if len(self) == 1:
            self._meanwhile()


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


def test_a_fork_that_was_deleted(measured: Open, tell: Post) -> None:
    scene = measured()
    scene.run.head_repository = scene.pull.head_repository = None
    tell(scene.event())
    assert scene.bodies() == []
    assert scene.status().startswith("failure: #7 into main: the repository it came from has been")


@pytest.mark.parametrize("changes", [{"path": ".github/workflows/evil.yml"}, {"event": "push"}])
def test_other_runs_leave_no_trace(
    stand_in: StandIn, measured: Open, tell: Post, changes: dict[str, Any]
) -> None:
    scene = measured()
    outcome = tell(scene.event(**changes))
    assert outcome.lines[0].startswith("nothing posted: the run ")
    assert stand_in.log == []


def test_two_runs_of_one_head_that_finish_out_of_order(measured: Open, tell: Post) -> None:
    """Closed and opened again: two runs of one commit; the older one finishes last."""
    scene = measured(head_repository=HERE)
    older = scene.event()
    scene.rerun(90.0)
    tell(scene.event())
    tell(older)
    assert "### ❌ NO-GO: " in scene.only_body()
    assert scene.standing() == "failure"


def test_an_older_run_that_ends_while_a_newer_one_measures_says_nothing(
    measured: Open, tell: Post
) -> None:
    scene = measured(head_repository=HERE)
    older = scene.event()
    scene.rerun(conclusion=None)
    tell(older)
    assert (scene.bodies(), scene.standing()) == ([], "pending")


def test_a_new_title_measures_nothing_and_changes_nothing(judged: Open, tell: Post) -> None:
    scene = judged(head_repository=HERE)
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


def test_a_run_of_an_older_head_that_finishes_last(measured: Open, tell: Post) -> None:
    scene = measured(head_repository=HERE)
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
    stand_in: StandIn, measured: Open, tell: Post
) -> None:
    """After the pull request was found, before anything is written."""
    scene = measured()
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
    stand_in: StandIn, measured: Open, tell: Post
) -> None:
    """Whoever writes last has read last, however jobs overlap."""
    scene = measured(head_repository=HERE)
    event = scene.event()
    stand_in.state.statuses = Statuses(lambda: scene.rerun(conclusion=None))
    outcome = tell(event)
    assert [status.state for status in stand_in.state.statuses] == ["success", "pending"]
    assert "status onegig: pending, #7 into main: being measured" in outcome.lines


def test_the_same_payload_twice_changes_nothing(judged: Open, tell: Post) -> None:
    scene = judged()
    outcome = tell(scene.event())
    assert "comment on #7 u" in outcome.lines[0]  # updated or unchanged: its time may differ
    assert "(unchanged)" in outcome.lines[1]
    assert len(scene.bodies()) == len(scene.state.statuses) == 1


def open_group(stand_in: StandIn, base: str = "main", **run: Any) -> Scene:
    """A scene whose run measures a group of its pull request."""
    scene = open_scene(stand_in, head_repository=HERE)
    group = {
        "event": "merge_group",
        "head_sha": scene.merge,
        "head_branch": f"gh-readonly-queue/{base}/pr-7-{scene.base}",
    }
    scene.run = scene.state.run(**{**group, **run})
    return scene


def upload(scene: Scene, rss_mib: float | None = None) -> None:
    claim = scene.claim(event="merge_group", head_sha=scene.merge)
    scene.upload(zipped(claim, memory=make_honest_memory(rss_mib)))


def test_a_group_that_fits(stand_in: StandIn, tell: Post) -> None:
    scene = open_group(stand_in)
    upload(scene)
    tell(scene.event())
    assert scene.status().startswith("success: merge group into main: GO: 460 of 1,024 MB")
    assert scene.state.comments == {}


def test_a_group_that_is_being_measured(stand_in: StandIn, tell: Post) -> None:
    scene = open_group(stand_in, conclusion=None)
    tell(scene.event("requested"))
    assert scene.status() == "pending: merge group into main: being measured"


@pytest.mark.security
@pytest.mark.parametrize("kind", ["NO-GO", "no numbers", "no zip", "failed", "of a push"])
def test_a_group_that_did_not_pass(stand_in: StandIn, tell: Post, kind: str) -> None:
    scene = open_group(stand_in, conclusion="failure" if kind == "failed" else "success")
    if kind in ("NO-GO", "failed"):
        upload(scene, 90.0 if kind == "NO-GO" else None)
    elif kind == "no zip":
        scene.upload(b"no zip")
    elif kind == "of a push":
        scene.upload(zipped(scene.claim(event="push", head_sha=scene.merge)))
    tell(scene.event())
    assert scene.standing() == "failure"


@pytest.mark.security
def test_a_group_is_judged_by_its_base_branchs_limits(stand_in: StandIn, tell: Post) -> None:
    scene = open_group(stand_in, base="release/v1")
    scene.state.commit({"budgets.yml": TIGHT}, branch="release/v1", message="Tight")
    upload(scene)
    tell(scene.event())
    assert scene.status().startswith("failure: merge group into release/v1: NO-GO: 460 of 300 MB")


@pytest.mark.security
@pytest.mark.parametrize(
    "run",
    [
        {"head_branch": "main"},
        {"head_branch": "gh-readonly-queue/main/pr-7"},
        {"head_repository": "mallory/stack"},
    ],
    ids=str,
)
def test_what_only_looks_like_a_group(stand_in: StandIn, tell: Post, run: dict[str, Any]) -> None:
    scene = open_group(stand_in, **run)
    upload(scene)
    outcome = tell(scene.event())
    assert "is not a branch of a merge queue" in outcome.lines[0]
    assert scene.status() == "none"


def test_a_group_that_was_cancelled_gets_nothing(stand_in: StandIn, tell: Post) -> None:
    scene = open_group(stand_in, conclusion="cancelled")
    assert "no run has measured the group" in tell(scene.event()).lines[0]
    assert scene.status() == "none"


pytestmark = pytest.mark.security


def asked(stand_in: StandIn, tell: Post, event: dict[str, Any]) -> list[str]:
    """What is asked for one event."""
    before = len(stand_in.log)
    tell(event)
    return stand_in.asked()[before:]


def into_other_bases(scene: Scene, count: int, *, have_runs: bool = False) -> None:
    """More pull requests of the head branch, each into a branch with limits of its own."""
    state, sha = scene.state, scene.pull.head_sha
    for number in range(count):
        base = f"v{number}"
        state.commit({"budgets.yml": TIGHT}, parents=(scene.base,), branch=base, message=base)
        pull = state.pull(
            base_ref=base, head_sha=sha, head_repository=scene.pull.head_repository or HERE
        )
        if have_runs:
            scene.run = state.run(pull)
            tip = state.branches[base]
            merge = state.commit(parents=(tip, sha), message=f"Into {base}")
            scene.upload(base_sha=tip, measured_sha=merge)


@pytest.mark.parametrize(("home", "most"), [(HERE, 38), (FORK, 42)])
def test_a_run_that_has_ended(
    stand_in: StandIn, tell: Post, measured: Open, home: str, most: int
) -> None:
    scene = measured(head_repository=home)
    result = asked(stand_in, tell, scene.event())
    assert sum("/zip" in item for item in result) == 1
    assert len(result) <= most


@pytest.mark.parametrize(("home", "most"), [(HERE, 11), (FORK, 15)])
def test_a_run_that_begins_costs_lists_only(
    stand_in: StandIn, tell: Post, measured: Open, home: str, most: int
) -> None:
    scene = measured(head_repository=home)
    tell(scene.event())
    scene.rerun(conclusion=None)
    result = asked(stand_in, tell, scene.event("requested"))
    assert scene.status() == "pending: #7 into main: being measured"
    assert not any(part in item for item in result for part in ("/zip", "/artifacts", "/git/"))
    assert len(result) <= most


@pytest.mark.parametrize("home", [HERE, FORK])
def test_a_new_title(stand_in: StandIn, tell: Post, measured: Open, home: str) -> None:
    scene = measured(head_repository=home)
    tell(scene.event())
    message = scene.status()
    scene.rerun(conclusion="skipped")
    result = asked(stand_in, tell, scene.event("requested"))
    result += asked(stand_in, tell, scene.event())
    assert scene.status() == message
    assert len(result) <= 20


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("have_runs", [False, True])
def test_many_pull_requests_of_one_head(
    stand_in: StandIn, tell: Post, measured: Open, *, protected: bool, have_runs: bool
) -> None:
    scene = measured(head_repository=HERE)
    into_other_bases(scene, 15, have_runs=have_runs)
    if protected:
        scene.state.protected = tuple(f"v{number}" for number in range(15))
    result = asked(stand_in, tell, scene.event())
    assert len(scene.state.comments) == 5
    assert len(result) <= (450 if have_runs else 220)


def test_a_run_that_begins_is_told_of_after_it_has_ended(
    stand_in: StandIn, tell: Post, measured: Open
) -> None:
    """Jobs overtake one another: what the later event said stays."""
    scene = measured(head_repository=HERE)
    begins = scene.event("requested", conclusion=None)
    tell(scene.event())
    assert "the run has not ended yet" in tell(begins).lines[0]
    assert scene.standing() == "success"


def test_a_run_that_ends_while_its_beginning_is_told(stand_in: StandIn, tell: Post) -> None:
    """Its end may have been told before "pending" was written: so that is corrected here."""
    scene = open_scene(stand_in, head_repository=HERE, conclusion=None)
    begins = scene.event("requested")

    def end() -> None:
        scene.run.conclusion = "success"
        scene.upload()

    stand_in.state.statuses = Statuses(end)
    tell(begins)
    assert [status.state for status in stand_in.state.statuses] == ["pending", "success"]


@pytest.mark.parametrize(
    "fields",
    [
        {"login": "somebody", "description": "#7 into main: GO"},
        {"description": "#7 into main2: GO"},
        {"description": "#77 into main: GO"},
        {"state": "pending", "description": "#7 into main: being measured"},
    ],
    ids=str,
)
def test_a_skipped_run_trusts_no_other_status(
    stand_in: StandIn, tell: Post, fields: dict[str, str]
) -> None:
    scene = open_scene(stand_in, head_repository=HERE, files={"budgets.yml": TIGHT})
    scene.rerun(90.0)
    given = {"state": "success", **fields}
    scene.state.statuses.append(Status(sha=scene.run.head_sha, context="onegig", **given))
    scene.rerun(conclusion="skipped")
    tell(scene.event())
    assert scene.standing() == "failure"


def test_a_skipped_run_of_two_pull_requests_is_judged(
    stand_in: StandIn, tell: Post, measured: Open
) -> None:
    """The status names only one: of the other the base may have been changed."""
    scene = measured(head_repository=HERE)
    scene.state.protected = ("v0",)
    tell(scene.event())
    into_other_bases(scene, 1)
    scene.rerun(conclusion="skipped")
    tell(scene.event())
    assert scene.status().startswith("failure: #8 into v0: NO-GO")
