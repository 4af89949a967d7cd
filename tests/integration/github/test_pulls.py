"""Which open pull requests a commit has, and which run decides about each of them."""

from typing import Any

import pytest

from gate_runs import FORK, HERE, Open, Scene, open_scene
from github.stand_in import StandIn
from onegig.errors import ConfigError, GithubError
from onegig.github.client import Client
from onegig.github.job import GATE_WORKFLOW
from onegig.github.pushes import read_push
from onegig.github.trusted import pulls
from onegig.github.trusted.decision import Decision
from onegig.github.trusted.evaluation import Decisive, find_decisive
from onegig.github.trusted.pulls import Pull, find_pulls, stale_reason
from onegig.github.trusted.runs import (
    GateRun,
    Ignored,
    Repository,
    RunEvent,
    list_runs,
    read_trigger,
)


def pulls_of(client: Client, scene: Scene) -> tuple[Pull, ...]:
    return find_pulls(client, scene.run.head_sha, "main")


def runs_of(client: Client, scene: Scene) -> tuple[GateRun, ...]:
    here = Repository(id=1, name=HERE)
    return list_runs(client, here, GATE_WORKFLOW, scene.run.head_sha, "pull_request")


def decisive(client: Client, scene: Scene, at: int = 0) -> Decisive | Decision:
    result = pulls_of(client, scene)[at]
    return find_decisive(client, result, runs_of(client, scene), "onegig-numbers")


@pytest.mark.parametrize(("home", "fork"), [(FORK, FORK), (HERE, "")])
def test_whose_run_it_is(stand_in: StandIn, home: str, fork: str) -> None:
    payload = open_scene(stand_in, head_repository=home).event(run_number=12, run_attempt=3)
    trigger = read_trigger(payload, GATE_WORKFLOW)
    assert isinstance(trigger, RunEvent)
    assert (trigger.run.fork, trigger.run.order) == (fork, (12, 3))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"path": ".github/workflows/evil.yml"}, "belongs to .github/workflows/evil.yml"),
        ({"path": "gate.yml"}, "belongs to gate.yml"),
        ({"path": ".github/workflows/gate.yml/../evil.yml"}, "belongs to .github"),
        ({"path": ".github/workflows/GATE.yml"}, "belongs to .github/workflows/GATE.yml"),
        ({"event": "push"}, "started by push"),
        ({"event": "pull_request_target"}, "started by pull_request_target"),
    ],
)
def test_runs_that_are_none_of_a_pull_request(
    stand_in: StandIn, changes: dict[str, Any], reason: str
) -> None:
    trigger = read_trigger(open_scene(stand_in).event(**changes), GATE_WORKFLOW)
    assert isinstance(trigger, Ignored)
    assert reason in trigger.reason


@pytest.mark.parametrize("conclusion", ["cancelled", "skipped", "action_required", None])
def test_pushes_that_were_not_measured_make_no_history(
    stand_in: StandIn, conclusion: str | None
) -> None:
    payload = open_scene(stand_in).event(event="push", conclusion=conclusion)
    ignored = read_push(payload)
    assert isinstance(ignored, Ignored)
    assert "the run ended as " in ignored.reason


def test_the_path_may_name_its_ref(stand_in: StandIn) -> None:
    path = ".github/workflows/gate.yml@refs/pull/7/merge"
    assert isinstance(read_trigger(open_scene(stand_in).event(path=path), GATE_WORKFLOW), RunEvent)


@pytest.mark.parametrize("lost", ["head_sha", "path", "id", "run_number", "head_repository"])
def test_another_payload_is_a_mistake_in_the_workflow(stand_in: StandIn, lost: str) -> None:
    payload = open_scene(stand_in).event()
    del payload["workflow_run"][lost]
    with pytest.raises(ConfigError, match="not a valid workflow_run"):
        read_trigger(payload, GATE_WORKFLOW)


