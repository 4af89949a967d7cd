"""A maintainer confirms what a fork measured: who may, for what, and what it can't do."""

from typing import Any

import pytest

from gate_runs import COMMENT, HERE, Open, Post, make_honest_memory, open_scene, zipped
from github.stand_in import StandIn
from onegig.errors import ConfigError

SHA = "a" * 40


def test_a_confirmed_fork_is_a_success(judged: Open, tell: Post) -> None:
    scene = judged()
    head = scene.pull.head_sha
    command = f"`gh workflow run comment.yml -f pull=7 -f head={head}`"
    assert "**Waits for a maintainer.** If you have read the changes" in scene.only_body()
    assert command in scene.only_body()
    page = "https://github.com/octo/stack/actions/workflows/comment.yml"
    assert f"[by hand]({page})" in scene.only_body()
    outcome = tell(scene.dispatch())
    assert scene.status().startswith("success: #7 into main: GO: 460 of 1,024 MB")
    assert scene.status().endswith("; confirmed by @maintainer")
    assert "**Confirmed** for this commit by `maintainer`." in scene.only_body()
    assert command not in scene.only_body()
    assert "comment on #7 updated" in outcome.lines[0]


def test_it_is_found_again_by_later_jobs(measured: Open, tell: Post) -> None:
    scene = measured()
    scene.dispatch(conclusion="success")
    tell(scene.event())
    assert scene.standing() == "success"


def test_it_is_found_where_the_list_of_runs_lags_behind(
    stand_in: StandIn, measured: Open, tell: Post
) -> None:
    scene = measured()
    payload = scene.dispatch()
    own = max(scene.state.runs)
    stand_in.fail("GET", "/workflows/comment.yml/runs", status=200, times=9, body=EMPTY)
    tell(payload, own_run=str(own))
    assert scene.standing() == "success"


EMPTY = {"total_count": 0, "workflow_runs": []}


def test_another_workflow_file_names_itself(measured: Open, tell: Post) -> None:
    scene = measured()
    tell(scene.event(), own_workflow=".github/workflows/onegig comment.yml")
    assert "gh workflow run onegig comment.yml -f" in scene.only_body()
    assert "/actions/workflows/onegig%20comment.yml)" in scene.only_body()


def test_a_pull_request_that_changes_how_is_measured_is_confirmed_likewise(
    judged: Open, tell: Post
) -> None:
    scene = judged(head_repository=HERE, files={"scripts/check": "true"})
    assert scene.standing() == "pending"
    tell(scene.dispatch())
    assert scene.standing() == "success"


def test_nothing_to_confirm_is_not_asked_for(judged: Open) -> None:
    scene = judged(head_repository=HERE)
    assert "maintainer" not in scene.only_body()


@pytest.mark.security
@pytest.mark.parametrize("kind", ["NO-GO", "INCOMPLETE", "failed"])
def test_a_confirmation_makes_no_failure_a_success(
    stand_in: StandIn, tell: Post, kind: str
) -> None:
    scene = open_scene(stand_in, conclusion="failure" if kind == "failed" else "success")
    if kind != "INCOMPLETE":
        memory = make_honest_memory(90.0 if kind == "NO-GO" else None)
        scene.upload(zipped(scene.claim(), memory=memory))
    tell(scene.dispatch())
    assert scene.standing() == "failure"


@pytest.mark.security
@pytest.mark.parametrize(
    "run",
    [
        {"title": f"confirm #7 at {SHA}"},
        {"title": "confirm #8 at HEAD"},
        {"title": "confirm #7 at HEAD "},
        {"head_branch": "mine"},
        {"event": "workflow_run"},
        {"event": "repository_dispatch"},
        {"path": ".github/workflows/mine.yml"},
        {"path": "elsewhere/comment.yml"},
        {"head_repository": "mallory/stack"},
        {"head_repository": None},
        {"conclusion": "failure"},
        {"conclusion": "cancelled"},
        {"conclusion": "skipped"},
        {"actor": "github-actions[bot]"},
    ],
    ids=str,
)
def test_what_only_looks_like_a_confirmation(
    measured: Open, tell: Post, run: dict[str, Any]
) -> None:
    scene = measured()
    title = run.get("title", f"confirm #7 at {scene.pull.head_sha}")
    scene.dispatch(**{**run, "title": title.replace("HEAD", scene.pull.head_sha)})
    tell(scene.event())
    assert scene.standing() == "pending"


@pytest.mark.security
def test_a_tag_that_is_named_like_the_default_branch_confirms_nothing(
    measured: Open, tell: Post
) -> None:
    """It may hold a comment.yml whose runs are called what their author likes."""
    scene = measured()
    tagged = scene.state.commit({COMMENT: "run-name: mine"}, parents=(scene.base,), message="Tag")
    scene.dispatch(head_sha=tagged, conclusion="success")
    tell(scene.event())
    assert scene.standing() == "pending"


@pytest.mark.security
def test_a_new_commit_has_to_be_confirmed_anew(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.dispatch(conclusion="success")
    scene.push()
    scene.rerun()
    merge = scene.state.commit(parents=(scene.base, scene.pull.head_sha), message="Merge")
    scene.upload(measured_sha=merge)
    tell(scene.event())
    assert scene.standing() == "pending"


@pytest.mark.security
def test_a_confirmation_is_of_one_pull_request(measured: Open, tell: Post) -> None:
    """Another one of the same commit is not confirmed by it."""
    scene = measured()
    other = scene.state.pull(
        head_sha=scene.pull.head_sha, head_ref="other", head_repository="stranger/stack"
    )
    scene.dispatch(pull=other.number, conclusion="success")
    tell(scene.event())
    assert scene.standing() == "pending"
    assert f"#{other.number} into main: not measured" in scene.status()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"pull": "7; rm -rf /"}, "is not the number of a pull request"),
        ({"pull": ""}, "is not the number of a pull request"),
        ({"pull": "\N{ARABIC-INDIC DIGIT SEVEN}"}, "is not the number of a pull request"),
        ({"pull": "07"}, "is not the number of a pull request"),
        ({"head": "abc"}, "is not a complete commit SHA"),
        ({"head": "A" * 40}, "is not a complete commit SHA"),
        ({"head": SHA}, "the head of #7 is "),
        ({"pull": "99"}, "there is no pull request #99"),
    ],
)
def test_wrong_inputs_are_answered(
    measured: Open, tell: Post, inputs: dict[str, str], message: str
) -> None:
    scene = measured()
    payload = scene.dispatch(conclusion="failure")
    payload["inputs"] |= inputs
    with pytest.raises(ConfigError, match=message):
        tell(payload)
    assert (scene.bodies(), scene.standing()) == ([], "none")


def test_a_closed_pull_request_is_not_confirmed(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.pull.state = "closed"
    with pytest.raises(ConfigError, match="#7 is not open"):
        tell(scene.dispatch())


@pytest.mark.security
@pytest.mark.parametrize("ref", ["refs/heads/mine", "refs/tags/main"])
def test_it_is_done_from_the_default_branch(measured: Open, tell: Post, ref: str) -> None:
    scene = measured()
    with pytest.raises(ConfigError, match="confirmed from main"):
        tell(scene.dispatch(conclusion="failure") | {"ref": ref})
    assert scene.standing() == "none"
