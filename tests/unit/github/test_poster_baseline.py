"""The commit that the poster compares with: found in the merge's parents, not claimed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gate_runs import BUDGETS, FORK, HERE, Post, Scene, open_scene
from github.stand_in import StandIn
from onegig.judge.baseline import make_baseline
from onegig.model.codec import to_line
from scenarios import make_go


def with_history(scene: Scene, *commits: str) -> None:
    """Numbers of these commits on the data branch."""
    report = make_go()
    lines = [
        to_line(
            replace(
                make_baseline(report, {}),
                commit=commit,
                created=f"2026-11-{day:02}T00:00:00+00:00",
            )
        )
        for day, commit in enumerate(commits, start=1)
    ]
    scene.state.commit({"history.jsonl": "".join(lines)}, branch="onegig-data", message="Data")


def test_it_is_compared_with_the_first_parent_of_the_merge(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    state = scene.state
    newer = state.commit(branch="main", message="Meanwhile")
    merge = state.commit(parents=(newer, scene.run.head_sha), message="Merged anew")
    with_history(scene, scene.base, newer)
    scene.upload(measured_sha=merge, base_sha=newer)
    tell(scene.event())
    assert newer[:7] in scene.only_body()
    assert "merge base" not in scene.only_body()


FORGERIES: dict[str, Callable[[Scene, str], dict[str, str]]] = {
    "a base that is no parent": lambda scene, other: {"base_sha": other},
    "a merge nobody knows": lambda scene, other: {"measured_sha": "e" * 40},
    "a merge of other commits": lambda scene, other: {
        "base_sha": other,
        "measured_sha": scene.state.commit(parents=(other, other), message="x"),
    },
    "parents the other way round": lambda scene, other: {
        "measured_sha": scene.state.commit(parents=(scene.run.head_sha, scene.base), message="y")
    },
    "a commit of main from before the pull request": lambda scene, other: {
        "base_sha": scene.older,
        "measured_sha": scene.state.commit(
            parents=(scene.older, scene.run.head_sha), message="onto an older one"
        ),
    },
    "no base": lambda scene, other: {"base_sha": "", "measured_sha": ""},
}


@pytest.mark.security
@pytest.mark.parametrize("head_repository", [FORK, HERE])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_base_is_not_compared_with(
    stand_in: StandIn, tell: Post, forgery: str, head_repository: str
) -> None:
    scene = open_scene(stand_in, head_repository=head_repository)
    other = scene.state.commit(parents=(scene.base,), message="Of the fork, larger")
    with_history(scene, scene.older, other, scene.base)
    scene.upload(**FORGERIES[forgery](scene, other))
    tell(scene.event())
    body = scene.only_body()
    assert "no baseline: what it was measured on top of could not be verified" in body
    for commit in (scene.older, scene.base, other):
        assert commit[:7] not in body
    assert scene.standing() == "pending"


@pytest.mark.security
@pytest.mark.parametrize("head_repository", [FORK, HERE])
def test_what_was_merged_into_another_commit_says_nothing_of_the_base(
    stand_in: StandIn, tell: Post, head_repository: str
) -> None:
    scene = open_scene(stand_in, head_repository=head_repository)
    other = scene.state.commit(parents=(scene.base,), message="Of the fork, larger")
    merge = scene.state.commit(parents=(other, scene.run.head_sha), message="z")
    scene.upload(base_sha=other, measured_sha=merge)
    tell(scene.event())
    assert scene.bodies() == []
    assert scene.status().startswith("pending: #7 into main: not measured on top of main yet")


def test_nothing_in_common_with_the_base(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.state.commit({"budgets.yml": BUDGETS}, parents=(), branch="other", message="Alone")
    scene.pull.base_ref = "other"
    scene.upload(base_sha="", measured_sha="")
    tell(scene.event())
    assert "no commit in common with other" in scene.only_body()
