"""The numbers a run left: none, the newest or forged; and the commit they are compared with."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gate_runs import (
    BUDGETS,
    CLAIM,
    FORK,
    HERE,
    Open,
    Post,
    Scene,
    make_honest_memory,
    open_scene,
    zip_files,
    zipped,
)
from github.stand_in import StandIn
from github.state import State
from mutations import mutations
from onegig.errors import ArtifactError, ExitCode
from onegig.github.client import Client
from onegig.github.history import find_baseline
from onegig.judge.baseline import make_baseline
from onegig.model.codec import to_json, to_line
from onegig.model.measured import Skipped, Unknown
from onegig.model.report import Failure
from onegig.model.verdict import Baseline
from scenarios import make_go

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
    assert "the gate's job ended as failure, although its numbers" in scene.only_body()
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


def lies(scene: Scene) -> dict[str, bytes]:
    """Well-formed artifacts of something else."""
    return {
        "another head": zipped(scene.claim(head_sha="a" * 40)),
        "a push": zipped(scene.claim(event="push")),
        "the merge as the head": zipped(scene.claim(head_sha=scene.merge)),
    }


SOME = [*mutations(CLAIM)][::20]  # that each of them is refused is tested with the reading


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
    with pytest.raises(ArtifactError, match="differ from those that were uploaded"):
        tell(scene.event())
    assert scene.bodies() == []


@pytest.fixture
def commits(state: State) -> list[str]:
    """Five commits of main, oldest first."""
    return [state.commit(branch="main", message=f"Commit {i}") for i in range(5)]


def baseline(commit: str, day: int = 1) -> Baseline:
    return replace(
        make_baseline(make_go(), {}), commit=commit, created=f"2026-11-{day:02}T00:00:00+00:00"
    )


def with_earlier(known: Baseline, *earlier: Baseline) -> Baseline:
    """The baseline with the peaks of commits up to itself, which were all measured alike."""
    peaks = [item.peaks[0] for item in (*earlier, known)]
    return replace(known, earlier=tuple(peaks))


def keep(state: State, text: str) -> None:
    state.commit({"history.jsonl": text}, branch="onegig-data", message="Numbers")


def with_history(scene: Scene, *commits: str) -> None:
    """Numbers of these commits on the data branch."""
    lines = (to_line(baseline(commit, day)) for day, commit in enumerate(commits, start=1))
    keep(scene.state, "".join(lines))


def test_the_compared_commit_itself(client: Client, state: State, commits: list[str]) -> None:
    known = [baseline(commit, day) for day, commit in enumerate(commits, start=1)]
    keep(state, "".join(map(to_line, known)))
    assert find_baseline(client, commits[3], "main") == (with_earlier(known[3], *known[:3]), 0)


def test_the_nearest_ancestor_and_how_far_it_is(
    client: Client, state: State, commits: list[str]
) -> None:
    known = [baseline(commits[0], 1), baseline(commits[1], 2), baseline(commits[4], 3)]
    keep(state, "".join(map(to_line, known)))
    assert find_baseline(client, commits[3], "main") == (with_earlier(known[1], known[0]), 2)


@pytest.mark.parametrize("has_branch", [False, True])
def test_no_numbers_yet_is_a_normal_state(
    client: Client, state: State, commits: list[str], *, has_branch: bool
) -> None:
    if has_branch:
        keep(state, "")
    reason = "no baseline yet: onegig has not run on main"
    assert find_baseline(client, commits[4], "main") == Skipped(reason=reason)


def test_nothing_near_says_how_far_was_looked(
    client: Client, state: State, commits: list[str]
) -> None:
    keep(state, to_line(baseline("e" * 40)))
    result = find_baseline(client, commits[4], "main")
    assert isinstance(result, Skipped)
    assert f"none of the last 5 commits up to {commits[4][:12]}" in result.reason


def test_looking_back_ends(stand_in: StandIn, client: Client, state: State) -> None:
    for number in range(450):
        state.commit(branch="main", message=f"Commit {number}")
    keep(state, to_line(baseline("e" * 40)))
    result = find_baseline(client, state.branches["main"], "main")
    assert isinstance(result, Skipped)
    assert "none of the last 200 commits" in result.reason
    assert sum(item.endswith("/commits") for item in stand_in.asked("GET")) == 2


def test_a_history_that_cannot_be_read_is_unknown_not_empty(
    client: Client, state: State, commits: list[str]
) -> None:
    keep(state, to_line(baseline(commits[4])) + "<<<<<<< HEAD\n")
    result = find_baseline(client, commits[4], "main")
    assert isinstance(result, Unknown)
    assert "line 2 of the history" in result.reason


@pytest.mark.security
def test_a_tag_of_the_data_branchs_name_is_not_read(
    client: Client, state: State, commits: list[str]
) -> None:
    known = baseline(commits[4])
    keep(state, to_line(known))
    forged = to_line(replace(known, metric="forged"))
    state.tags["onegig-data"] = state.commit({"history.jsonl": forged}, message="Tag")
    assert find_baseline(client, commits[4], "main") == (with_earlier(known), 0)


@pytest.mark.parametrize("path", ["/contents/", "/branches/onegig-data"])
def test_a_server_in_trouble_is_unknown(
    stand_in: StandIn, client: Client, state: State, commits: list[str], path: str
) -> None:
    keep(state, to_line(baseline(commits[4])))
    stand_in.fail("GET", path, status=500, times=99)
    assert isinstance(find_baseline(client, commits[4], "main"), Unknown)


def test_an_unknown_commit_is_no_reason_to_say_that_nothing_ran(
    client: Client, state: State, commits: list[str]
) -> None:
    keep(state, to_line(baseline(commits[4])))
    result = find_baseline(client, "e" * 40, "main")
    assert isinstance(result, Unknown)


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
    assert "no baseline: the commit it was measured on could not be verified" in body
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
