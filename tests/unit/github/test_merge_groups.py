"""A merge queue waits for the status of its group's commit."""

from typing import Any

import pytest

from gate_runs import HERE, TIGHT, Post, Scene, make_honest_memory, open_scene, zipped
from github.stand_in import StandIn


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
