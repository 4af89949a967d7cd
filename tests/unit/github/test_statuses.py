"""The commit status: what it says within GitHub's limits, and when it is written."""

import pytest

from github.stand_in import StandIn
from github.state import State, Status
from onegig.errors import GithubPermissionError
from onegig.github.client import Client
from onegig.github.trusted import decision
from onegig.github.trusted.decision import StatusState, describe, set_status
from scenarios import HOSTILE

BOT = "github-actions[bot]"
GO = decision.Status(
    state=StatusState.SUCCESS, description="#7 into main: GO", url="https://x.org/1"
)


@pytest.fixture
def state(stand_in: StandIn) -> State:
    return stand_in.state


@pytest.fixture
def head(state: State) -> str:
    return state.commit(message="The change")


def put(client: Client, head: str, status: decision.Status = GO, name: str = "onegig") -> bool:
    return set_status(client, head, status, name=name, author=BOT)


def test_it_is_on_the_head(client: Client, state: State, head: str) -> None:
    assert put(client, head)
    (status,) = state.statuses
    assert (status.sha, status.context, status.state) == (head, "onegig", "success")
    assert (status.description, status.url) == ("#7 into main: GO", "https://x.org/1")


def test_the_same_is_not_said_twice(client: Client, state: State, head: str) -> None:
    assert put(client, head)
    assert not put(client, head)
    failure = decision.Status(state=StatusState.FAILURE, description="#7 into main: NO-GO", url="")
    assert put(client, head, failure)
    assert put(client, head)
    assert [one.state for one in state.statuses] == ["success", "failure", "success"]


@pytest.mark.security
def test_what_somebody_else_set_is_set_again(client: Client, state: State, head: str) -> None:
    state.statuses.append(
        Status(
            sha=head,
            state=GO.state,
            context="onegig",
            description=GO.description,
            login="mallory[bot]",
        )
    )
    assert put(client, head)


def test_each_name_is_a_status_of_its_own(client: Client, state: State, head: str) -> None:
    assert put(client, head)
    assert put(client, head, name="onegig (other)")


def test_a_description_is_short_and_harmless() -> None:
    for text in (*HOSTILE, "x" * 500):
        description = describe("#7", "b" * 200, text)
        assert len(description) <= 140
        assert description.startswith("#7 into bbb")
        assert not {"\x1b", "\u202e", "\n"} & set(description)
        assert len(description.partition(": ")[0]) < 60


@pytest.mark.security
def test_a_missing_permission_comes_with_the_yaml(client: Client, state: State, head: str) -> None:
    state.permissions = {"statuses": "read"}
    with pytest.raises(GithubPermissionError) as caught:
        put(client, head)
    assert "permissions:\n      statuses: write" in caught.value.advice
