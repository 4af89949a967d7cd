"""What GitHub does not let the poster do: the rest is done, and the cure is told."""

import pytest

from gate_runs import HERE, Post, open_scene
from github.stand_in import StandIn
from onegig.errors import ArtifactError, ExitCode, GithubError, GithubPermissionError

READ = {"actions": "read", "contents": "read"}


def test_a_locked_conversation_still_has_its_status(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.pull.locked = True
    outcome = tell(scene.event())
    assert "no comment: the conversation of #7 is locked" in outcome.lines[0]
    assert scene.standing() == "pending"


def test_without_permission_to_comment_the_status_is_set(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.permissions = {**READ, "pull_requests": "read", "statuses": "write"}
    with pytest.raises(GithubPermissionError) as caught:
        tell(scene.event())
    assert "pull-requests: write" in caught.value.advice
    assert scene.standing() == "pending"


def test_without_permission_for_the_status_the_comment_is_written(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.permissions = {**READ, "pull_requests": "write"}
    with pytest.raises(GithubPermissionError) as caught:
        tell(scene.event())
    assert "statuses: write" in caught.value.advice
    assert len(scene.bodies()) == 1


def test_without_either_permission_both_are_told(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.upload()
    scene.state.permissions = {**READ, "pull_requests": "read", "statuses": "read"}
    with pytest.raises(GithubPermissionError) as caught:
        tell(scene.event())
    assert "pull-requests: write" in caught.value.advice
    assert "statuses: write" in caught.value.advice
    assert caught.value.exit_code is ExitCode.CONFIG


def test_refused_numbers_without_permission_for_the_status_tell_both(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in)
    scene.upload(b"no zip")
    scene.state.permissions = {**READ, "pull_requests": "write"}
    with pytest.raises(ArtifactError, match="refused") as caught:
        tell(scene.event())
    assert "nor was it written: " in caught.value.detail
    assert "statuses: write" in caught.value.advice


def test_github_in_trouble_is_an_error_not_a_verdict(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    scene.upload()
    stand_in.fail("GET", "/compare/", status=500, times=99)
    with pytest.raises(GithubError):
        tell(scene.event())
    assert (scene.bodies(), scene.standing()) == ([], "error")
