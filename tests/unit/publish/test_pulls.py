"""Which pull request a run belongs to, from payloads as GitHub's own examples have them."""

from typing import Any

import pytest

from gate_runs import FORK, open_scene
from github.stand_in import StandIn
from onegig.errors import ConfigError
from onegig.publish.github.client import Client
from onegig.publish.trusted.pulls import Ambiguous, Pull, Stale, choose, find_pulls, why_stale
from onegig.publish.trusted.runs import GateRun, Ignored, read_run


def run_of(payload: dict[str, Any]) -> GateRun:
    run = read_run(payload)
    assert isinstance(run, GateRun)
    return run


def reason_of(outcome: object) -> str:
    assert isinstance(outcome, Ignored | Stale | Ambiguous)
    return outcome.reason


def test_run_of_a_fork(stand_in: StandIn) -> None:
    scene = open_scene(stand_in)
    run = run_of(scene.event(number=12, run_attempt=3))
    assert (run.fork, run.order, run.head_sha) == (FORK, (12, 3), scene.run.head_sha)


def test_run_of_a_branch_of_the_repository_is_no_forks(stand_in: StandIn) -> None:
    assert run_of(open_scene(stand_in, head_repository="octo/stack").event()).fork == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"path": ".github/workflows/evil.yml"}, "one of .github/workflows/evil.yml"),
        ({"path": "gate.yml"}, "one of gate.yml"),
        ({"path": ".github/workflows/gate.yml/../evil.yml"}, "one of .github/workflows/gate.yml/"),
        ({"path": ".github/workflows/GATE.yml"}, "one of .github/workflows/GATE.yml"),
        ({"event": "push"}, "started by push"),
        ({"event": "pull_request_target"}, "started by pull_request_target"),
        ({"conclusion": "cancelled"}, "ended as cancelled"),
        ({"conclusion": "skipped"}, "ended as skipped"),
        ({"conclusion": "action_required"}, "ended as action_required"),
        ({"conclusion": None}, "ended as completed"),
    ],
)
def test_runs_that_are_none_to_comment_on(
    stand_in: StandIn, changes: dict[str, Any], reason: str
) -> None:
    assert reason in reason_of(read_run(open_scene(stand_in).event(**changes)))


def test_a_workflow_of_the_gates_name_but_another_file_is_ignored(stand_in: StandIn) -> None:
    payload = open_scene(stand_in, name="gate").event(path=".github/workflows/other.yml")
    assert "other.yml" in reason_of(read_run(payload))


def test_the_path_may_name_its_ref(stand_in: StandIn) -> None:
    path = ".github/workflows/gate.yml@refs/pull/7/merge"
    assert run_of(open_scene(stand_in).event(path=path)).number == 7


@pytest.mark.parametrize("conclusion", ["success", "failure", "timed_out"])
def test_every_end_of_the_gate_has_its_comment(stand_in: StandIn, conclusion: str) -> None:
    run = run_of(open_scene(stand_in).event(conclusion=conclusion))
    assert run.conclusion == conclusion


@pytest.mark.parametrize("lost", ["head_sha", "path", "id", "run_number", "head_repository"])
def test_another_payload_is_a_mistake_in_the_workflow(stand_in: StandIn, lost: str) -> None:
    payload = open_scene(stand_in).event()
    del payload["workflow_run"][lost]
    with pytest.raises(ConfigError, match="no finished workflow_run"):
        read_run(payload)


def test_the_pull_request_is_that_of_head_repository_and_sha(
    stand_in: StandIn, client: Client
) -> None:
    scene = open_scene(stand_in)
    state = stand_in.state
    state.pull(head_repository="other/stack", head_ref="patch", head_sha=scene.run.head_sha)
    state.pull(head_repository=FORK, head_ref="patch2", head_sha=scene.run.head_sha)
    state.pull(head_repository="mallory/other", head_ref="patch", head_sha=scene.run.head_sha)
    found = find_pulls(client, run_of(scene.event()))
    assert isinstance(found, tuple)
    assert [pull.number for pull in found] == [scene.pull.number]


def test_branches_with_odd_names_are_found(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    scene.pull.head_ref = scene.run.head_branch = "feat/a&b=c #1 %2F ü"
    assert isinstance(find_pulls(client, run_of(scene.event())), tuple)


def test_all_pages_are_looked_through(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    for _ in range(120):
        stand_in.state.pull(head_repository=FORK, head_ref="patch")
    found = find_pulls(client, run_of(scene.event()))
    assert isinstance(found, tuple)
    assert [pull.number for pull in found] == [scene.pull.number]


def test_a_moved_head_is_stale(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    scene.push()
    assert "no open pull request" in reason_of(find_pulls(client, run_of(scene.event())))


def test_a_closed_pull_request_is_stale(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    scene.pull.state = "closed"
    assert isinstance(find_pulls(client, run_of(scene.event())), Stale)


def test_a_deleted_fork_is_said(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    scene.run.head_repository = scene.pull.head_repository = None
    found = find_pulls(client, run_of(scene.event()))
    assert "has been deleted" in reason_of(found)


def test_a_fork_that_was_deleted_after_the_run_is_stale(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    scene.pull.head_repository = None
    assert isinstance(find_pulls(client, run_of(scene.event())), Stale)


def two_pulls(stand_in: StandIn, client: Client) -> tuple[str, str, tuple[Pull, ...]]:
    """One head into main and into an older line: the tips of both, and the pull requests."""
    scene = open_scene(stand_in)
    state = stand_in.state
    old = state.commit(parents=(scene.base,), branch="v1/old", message="Of the old line")
    new = state.commit(branch="main", message="Of main")
    state.pull(base_ref="v1/old", head_sha=scene.run.head_sha, head_repository=FORK)
    found = find_pulls(client, run_of(scene.event()))
    assert isinstance(found, tuple)
    assert len(found) == 2
    return new, old, found


def test_of_two_pull_requests_the_measured_base_tells(stand_in: StandIn, client: Client) -> None:
    new, old, found = two_pulls(stand_in, client)
    for base, branch in ((new, "main"), (old, "v1/old")):
        pull = choose(client, found, base)
        assert isinstance(pull, Pull)
        assert pull.base_branch == branch


@pytest.mark.parametrize("base", ["", "a" * 40, "shared"])
def test_of_two_pull_requests_none_is_guessed(stand_in: StandIn, client: Client, base: str) -> None:
    new, _, found = two_pulls(stand_in, client)
    base = stand_in.state.commits[new].parents[0] if base == "shared" else base
    assert "#8 and #7 have the same head" in reason_of(choose(client, found, base))


def test_why_nothing_should_be_written(stand_in: StandIn, client: Client) -> None:
    scene = open_scene(stand_in)
    found = find_pulls(client, run_of(scene.event()))
    assert isinstance(found, tuple)
    assert why_stale(client, found[0]) == ""
    scene.push()
    assert "newer head" in why_stale(client, found[0])
    scene.pull.state = "closed"
    assert "has been closed" in why_stale(client, found[0])
