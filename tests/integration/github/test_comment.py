"""The one comment and the commit status: written once, edited in place, within limits."""

import pytest

from github.stand_in import StandIn
from github.state import State, Status
from onegig.errors import ConfigError, GithubError
from onegig.github.client import Client
from onegig.github.trusted import decision
from onegig.github.trusted.comment import (
    AUTHOR,
    Posted,
    check_key,
    marker,
    upsert,
)
from onegig.github.trusted.decision import StatusState, describe, set_status
from scenarios import HOSTILE

MARKER = "<!-- onegig:default -->"
OLD = f"<!-- onegig:default run=5.1 head={'f' * 40} -->"  # as earlier versions wrote it


@pytest.fixture
def pull(stand_in: StandIn) -> int:
    return stand_in.state.pull().number


def write(client: Client, pull: int, text: str = "GO\n", key: str = "default") -> str:
    """What became of it."""
    outcome = upsert(client, pull, key, text, "shorter\n")
    return outcome.action if isinstance(outcome, Posted) else outcome.reason


def bodies(state: State) -> list[str]:
    return [comment.body for comment in state.comments.values()]


def test_the_marker_is_the_first_line(client: Client, state: State, pull: int) -> None:
    assert write(client, pull) == "created"
    assert bodies(state) == [f"{MARKER}\nGO\n"]
    assert state.comments[max(state.comments)].login == AUTHOR


def test_it_is_edited_in_place(client: Client, state: State, pull: int) -> None:
    write(client, pull)
    (first,) = state.comments
    assert write(client, pull, "NO-GO\n") == "updated"
    assert list(state.comments) == [first]
    assert bodies(state) == [f"{MARKER}\nNO-GO\n"]


def test_the_same_again_writes_nothing(
    stand_in: StandIn, client: Client, state: State, pull: int
) -> None:
    write(client, pull)
    (comment,) = state.comments.values()
    comment.body = comment.body.replace("\n", "\r\n").rstrip()  # as a web page sends it back
    assert write(client, pull) == "unchanged"
    assert stand_in.asked("PATCH") == []


@pytest.mark.parametrize("line", [MARKER, OLD])
def test_that_of_an_earlier_version_is_edited(
    client: Client, state: State, pull: int, line: str
) -> None:
    state.comment(pull, f"{line}\nold\n")
    assert write(client, pull) == "updated"
    assert bodies(state) == [f"{MARKER}\nGO\n"]


def test_each_key_has_its_own_comment(client: Client, state: State, pull: int) -> None:
    write(client, pull)
    assert write(client, pull, key="other-stack") == "created"
    assert len(bodies(state)) == 2


def test_a_minimised_comment_is_left_alone(client: Client, state: State, pull: int) -> None:
    hidden = state.comment(pull, f"{MARKER}\nGO\n", minimized=True)
    assert write(client, pull) == "created"
    assert write(client, pull, "WARN\n") == "updated"
    assert hidden.body == f"{MARKER}\nGO\n"
    assert len(bodies(state)) == 2


@pytest.mark.parametrize("login", ["mallory", "github-actions", "dependabot[bot]"])
def test_the_marker_of_somebody_else_means_nothing(
    client: Client, state: State, pull: int, login: str
) -> None:
    forged = state.comment(pull, f"{MARKER}\nGO, trust me\n", login=login)
    assert write(client, pull) == "created"
    assert forged.body.endswith("trust me\n")


def test_all_pages_are_looked_through(client: Client, state: State, pull: int) -> None:
    for number in range(250):
        state.comment(pull, f"Comment {number}", login="octocat")
    ours = state.comment(pull, f"{MARKER}\nold\n")
    assert write(client, pull) == "updated"
    assert ours.body == f"{MARKER}\nGO\n"


@pytest.mark.parametrize("status", [404, 410])
def test_a_comment_deleted_meanwhile_is_made_anew(
    stand_in: StandIn, client: Client, state: State, pull: int, status: int
) -> None:
    state.comment(pull, f"{MARKER}\nold\n")
    stand_in.fail("PATCH", "/issues/comments/", status=status)
    assert write(client, pull) == "created"


