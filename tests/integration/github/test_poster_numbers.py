"""The numbers a gate's run left, as the poster finds them: none, the newest, or forged."""

import pytest

from gate_runs import HERE, Open, Post, Scene, make_honest_memory, open_scene, zip_files, zipped
from github.stand_in import StandIn
from mutations import mutations
from onegig.errors import ArtifactError, ExitCode
from onegig.model.codec import to_json
from onegig.model.report import Failure, RunReport

pytestmark = pytest.mark.security


def test_a_gate_that_failed_before_it_measured(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE, conclusion="failure")
    tell(scene.event())
    body = scene.only_body()
    assert "INCOMPLETE" in body
    assert "the gate ended as failure before it measured" in body
    assert f"/actions/runs/{scene.run.id}" in body
    assert scene.standing() == "failure"


def test_a_gate_that_says_why_it_has_no_numbers(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in, head_repository=HERE, conclusion="failure")
    failure = Failure(
        message="the image of risk could not be built",
        command="docker buildx bake risk",
        detail="ERROR: no such package",
        exit_code=3,
        place="services/Dockerfile:12",
    )
    scene.upload(zip_files({"run.json": to_json(scene.claim(failure=failure))}))
    tell(scene.event())
    for text in (failure.message, failure.command, failure.detail, failure.place):
        assert text in scene.only_body()
    assert scene.standing() == "failure"


def test_a_gate_that_broke_after_it_measured_is_no_calm_headline(judged: Open) -> None:
    scene = judged(head_repository=HERE, conclusion="failure")
    assert "the gate's job ended as failure, though its numbers" in scene.only_body()
    assert scene.standing() == "failure"


@pytest.mark.parametrize("kind", ["expired", "of an earlier attempt", "deleted", "another name"])
def test_numbers_that_are_not_there_are_not_passed(
    stand_in: StandIn, tell: Post, kind: str
) -> None:
    scene = open_scene(stand_in, head_repository=HERE)
    name = "other" if kind == "another name" else "onegig-numbers"
    data = zipped(scene.claim())
    scene.state.artifact(scene.run, name, data, expired=kind == "expired")
    if "attempt" in kind:
        scene.run.started = "2026-01-01T00:00:00Z"
    if kind == "deleted":
        stand_in.fail("GET", "/zip$", status=410, times=2)
    tell(scene.event())
    assert "INCOMPLETE" in scene.only_body()
    assert "460" not in scene.only_body()
    assert scene.standing() == "failure"


def test_of_several_artifacts_the_newest_counts(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    for rss in (90.0, 10.0):
        scene.upload(zipped(scene.claim(), memory=make_honest_memory(rss)))
    tell(scene.event())
    assert "### ✅ GO: " in scene.only_body()


def test_another_stack_of_the_repository(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    for name in ("onegig-numbers", "other-numbers"):
        scene.state.artifact(scene.run, name, zipped(scene.claim()))
    tell(scene.event())
    tell(scene.event(), key="other", artifact="other-numbers", status="onegig (other)")
    assert len(scene.bodies()) == 2
    assert scene.standing() == scene.standing("onegig (other)") == "pending"


EXAMPLE = RunReport(
    event="pull_request",
    head_sha="a" * 40,
    measured_sha="b" * 40,
    base_sha="c" * 40,
    onegig_version="0.1.0",
    reproduce="onegig check",
)


def lies(scene: Scene) -> dict[str, bytes]:
    """Well-formed artifacts of something else."""
    return {
        "another head": zipped(scene.claim(head_sha="a" * 40)),
        "a push": zipped(scene.claim(event="push")),
        "the merge as the head": zipped(scene.claim(head_sha=scene.merge)),
    }


SOME = [*mutations(EXAMPLE)][::20]  # that each of them is refused is tested with the reading


@pytest.mark.parametrize("name", [*SOME, "another head", "a push", "the merge as the head"])
def test_a_mutated_artifact_posts_nothing_and_the_status_says_why(
    stand_in: StandIn, tell: Post, name: str
) -> None:
    scene = open_scene(stand_in)
    spoiled = lies(scene).get(name) or mutations(scene.claim())[name]
    scene.upload(spoiled)
    with pytest.raises(ArtifactError) as caught:
        tell(scene.event())
    assert caught.value.exit_code is ExitCode.INCOMPLETE
    assert (scene.bodies(), scene.standing()) == ([], "failure")
    assert "INCOMPLETE: the numbers of this run are refused: " in scene.status()
    assert "460 of" not in scene.status()


def test_an_artifact_too_large_is_not_even_fetched(stand_in: StandIn, tell: Post) -> None:
    scene = open_scene(stand_in)
    scene.state.artifact(scene.run, "onegig-numbers", b"", size=10**9)
    with pytest.raises(ArtifactError, match="larger than"):
        tell(scene.event())
    assert stand_in.storage_log == []


def test_an_artifact_that_changed_on_the_way_is_refused(
    stand_in: StandIn, measured: Open, tell: Post
) -> None:
    scene = measured()
    other = zipped(scene.claim(), memory=make_honest_memory(1.0))
    stand_in.fail("GET", "^/storage/", status=200, body=other)
    with pytest.raises(ArtifactError, match="not those that were uploaded"):
        tell(scene.event())
    assert scene.bodies() == []
