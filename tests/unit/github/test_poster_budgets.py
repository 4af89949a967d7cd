"""Whose limits the poster judges by: those of the base branch, never the pull request's own."""

import pytest

from gate_runs import HERE, LOOSE, TIGHT, Post, make_honest_memory, open_scene, zipped
from github.stand_in import StandIn
from onegig.errors import ConfigError


def test_forged_numbers_are_judged_by_the_base_branch(stand_in: StandIn, tell: Post) -> None:
    """A fork's gate that says success, with numbers over the limit of main."""
    scene = open_scene(stand_in, files={"budgets.yml": LOOSE})
    scene.upload(zipped(scene.claim(), memory=make_honest_memory(90.0)))
    tell(scene.event())
    assert "### ❌ NO-GO: " in scene.only_body()
    assert scene.standing() == "failure"


def test_what_the_pull_request_proposes_is_shown_but_does_not_judge(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, head_repository=HERE, files={"budgets.yml": TIGHT})
    scene.run.conclusion = "failure"  # by its own limits it is a NO-GO
    scene.upload()
    tell(scene.event())
    body = scene.only_body()
    assert "GO: 460 of 1,024 MB" in body
    assert "NO-GO: 460 of 300 MB" in body
    assert "`memory.limit`: 1,024 MB → 300 MB" in body
    assert scene.standing() == "failure"


def test_limits_that_main_changed_meanwhile_are_not_the_pull_requests(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in, files={"budgets.yml": LOOSE})
    scene.state.commit({"budgets.yml": TIGHT}, branch="main", message="Tighter")
    scene.upload()
    tell(scene.event())
    body = scene.only_body()
    assert "NO-GO: 460 of 300 MB" in body
    assert "`memory.limit`: 1,024 MB → 4,096 MB (looser)" in body
    assert "1 commit behind" in body


def test_a_budgets_file_of_the_pull_request_that_is_broken_is_said(
    stand_in: StandIn, tell: Post
) -> None:
    for text in ("version: [", "version: 1\n" + "#" * 1_100_000, "&a [*a, *a]", "x: 1\n"):
        scene = open_scene(stand_in, files={"budgets.yml": text})
        scene.upload()
        tell(scene.event())
        assert "GO: 460 of 1,024 MB" in scene.bodies()[-1]
        assert "none: budgets.yml of this pull request can't be read" in scene.bodies()[-1]


def test_a_base_without_budgets_is_judged_by_the_defaults(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, files={"limits.yml": TIGHT})
    scene.upload()
    tell(scene.event(), budgets="limits.yml")
    assert "GO: 460 of 1,024 MB" in scene.only_body()
    assert "1,024 MB → 300 MB" in scene.only_body()


def test_a_broken_budgets_file_of_the_base_is_an_error_that_the_status_tells(
    stand_in: StandIn, tell: Post
) -> None:
    scene = open_scene(stand_in)
    scene.state.commit({"budgets.yml": "version: 7\n"}, branch="main", message="Broken")
    scene.upload()
    with pytest.raises(ConfigError, match=r"budgets\.yml"):
        tell(scene.event())
    assert scene.bodies() == []
    assert scene.status().startswith("error: #7 into main: INCOMPLETE: budgets.yml")
