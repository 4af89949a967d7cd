"""The client against a GitHub that is busy or unwell: what it waits for, and what it leaves."""

from email.utils import formatdate
from typing import Any

import pytest

from github.fixtures import START, CountingClock, MakeClient
from github.stand_in import StandIn
from onegig.errors import ExitCode, GithubError, GithubPermissionError
from onegig.github.client import Client

LIMITED = {"message": "API rate limit exceeded for installation ID 1."}
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
FORBIDDEN = {"message": "Resource not accessible by integration"}
SPENT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{START + 300:.0f}"}


def retry_after(text: str) -> dict[str, str]:
    return {"Retry-After": text}


@pytest.mark.parametrize(
    ("fault", "slept"),
    [
        ({"status": 403, "body": SECONDARY, "headers": retry_after("42")}, [42]),
        ({"status": 429, "body": SECONDARY, "headers": retry_after("42")}, [42]),
        ({"status": 503, "headers": retry_after(formatdate(START + 30, usegmt=True))}, [30]),
        ({"status": 403, "body": LIMITED, "headers": SPENT}, [301]),
        ({"status": 403, "body": SECONDARY, "times": 3}, [63, 126, 252]),
        ({"status": 403, "body": SECONDARY, "headers": retry_after("soon")}, [63]),
        ({"status": 403, "body": SECONDARY, "headers": retry_after("-5")}, [63]),
        *(({"status": status, "times": 4}, [1, 2, 4, 8]) for status in (0, 500, 502, 503, 504)),
    ],
)
def test_reads_wait_as_long_as_github_asks(
    client: Client, stand_in: StandIn, clock: CountingClock, fault: Any, slept: list[float]
) -> None:
    stand_in.fail(**fault)
    assert client.get("")["name"] == "stack"
    assert clock.slept == slept


def test_limits_are_waited_for_by_posts_as_well(
    client: Client, stand_in: StandIn, clock: CountingClock
) -> None:
    pull = stand_in.state.pull()
    stand_in.fail("POST", status=429, body=SECONDARY, headers=retry_after("7"))
    client.send("POST", f"issues/{pull.number}/comments", {"body": "GO"})
    assert len(stand_in.state.comments) == 1
    assert clock.slept == [7]


def test_waiting_has_an_end(client: Client, stand_in: StandIn, clock: CountingClock) -> None:
    stand_in.fail(status=403, times=9, body=SECONDARY)
    with pytest.raises(GithubError, match="secondary rate limit") as caught:
        client.get("")
    assert sum(clock.slept) <= 900
    assert "all waits together may be 900 s" in caught.value.message
    assert caught.value.exit_code == ExitCode.INCOMPLETE


def test_all_waits_of_a_client_count(
    client: Client, stand_in: StandIn, clock: CountingClock
) -> None:
    stand_in.fail(status=429, headers=retry_after("500"))
    client.get("")
    stand_in.fail(status=429, headers=retry_after("500"))
    with pytest.raises(GithubError):
        client.get("pulls")
    assert clock.slept == [500]


def test_an_hour_is_not_waited_for(client: Client, stand_in: StandIn, clock: CountingClock) -> None:
    reset = {**SPENT, "x-ratelimit-reset": str(int(clock.now()) + 3600)}
    stand_in.fail(status=403, body=LIMITED, headers=reset)
    with pytest.raises(GithubError, match=r"3,601 s to wait"):
        client.get("")
    assert clock.slept == []


def test_endless_zero_seconds_have_an_end(client: Client, stand_in: StandIn) -> None:
    stand_in.fail(status=429, times=99, headers=retry_after("0"))
    with pytest.raises(GithubError, match="6 times"):
        client.get("")
    assert len(stand_in.log) == 6


@pytest.mark.parametrize("status", [0, 502])
def test_reads_are_given_up_at_last(
    client: Client, stand_in: StandIn, clock: CountingClock, status: int
) -> None:
    stand_in.fail(status=status, times=99)
    with pytest.raises(GithubError, match="6 times") as caught:
        client.get("pulls")
    assert caught.value.status == status
    assert caught.value.command == "GET /repos/octo/stack/pulls"
    assert "githubstatus.com" in caught.value.advice
    assert clock.slept == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_jitter_spreads_the_attempts(
    stand_in: StandIn, clock: CountingClock, make_client: MakeClient, jitter: float
) -> None:
    stand_in.fail(status=502, times=2)
    make_client(jitter=lambda: jitter).get("")
    assert clock.slept == [1 * (0.5 + jitter), 2 * (0.5 + jitter)]


def test_waits_are_told(stand_in: StandIn, make_client: MakeClient) -> None:
    stand_in.fail(status=429, body=SECONDARY, headers=retry_after("42"))
    text: list[str] = []
    make_client(report=text.append).get("")
    assert text == [f"GitHub answered 429: {SECONDARY['message']}; asking again in 42 s"]


def test_an_answer_that_breaks_off_is_asked_for_again(
    client: Client, stand_in: StandIn, clock: CountingClock
) -> None:
    artifact = stand_in.state.any_artifact(b"PK" * 1000)
    stand_in.fail("GET", "/storage", cut=10)
    assert client.download(f"actions/artifacts/{artifact.id}/zip", most_bytes=9999) == b"PK" * 1000
    assert clock.slept == [1]