@pytest.mark.security
def test_of_several_with_our_marker_the_oldest_is_edited(
    client: Client, state: State, pull: int
) -> None:
    """Other workflows write with our login; a huge run number means nothing."""
    state.comment(pull, f"{MARKER}\nold\n")
    forged = f"<!-- onegig:default run=999999999.1 head={'f' * 40} -->\nGO, trust me\n"
    state.comment(pull, forged)
    assert write(client, pull) == "updated"
    assert bodies(state) == [f"{MARKER}\nGO\n", forged]


@pytest.mark.parametrize("status", [0, 502])
def test_a_comment_whose_answer_got_lost_is_found_again(
    stand_in: StandIn, client: Client, state: State, pull: int, status: int
) -> None:
    stand_in.fail("POST", "/comments$", status=status, applied=True)
    assert write(client, pull) == "unchanged"
    assert len(bodies(state)) == 1


@pytest.mark.parametrize("status", [0, 502])
def test_a_comment_that_never_arrived_is_sent_again(
    stand_in: StandIn, client: Client, state: State, pull: int, status: int
) -> None:
    stand_in.fail("POST", "/comments$", status=status)
    assert write(client, pull) == "created"
    assert len(bodies(state)) == 1


def test_it_is_not_tried_for_ever(
    stand_in: StandIn, client: Client, state: State, pull: int
) -> None:
    stand_in.fail("POST", "/comments$", status=502, times=9)
    with pytest.raises(GithubError, match="502"):
        write(client, pull)
    assert len(stand_in.asked("POST")) == 2
    assert bodies(state) == []


def test_what_is_too_long_becomes_shorter(client: Client, state: State, pull: int) -> None:
    write(client, pull, "x" * 65_536)
    assert bodies(state) == [f"{MARKER}\nshorter\n"]
    assert write(client, pull, "y" * 65_536) == "unchanged"


def test_what_just_fits_is_written(client: Client, state: State, pull: int) -> None:
    text = "x" * (65_536 - len(f"{MARKER}\n"))
    write(client, pull, text)
    assert bodies(state) == [f"{MARKER}\n{text}"]


def test_another_author_edits_its_own(client: Client, state: State, pull: int) -> None:
    state.login = "onegig[bot]"
    state.comment(pull, f"{MARKER}\nof the default token\n")
    outcomes = [
        upsert(client, pull, "default", text, "", author="onegig[bot]") for text in ("GO", "WARN")
    ]
    assert [item.action for item in outcomes if isinstance(item, Posted)] == [
        "created",
        "updated",
    ]


NO_MARKERS = ("<!-- onegig:default run=5.1 head=main -->", "<!-- onegig:a b -->", "")
QUOTED = ("> ", "Look:\n", " ", "<!-- onegig -->", "<!-- onegig:default")


@pytest.mark.parametrize("line", [*NO_MARKERS, f"{MARKER} more", *(q + MARKER for q in QUOTED)])
def test_what_is_no_marker(client: Client, state: State, pull: int, line: str) -> None:
    state.comment(pull, f"{line}\nGO\n")
    assert write(client, pull) == "created"


def test_a_marker_is_found_again(client: Client, state: State, pull: int) -> None:
    assert write(client, pull, key="a.b-c_d") == "created"
    assert write(client, pull, "WARN\n", key="a.b-c_d") == "updated"
    assert bodies(state) == [f"{marker('a.b-c_d')}\nWARN\n"]


@pytest.mark.parametrize("key", ["", "a b", "-->", "a\n", "ü", "x" * 61])
def test_keys_that_would_not_be_found_again(key: str) -> None:
    with pytest.raises(ConfigError, match="not a valid key"):
        check_key(key)


BOT = "github-actions[bot]"
GO = decision.Status(
    state=StatusState.SUCCESS, description="#7 into main: GO", url="https://x.org/1"
)


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
    assert [status.state for status in state.statuses] == ["success", "failure", "success"]


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