def test_all_pull_requests_of_a_head_are_found(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    state, sha = stand_in.state, scene.run.head_sha
    state.pull(head_repository="other/stack", head_ref="patch", head_sha=sha)
    state.pull(head_repository=None, head_sha=sha)
    state.pull(head_repository=FORK, head_ref="patch")
    state.pull(head_repository=FORK, head_ref="closed", head_sha=sha, state="closed")
    result = pulls_of(client, scene)
    assert [pull.number for pull in result] == [7, 8, 9]
    assert [pull.head_repository and pull.head_repository.name for pull in result] == [
        FORK,
        "other/stack",
        None,
    ]


def test_all_pages_are_looked_through(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    for _ in range(120):
        stand_in.state.pull(head_repository=FORK, head_ref="patch")
    assert [pull.number for pull in pulls_of(client, scene)] == [scene.pull.number]


@pytest.mark.security
def test_a_list_that_is_cut_is_not_taken_for_all(
    stand_in: StandIn, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(stand_in)
    stand_in.state.pull()
    monkeypatch.setattr(pulls, "MOST_PULLS", 2)
    with pytest.raises(GithubError, match="2 open pull requests or more"):
        pulls_of(client, scene)


@pytest.mark.parametrize(
    ("how", "is_protected"), [("default", True), ("branch", True), ("rules", True), ("none", False)]
)
def test_protected_branches(
    stand_in: StandIn, client: Client, how: str, *, is_protected: bool
) -> None:
    scene = open_scene(stand_in)
    state = scene.state
    if how != "default":
        state.commit(parents=(scene.base,), branch="v1/old", message="v1")
        scene.pull.base_ref = "v1/old"
    if how == "branch":
        state.protected = ("v1/old",)
    if how == "rules":
        state.rules["v1/old"] = [{"type": "deletion"}]
    (pull,) = pulls_of(client, scene)
    assert pull.base.is_protected is is_protected


def test_a_pull_request_that_loses_its_base_is_left_out(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    scene.pull.base_ref = "deleted"
    assert pulls_of(client, scene) == ()


def test_why_nothing_should_be_written(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    (result,) = pulls_of(client, scene)
    assert stale_reason(client, result) == ""
    scene.push()
    assert "newer head" in stale_reason(client, result)
    scene.pull.state = "closed"
    assert "has been closed" in stale_reason(client, result)


def test_the_newest_run_decides(measured: Open, client: Client) -> None:
    scene = measured()
    scene.rerun(10.0)
    result = decisive(client, scene)
    assert isinstance(result, Decisive)
    assert (result.run.id, result.base_sha) == (scene.run.id, scene.base)


@pytest.mark.parametrize(
    ("conclusion", "reason"), [(None, "being measured"), ("action_required", "waits for approval")]
)
def test_a_newer_run_that_has_not_ended_is_waited_for(
    measured: Open, client: Client, conclusion: str | None, reason: str
) -> None:
    scene = measured()
    scene.rerun(conclusion=conclusion)
    result = decisive(client, scene)
    assert isinstance(result, Decision)
    assert reason in result.text


@pytest.mark.parametrize("conclusion", ["skipped", "cancelled"])
def test_a_newer_run_that_measured_nothing_leaves_the_one_before_it(
    measured: Open, client: Client, conclusion: str
) -> None:
    """A new title starts a run that is skipped."""
    scene = measured()
    measured = scene.run.id
    scene.rerun(conclusion=conclusion)
    result = decisive(client, scene)
    assert isinstance(result, Decisive)
    assert result.run.id == measured


def test_only_a_run_that_was_cancelled(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in, conclusion="cancelled")
    result = decisive(client, scene)
    assert isinstance(result, Decision)
    assert "ended as cancelled; run it again" in result.text


@pytest.mark.security
@pytest.mark.parametrize(
    "foreign",
    [
        {"head_repository": "stranger/stack"},
        {"head_branch": "another"},
        {"path": ".github/workflows/mine.yml"},
        {"event": "push"},
        {"head_repository": None},
    ],
    ids=str,
)
def test_runs_of_others_for_the_same_commit_decide_nothing(
    measured: Open, client: Client, foreign: dict[str, Any]
) -> None:
    scene = measured()
    scene.state.run(scene.pull, **foreign)
    result = decisive(client, scene)
    assert isinstance(result, Decisive)
    assert result.run.id == scene.run.id


def two_bases(scene: Scene) -> tuple[str, str]:
    """A second pull request of the head into v1: the tip of v1, and the merge into it."""
    state = scene.state
    tip = state.commit(parents=(scene.base,), branch="v1", message="Of v1 only")
    state.pull(base_ref="v1", head_sha=scene.run.head_sha, head_repository=FORK)
    merge = state.commit(parents=(tip, scene.run.head_sha), message="Into v1")
    return tip, merge


@pytest.mark.security
def test_a_run_decides_where_the_base_contains_what_it_was_measured_on(
    stand_in: StandIn, client: Client
) -> None:
    scene = open_scene(stand_in)
    tip, merge = two_bases(scene)
    scene.upload(measured_sha=merge, base_sha=tip)
    into_main, into_v1 = decisive(client, scene), decisive(client, scene, 1)
    assert isinstance(into_main, Decision)
    assert "not measured on top of main yet" in into_main.text
    assert isinstance(into_v1, Decisive)


def test_a_merge_into_a_commit_of_both_bases_decides_for_both(
    stand_in: StandIn, client: Client
) -> None:
    scene = open_scene(stand_in)
    two_bases(scene)
    scene.upload()
    for at in range(2):
        result = decisive(client, scene, at)
        assert isinstance(result, Decisive)
        assert result.base_sha == scene.base


@pytest.mark.security
def test_a_cancelled_run_brings_back_no_older_one_of_another_base(
    stand_in: StandIn, client: Client
) -> None:
    scene = open_scene(stand_in)
    tip, merge = two_bases(scene)
    scene.upload(measured_sha=merge, base_sha=tip)
    scene.rerun(conclusion="cancelled")
    assert isinstance(decisive(client, scene), Decision)


@pytest.mark.security
def test_a_run_that_hides_its_base_is_not_skipped_for_a_better_one(
    measured: Open, client: Client
) -> None:
    scene = measured()
    scene.rerun()
    scene.upload(measured_sha="e" * 40)
    result = decisive(client, scene)
    assert isinstance(result, Decisive)
    assert (result.run.id, result.base_sha) == (scene.run.id, "")
