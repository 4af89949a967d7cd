"""What the client says when it fails, where it does not go, and what it never gives away."""

import logging
import traceback

import pytest

from github.fixtures import MakeClient
from github.stand_in import StandIn
from github.state import State
from onegig.errors import ConfigError, GithubError
from onegig.github.client import Client


def test_not_found(client: Client) -> None:
    with pytest.raises(GithubError) as caught:
        client.get("pulls/9")
    error = caught.value
    assert (error.status, error.reason) == (404, "Not Found")
    assert error.message == "GitHub answered 404: Not Found"
    assert error.command == "GET /repos/octo/stack/pulls/9"
    assert "may read" in error.advice


@pytest.mark.parametrize(
    ("status", "reason", "advice"),
    [
        (401, "Bad credentials", "GITHUB_TOKEN"),
        (409, "Conflict", "run again"),
        (410, "Artifact has expired", "run the workflow again"),
    ],
)
def test_each_status_has_its_advice(
    client: Client, stand_in: StandIn, status: int, reason: str, advice: str
) -> None:
    stand_in.fail("PATCH", status=status, body={"message": reason})
    with pytest.raises(GithubError) as caught:
        client.send("PATCH", "issues/comments/1", {"body": "GO"})
    assert caught.value.message == f"GitHub answered {status}: {reason}"
    assert caught.value.status == status
    assert advice in caught.value.advice


def test_not_accepted_with_every_reason(client: Client, stand_in: StandIn) -> None:
    pull = stand_in.state.pull()
    with pytest.raises(GithubError) as caught:
        client.send("POST", f"issues/{pull.number}/comments", {"body": "x" * 65_537})
    error = caught.value
    assert error.status == 422
    assert error.reason == "Validation Failed"
    assert error.errors == ("IssueComment.data: Body is too long (maximum is 65536 characters)",)
    assert error.message == (
        "GitHub answered 422: Validation Failed; "
        "IssueComment.data: Body is too long (maximum is 65536 characters)"
    )


@pytest.mark.parametrize(
    "body", [b"<html>Please log in</html>", b'{"cut": ', b"[" * 100_000, b"\xff\xfe"]
)
def test_an_answer_that_is_not_json(client: Client, stand_in: StandIn, body: bytes) -> None:
    stand_in.fail(status=200, body=body, headers={"Content-Type": "text/html"})
    with pytest.raises(GithubError, match="not JSON but text/html") as caught:
        client.get("")
    assert caught.value.status == 200
    assert "proxy" in caught.value.advice


@pytest.mark.parametrize("body", [b"", b"Bad gateway", b"[]", b'"text"', b'{"message": 7}'])
def test_an_error_without_a_reason(client: Client, stand_in: StandIn, body: bytes) -> None:
    stand_in.fail("GET", status=418, body=body)
    with pytest.raises(GithubError, match="418: no reason given"):
        client.get("")


@pytest.mark.parametrize(
    "errors", ["Sorry", ["Sorry"], [{"message": "Sorry"}], [{"code": "Sorry"}]]
)
def test_all_forms_of_errors(client: Client, stand_in: StandIn, errors: object) -> None:
    stand_in.fail(status=422, body={"message": "No", "errors": errors})
    with pytest.raises(GithubError, match="422: No; Sorry"):
        client.get("")


def test_messages_cannot_act_on_a_log(client: Client, stand_in: StandIn) -> None:
    message = "No\n::set-output name=x::y\x1b[2J" + "!" * 10_000
    stand_in.fail(status=422, body={"message": message, "errors": [{"message": "\r::error::"}]})
    with pytest.raises(GithubError) as caught:
        client.get("")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/repos/octo/stack/pulls?page=2",
        "http://127.0.0.1:1/repos/octo/stack/pulls?page=2",
        "//evil.example/page2",
        "http://[::1",
        "{url}@evil.example/page2",
        "https://{host}/page2",
        "file:///etc/passwd",
    ],
)
def test_no_link_leads_to_another_host(client: Client, stand_in: StandIn, link: str) -> None:
    link = link.format(url=stand_in.url, host=stand_in.url.removeprefix("http://"))
    stand_in.fail("GET", status=200, body=[1, 2], headers={"Link": f'<{link}>; rel="next"'})
    result = client.pages("pulls", most=5)
    assert [next(result), next(result)] == [1, 2]
    with pytest.raises(GithubError, match="links to an address outside"):
        next(result)
    assert len(stand_in.log) == 1


