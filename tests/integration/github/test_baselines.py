"""The commit that is compared with: from the merge's parents and the data branch."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gate_runs import BUDGETS, FORK, HERE, Post, Scene, open_scene
from github.stand_in import StandIn
from github.state import State
from onegig.github.client import Client
from onegig.github.history import find_baseline
from onegig.judge.baseline import make_baseline
from onegig.model.codec import to_line
from onegig.model.measured import Skipped, Unknown
from onegig.model.verdict import Baseline
from scenarios import make_go


@pytest.fixture
def commits(state: State) -> list[str]:
    """Five commits of main, oldest first."""
    return [state.commit(branch="main", message=f"Commit {i}") for i in range(5)]


def baseline(commit: str, day: int = 1) -> Baseline:
    return replace(
        make_baseline(make_go(), {}), commit=commit, created=f"2026-11-{day:02}T00:00:00+00:00"
    )


def keep(state: State, text: str) -> None:
    state.commit({"history.jsonl": text}, branch="onegig-data", message="Numbers")


def test_the_compared_commit_itself(client: Client, state: State, commits: list[str]) -> None:
    known = [baseline(commit, day) for day, commit in enumerate(commits, start=1)]
    keep(state, "".join(map(to_line, known)))
    assert find_baseline(client, commits[3], "main") == (known[3], 0)


def test_the_nearest_ancestor_and_how_far_it_is(
    client: Client, state: State, commits: list[str]
) -> None:
    known = [baseline(commits[0], 1), baseline(commits[1], 2), baseline(commits[4], 3)]
    keep(state, "".join(map(to_line, known)))
    assert find_baseline(client, commits[3], "main") == (known[1], 2)


def test_no_data_branch_is_a_normal_state(client: Client, commits: list[str]) -> None:
    reason = "no baseline yet: onegig has not run on main"
    assert find_baseline(client, commits[4], "main") == Skipped(reason=reason)


def test_an_empty_history_is_one_too(client: Client, state: State, commits: list[str]) -> None:
    keep(state, "")
    found = find_baseline(client, commits[4], "main")
    assert found == Skipped(reason="no baseline yet: onegig has not run on main")


def test_nothing_near_says_how_far_was_looked(
    client: Client, state: State, commits: list[str]
) -> None:
    keep(state, to_line(baseline("e" * 40)))
    found = find_baseline(client, commits[4], "main")
    assert isinstance(found, Skipped)
    assert f"none of the last 5 commits up to {commits[4][:12]}" in found.reason


def test_looking_back_ends(stand_in: StandIn, client: Client, state: State) -> None:
    for number in range(450):
        state.commit(branch="main", message=f"Commit {number}")
    keep(state, to_line(baseline("e" * 40)))
    found = find_baseline(client, state.branches["main"], "main")
    assert isinstance(found, Skipped)
    assert "none of the last 200 commits" in found.reason
    assert sum(one.endswith("/commits") for one in stand_in.asked("GET")) == 2


def test_a_history_that_cannot_be_read_is_unknown_not_empty(
    client: Client, state: State, commits: list[str]
) -> None:
    keep(state, to_line(baseline(commits[4])) + "<<<<<<< HEAD\n")
    found = find_baseline(client, commits[4], "main")
    assert isinstance(found, Unknown)
    assert "line 2 of the history" in found.reason


@pytest.mark.security
def test_a_tag_of_the_data_branchs_name_is_not_read(
    client: Client, state: State, commits: list[str]
) -> None:
    known = baseline(commits[4])
    keep(state, to_line(known))
    forged = to_line(replace(known, metric="forged"))
    state.tags["onegig-data"] = state.commit({"history.jsonl": forged}, message="Tag")
    assert find_baseline(client, commits[4], "main") == (known, 0)


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
    found = find_baseline(client, "e" * 40, "main")
    assert isinstance(found, Unknown)


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
