"""The baseline of a change, from the history on the data branch."""

from dataclasses import replace

import pytest

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
def state(stand_in: StandIn) -> State:
    return stand_in.state


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
