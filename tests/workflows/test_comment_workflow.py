"""comment.yml run for real: which runs it takes up, what it then tells GitHub."""

from typing import Any

import pytest

import events
from act import Act, Ran
from factories import SERVICES
from gate_runs import Scene, make_honest_memory, open_scene, zipped
from github.stand_in import StandIn
from github.state import REPOSITORY
from onegig.github.job import DATA_BRANCH

FORK = "mallory/stack"


def comment(act: Act, scene: Scene, action: str = "completed", **changes: Any) -> Ran:
    """The trusted half, started by the scene's run; `changes` are of that run."""
    payload = events.workflow_run(scene.event(action, **changes))
    return act.run("comment.yml", "workflow_run", payload, act.forge.git("rev-parse", "main"))


def confirm(act: Act, scene: Scene, **inputs: str) -> Ran:
    """The trusted half, started by a maintainer."""
    recorded = scene.dispatch()
    payload = events.workflow_dispatch(**{**recorded["inputs"], **inputs})
    payload["repository"] |= recorded["repository"]
    own = max(scene.state.runs)
    main = act.forge.git("rev-parse", "main")
    return act.run("comment.yml", "workflow_dispatch", payload, main, GITHUB_RUN_ID=str(own))


def test_a_pull_request_of_a_fork_gets_comment_and_status(act: Act, github: StandIn) -> None:
    scene = open_scene(github, head_repository=FORK)
    scene.upload()
    ran = comment(act, scene)
    assert ran.jobs == {"comment": "success"}, ran.log
    (body,) = scene.bodies()
    assert "GO" in body
    assert scene.pull.head_sha[:7] in body
    assert scene.standing() == "pending"  # a fork's own word passes nothing
    assert "GO" in ran.summary


def test_a_failed_gate_is_told(act: Act, github: StandIn) -> None:
    scene = open_scene(github, head_repository=REPOSITORY, conclusion="failure")
    scene.upload(zipped(scene.claim(), memory=make_honest_memory(rss_mib=2000 / len(SERVICES))))
    ran = comment(act, scene)
    assert ran.jobs == {"comment": "success"}, ran.log
    assert "NO-GO" in scene.bodies()[0]
    assert scene.status().startswith("failure: #7 into main: NO-GO")


def test_a_fork_waits_for_a_maintainer_who_confirms(act: Act, github: StandIn) -> None:
    scene = open_scene(github, head_repository=FORK)
    scene.upload()
    comment(act, scene)
    assert scene.standing() == "pending"
    assert (
        f"gh workflow run comment.yml -f pull=7 -f head={scene.pull.head_sha}"
        in (scene.bodies()[0])
    )
    ran = confirm(act, scene)
    assert ran.jobs == {"comment": "success"}, ran.log
    assert scene.status().startswith("success: #7 into main: GO")
    assert "confirmed by @maintainer" in scene.status()


@pytest.mark.security
def test_what_somebody_types_to_confirm_runs_nothing(act: Act, github: StandIn) -> None:
    canary = act.root / "canary"
    scene = open_scene(github, head_repository=FORK)
    for inputs in ({"pull": f"7`touch {canary}`"}, {"head": f"$(touch {canary})"}):
        ran = confirm(act, scene, **inputs)
        assert ran.jobs == {"comment": "failure"}, ran.log
    assert not canary.exists()
    assert scene.standing() == "none"


def test_a_merge_group_gets_its_status(act: Act, github: StandIn) -> None:
    scene = open_scene(github, head_repository=REPOSITORY)
    branch = f"gh-readonly-queue/main/pr-7-{scene.base}"
    scene.run = github.state.run(
        event="merge_group", head_sha=scene.merge, head_branch=branch, conclusion=None
    )
    ran = comment(act, scene, action="requested")
    assert ran.jobs == {"comment": "success"}, ran.log
    assert scene.standing() == "pending"
    scene.run.conclusion = "success"
    scene.upload(zipped(scene.claim(event="merge_group", head_sha=scene.merge)))
    ran = comment(act, scene)
    assert ran.jobs == {"comment": "success"}, ran.log
    assert scene.status().startswith("success: merge group into main: GO")


def test_a_gate_that_begins_is_waited_for(act: Act, github: StandIn) -> None:
    scene = open_scene(github, head_repository=REPOSITORY, conclusion=None)
    ran = comment(act, scene, action="requested")
    assert ran.jobs == {"comment": "success"}, ran.log
    assert (scene.bodies(), scene.standing()) == ([], "pending")


def test_a_gate_that_left_nothing_is_told(act: Act, github: StandIn) -> None:
    scene = open_scene(github, conclusion="failure")
    ran = comment(act, scene)
    assert ran.jobs == {"comment": "success"}, ran.log
    assert "INCOMPLETE" in scene.bodies()[0]


def test_a_run_for_an_older_commit_writes_nothing(act: Act, github: StandIn) -> None:
    scene = open_scene(github)
    scene.upload()
    scene.push()
    ran = comment(act, scene)
    assert ran.jobs == {"comment": "success"}, ran.log
    assert scene.bodies() == []
    assert not github.asked("POST")


def test_the_name_of_a_branch_runs_nothing(act: Act, github: StandIn) -> None:
    canary = act.root / "canary"
    scene = open_scene(github)
    scene.run.head_branch = scene.pull.head_ref = f"`touch${{IFS}}{canary}`$(touch${{IFS}}{canary})"
    scene.upload()
    ran = comment(act, scene)
    assert ran.jobs == {"comment": "success"}, ran.log
    assert len(scene.bodies()) == 1
    assert not canary.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "push", "head_branch": "another"},
        {"event": "push", "head_branch": "main"},  # of the fork
    ],
    ids=lambda changes: "-".join(changes.values()),
)
def test_what_is_not_for_it_starts_no_job(
    act: Act, github: StandIn, changes: dict[str, str]
) -> None:
    ran = comment(act, open_scene(github, head_repository=FORK), **changes)
    assert ran.jobs == {}, ran.log


def test_a_workflow_that_only_has_the_gates_name_starts_no_job(act: Act, github: StandIn) -> None:
    payload = events.workflow_run(open_scene(github).event())
    payload["workflow"]["path"] = ".github/workflows/mine.yml"
    ran = act.run("comment.yml", "workflow_run", payload, act.forge.git("rev-parse", "main"))
    assert ran.jobs == {}, ran.log


def test_numbers_of_main_go_to_the_data_branch(act: Act, github: StandIn) -> None:
    scene = open_scene(github, head_repository=REPOSITORY, event="push")
    scene.run.head_branch, scene.run.head_sha = "main", scene.base
    scene.upload(event="push")
    ran = comment(act, scene)
    assert ran.jobs == {"data": "success"}, ran.log
    git = act.forge.git
    git("fetch", "--quiet", "origin", DATA_BRANCH)
    files = git("ls-tree", "--name-only", "FETCH_HEAD").splitlines()
    assert {"badge.json", "badge.svg", "baseline.json", "history.jsonl", "trend.svg"} <= set(files)
    assert scene.run.head_sha in git("show", "FETCH_HEAD:history.jsonl")
    assert git("show", "--no-patch", "--format=%P", "FETCH_HEAD") == ""