def test_links_without_end_have_one(client: Client, stand_in: StandIn) -> None:
    link = f'<{stand_in.url}/repos/octo/stack/pulls?page=2>; rel="next"'
    stand_in.fail("GET", status=200, times=99, body=[], headers={"Link": link})
    with pytest.raises(GithubError, match="never ends"):
        list(client.pages("pulls", most=200))
    assert len(stand_in.log) == 14


@pytest.mark.parametrize("target", ["{storage}/1", "http://evil.example/", "//evil.example/", ""])
def test_no_redirect_takes_a_read_to_another_host(
    client: Client, stand_in: StandIn, target: str
) -> None:
    location = target.format(storage=stand_in.storage_url)
    stand_in.fail("GET", status=302, times=9, headers={"Location": location})
    with pytest.raises(GithubError, match="redirects"):
        client.get("")
    assert stand_in.storage_log == []


def test_no_redirect_takes_a_download_to_another_protocol(
    client: Client, stand_in: StandIn
) -> None:
    stand_in.fail("GET", status=302, headers={"Location": "https://127.0.0.1:1/"})
    with pytest.raises(GithubError, match="redirects to another host"):
        client.download("actions/artifacts/1/zip", most_bytes=9)


def test_redirects_without_end_have_one(client: Client, stand_in: StandIn) -> None:
    stand_in.fail("GET", status=302, times=99, headers={"Location": f"{stand_in.url}/round"})
    with pytest.raises(GithubError, match="redirects forever"):
        client.get("")
    assert len(stand_in.log) == 4


def test_a_token_that_left_does_not_come_back(client: Client, stand_in: StandIn) -> None:
    """A storage that sends us home again is not followed with the token."""
    artifact = stand_in.state.any_artifact(b"PK")
    home = {"Location": f"{stand_in.url}/repos/octo/stack"}
    stand_in.fail("GET", "/storage", status=302, headers=home)
    client.download(f"actions/artifacts/{artifact.id}/zip", most_bytes=99_999)
    assert "authorization" in stand_in.log[0].headers
    assert "authorization" not in stand_in.log[1].headers


@pytest.mark.parametrize("status", [0, 401, 403, 404, 422, 429, 500])
def test_the_token_is_in_no_error_and_no_log(
    client: Client, stand_in: StandIn, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    token = stand_in.state.token
    caplog.set_level(logging.DEBUG)
    echo = {"message": f"Bad {token}", "errors": [{"message": token, "field": token}]}
    stand_in.fail(status=status, times=99, body=echo)
    with pytest.raises(GithubError) as caught:
        client.send("PATCH", "issues/comments/1", {"body": "GO"})
    error = caught.value
    shown = "".join(traceback.format_exception(error))
    text = (error.message, error.command, error.advice, error.detail, error.reason, error.errors)
    assert token not in f"{shown}{text!r}{error!r}{client!r}{vars(client)!r}"
    assert error.__context__ is None or token not in repr(error.__context__)
    assert caplog.records
    assert token not in caplog.text


def test_the_storages_signature_is_in_no_error(client: Client, stand_in: StandIn) -> None:
    artifact = stand_in.state.any_artifact(b"PK")
    stand_in.fail("GET", "/storage", status=0, times=99)
    with pytest.raises(GithubError) as caught:
        client.download(f"actions/artifacts/{artifact.id}/zip", most_bytes=99)
    assert "ofAStandIn" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("token", ["two words", "two\nlines", "quöted", "nul\x00"])
def test_a_token_that_is_none_is_not_shown(make_client: MakeClient, token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_client(token=token)
    assert token not in f"{caught.value!r}{vars(caught.value)!r}"


def test_a_line_break_at_its_end_is_forgiven(state: State, make_client: MakeClient) -> None:
    assert make_client(token=f"{state.token}\n").get("")["name"] == "stack"