@pytest.mark.parametrize("status", [0, 500, 502])
@pytest.mark.parametrize("applied", [False, True])
def test_a_post_that_may_have_arrived_is_not_sent_twice(
    client: Client, stand_in: StandIn, clock: CountingClock, status: int, applied: bool
) -> None:
    pull = stand_in.state.pull()
    stand_in.fail("POST", status=status, applied=applied)
    with pytest.raises(GithubError) as caught:
        client.send("POST", f"issues/{pull.number}/comments", {"body": "GO"})
    assert caught.value.status == status
    assert "may have done it anyway; check before you try again" in caught.value.advice
    assert len(stand_in.asked("POST")) == 1
    assert len(stand_in.state.comments) == applied
    assert clock.slept == []


@pytest.mark.parametrize("applied", [False, True])
def test_a_change_is_the_same_twice(client: Client, stand_in: StandIn, applied: bool) -> None:
    comment = stand_in.state.comment(stand_in.state.pull().number, "before")
    stand_in.fail("PATCH", status=0, applied=applied)
    client.send("PATCH", f"issues/comments/{comment.id}", {"body": "after"})
    assert comment.body == "after"
    assert len(stand_in.asked("PATCH")) == 2


def test_a_post_that_never_left_is_sent_again(
    make_client: MakeClient, clock: CountingClock
) -> None:
    with StandIn() as gone:
        url = gone.url
    with pytest.raises(GithubError) as caught:
        make_client(api_url=url).send("POST", "issues/7/comments", {"body": "GO"})
    assert caught.value.message == "GitHub did not answer: no connection, 6 times"
    assert "check before" not in caught.value.advice
    assert clock.slept == [1, 2, 4, 8, 16]


def test_a_missing_permission_is_not_waited_for(
    client: Client, stand_in: StandIn, clock: CountingClock
) -> None:
    stand_in.state.permissions = {"contents": "read"}
    pull = stand_in.state.pull()
    with pytest.raises(GithubPermissionError, match="not accessible by integration") as caught:
        client.send("POST", f"issues/{pull.number}/comments", {"body": "GO"})
    assert caught.value.status == 403
    assert caught.value.exit_code == ExitCode.CONFIG
    assert "\n    permissions:\n      pull-requests: write\n" in caught.value.advice
    assert "fork" in caught.value.advice
    assert len(stand_in.log) == 1
    assert clock.slept == []


def test_also_not_by_the_last_request_of_the_hour(
    client: Client, stand_in: StandIn, clock: CountingClock
) -> None:
    stand_in.fail(status=403, body=FORBIDDEN, headers={"x-ratelimit-remaining": "0"})
    with pytest.raises(GithubPermissionError):
        client.get("pulls")
    assert clock.slept == []


@pytest.mark.parametrize(
    ("method", "path", "accepted", "needed"),
    [
        ("POST", "check-runs", "", "checks: write"),
        ("POST", "issues/7/comments", "", "pull-requests: write"),
        ("POST", f"statuses/{'0' * 40}", "", "statuses: write"),
        ("PUT", "contents/a/b", "", "contents: write"),
        ("GET", "contents/a/b", "", "contents: read"),
        ("GET", "actions/runs/7/artifacts", "", "actions: read"),
        ("GET", "pulls", "", "pull-requests: read"),
        ("GET", "commits/main/check-runs", "", "checks: read"),
        ("GET", "commits", "", "contents: read"),
        ("GET", "commits", "metadata=read", "contents: read"),
        ("POST", "issues/7/comments", "issues=write; pull_requests=write", "pull-requests: write"),
        ("PUT", "x", "contents=write,actions=read", "contents: write\n      actions: read"),
    ],
)
def test_advice_is_the_yaml_that_grants_it(
    client: Client, stand_in: StandIn, method: str, path: str, accepted: str, needed: str
) -> None:
    headers = {"x-accepted-github-permissions": accepted}
    stand_in.fail(status=403, body=FORBIDDEN, headers=headers)
    with pytest.raises(GithubPermissionError) as caught:
        client.get(path) if method == "GET" else client.send(method, path, {"any": "thing"})
    assert f"permissions:\n      {needed}\n" in caught.value.advice


def test_advice_where_no_yaml_can_grant_it(client: Client, stand_in: StandIn) -> None:
    stand_in.state.permissions = {}
    with pytest.raises(GithubPermissionError) as caught:
        client.get("actions/permissions")
    assert "no `permissions:` grant GITHUB_TOKEN administration: read" in caught.value.advice


def test_another_403_is_no_missing_permission(
    client: Client, stand_in: StandIn, clock: CountingClock
) -> None:
    pull = stand_in.state.pull(locked=True)
    with pytest.raises(GithubError, match="issue is locked") as caught:
        client.send("POST", f"issues/{pull.number}/comments", {"body": "GO"})
    assert not isinstance(caught.value, GithubPermissionError)
    assert clock.slept == []
