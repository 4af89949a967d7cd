"""The client against a GitHub that is well: reads, pages, downloads, writes, asked once."""

import re
from pathlib import Path

import pytest

from github.fixtures import CountingClock, MakeClient
from github.stand_in import StandIn
from onegig import __version__
from onegig.errors import ConfigError, ExitCode, GithubError
from onegig.github import client as client_module
from onegig.github.client import Client, SystemClock, is_lasting
from onegig.github.transport import Request


def test_get_reads_the_repository_and_what_is_below(client: Client, stand_in: StandIn) -> None:
    pull = stand_in.state.pull(title="Smaller images")
    assert client.get("")["full_name"] == stand_in.state.repository
    assert client.get(f"pulls/{pull.number}")["title"] == "Smaller images"
    assert [item["number"] for item in client.get("pulls", state="open")] == [pull.number]


def test_requests_say_who_asks_and_what_they_understand(client: Client, stand_in: StandIn) -> None:
    client.get("")
    headers = stand_in.log[-1].headers
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["user-agent"] == f"onegig/{__version__}"
    assert headers["authorization"] == f"Bearer {stand_in.state.token}"


def test_without_a_token_nothing_is_sent_in_its_place(
    stand_in: StandIn, make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    make_client(token="").get("")
    assert "authorization" not in stand_in.log[-1].headers


def test_unchanged_answers_are_not_sent_again(client: Client, stand_in: StandIn) -> None:
    pull = stand_in.state.pull(title="Before")
    first = client.get(f"pulls/{pull.number}")
    first["title"] = "changed by its reader"
    assert client.get(f"pulls/{pull.number}")["title"] == "Before"
    assert "if-none-match" in stand_in.log[-1].headers
    pull.title = "After"
    assert client.get(f"pulls/{pull.number}")["title"] == "After"
    assert client.get(f"pulls/{pull.number}")["title"] == "After"


def test_long_answers_are_not_kept(client: Client, stand_in: StandIn) -> None:
    pull = stand_in.state.pull()
    for _ in range(20):
        stand_in.state.comment(pull.number, "x" * 60_000)
    for _ in range(2):
        assert len(client.get(f"issues/{pull.number}/comments")) == 20
    assert "if-none-match" not in stand_in.log[-1].headers


def test_parameters_are_part_of_what_is_remembered(client: Client, stand_in: StandIn) -> None:
    stand_in.state.pull(state="closed")
    assert len(client.get("pulls", state="closed")) == 1
    assert client.get("pulls", state="open") == []


def test_pages_go_through_all_of_them(client: Client, stand_in: StandIn) -> None:
    pull = stand_in.state.pull()
    for number in range(250):
        stand_in.state.comment(pull.number, str(number))
    path = f"issues/{pull.number}/comments"
    assert [page["body"] for page in client.pages(path)] == [str(item) for item in range(250)]
    assert len(stand_in.log) == 3
    assert stand_in.log[1].path.startswith("/repositories/")  # as GitHub's links do
    assert len(list(client.pages(path))) == 250  # also when nothing has changed


def test_pages_stop_where_they_were_told_to(client: Client, stand_in: StandIn) -> None:
    pull = stand_in.state.pull()
    for number in range(30):
        stand_in.state.comment(pull.number, str(number))
    result = client.pages(f"issues/{pull.number}/comments", most=15, per_page=10)
    assert [item["body"] for item in result] == [str(each) for each in range(15)]
    assert len(stand_in.log) == 2


def test_pages_of_a_list_inside_an_object(client: Client, stand_in: StandIn) -> None:
    run = stand_in.state.run(stand_in.state.pull())
    for number in range(3):
        stand_in.state.artifact(run, f"shard-{number}", b"PK")
    result = client.pages(f"actions/runs/{run.id}/artifacts", key="artifacts", per_page=2)
    assert [item["name"] for item in result] == ["shard-0", "shard-1", "shard-2"]


@pytest.mark.parametrize("key", ["", "artefacts"])
def test_pages_of_something_else_are_an_error(client: Client, stand_in: StandIn, key: str) -> None:
    run = stand_in.state.run(stand_in.state.pull())
    with pytest.raises(GithubError, match="no list") as caught:
        list(client.pages(f"actions/runs/{run.id}/artifacts", key=key))
    assert caught.value.command == f"GET /repos/octo/stack/actions/runs/{run.id}/artifacts"


def test_download_follows_to_the_storage_without_the_token(
    client: Client, stand_in: StandIn
) -> None:
    artifact = stand_in.state.any_artifact(b"PK" * 50_000)
    path = f"actions/artifacts/{artifact.id}/zip"
    assert client.download(path, most_bytes=100_000) == b"PK" * 50_000
    assert len(stand_in.storage_log) == 1
    assert "authorization" not in stand_in.storage_log[0].headers


def test_download_of_a_file_as_it_is(client: Client, stand_in: StandIn) -> None:
    text = "version: 1 # für alle\n"
    sha = stand_in.state.commit({"budgets.yml": text}, branch="main")
    raw = "application/vnd.github.raw+json"
    result = client.download("contents/budgets.yml", accept=raw, most_bytes=100, ref=sha)
    assert result == text.encode()


def test_download_stops_at_its_limit(client: Client, stand_in: StandIn) -> None:
    artifact = stand_in.state.any_artifact(bytes(200_000))
    with pytest.raises(GithubError, match="larger than 100,000 bytes"):
        client.download(f"actions/artifacts/{artifact.id}/zip", most_bytes=100_000)
    assert len(stand_in.storage_log) == 1


def test_json_is_bounded_too(client: Client, stand_in: StandIn) -> None:
    stand_in.fail("GET", status=200, body={"long": "x" * 20_000_000})
    with pytest.raises(GithubError, match="larger than 20,000,000 bytes"):
        client.get("")


def test_writes_answer_with_what_became_of_them(client: Client, stand_in: StandIn) -> None:
    pull = stand_in.state.pull()
    created = client.send("POST", f"issues/{pull.number}/comments", {"body": "GO"})
    client.send("PATCH", f"issues/comments/{created['id']}", {"body": "NO-GO"})
    assert stand_in.state.comments[created["id"]].body == "NO-GO"
    assert client.send("DELETE", f"issues/comments/{created['id']}") is None
    assert stand_in.state.comments == {}


def test_writes_are_a_second_apart(client: Client, stand_in: StandIn, clock: CountingClock) -> None:
    pull = stand_in.state.pull()
    for text in ("one", "two", "three"):
        client.get("pulls")
        client.send("POST", f"issues/{pull.number}/comments", {"body": text})
    assert clock.slept == [1.0, 1.0]
    clock.sleep(0.75)
    client.send("POST", f"issues/{pull.number}/comments", {"body": "four"})
    assert clock.slept[3:] == [0.25]


def test_a_renamed_repository_is_still_read(client: Client, stand_in: StandIn) -> None:
    moved = f"{stand_in.url}/repos/octo/stack/pulls?state=closed"
    stand_in.fail("GET", "pulls", status=301, headers={"Location": moved})
    stand_in.state.pull(state="closed")
    assert len(client.get("pulls")) == 1


def test_a_write_does_not_follow(client: Client, stand_in: StandIn) -> None:
    stand_in.fail("POST", status=307, headers={"Location": f"{stand_in.url}/repos/octo/stack"})
    with pytest.raises(GithubError, match="307") as caught:
        client.send("POST", "issues/7/comments", {"body": "GO"})
    assert "renamed or moved" in caught.value.advice
    assert len(stand_in.log) == 1


@pytest.mark.parametrize("path", ["../../user", "pulls/%2e%2e/x", "pulls?state=all", "a b", "a#b"])
def test_paths_stay_below_the_repository(client: Client, stand_in: StandIn, path: str) -> None:
    with pytest.raises(ValueError, match=re.escape(path)):
        client.get(path)
    assert stand_in.log == []


@pytest.mark.parametrize("name", ["stack", "octo/stack/pulls", "octo/..", "../octo", "o/s?x=", ""])
def test_repository_is_an_owner_and_a_name(make_client: MakeClient, name: str) -> None:
    with pytest.raises(ConfigError, match="not a repository"):
        make_client(repository=name)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.github.com",
        "ftp://api.github.com",
        "api.github.com",
        "",
        "https://",
        "https://[::1",
        "https://me:word@api.github.com",
        "https://api.github.com?x=1",
    ],
)
def test_the_token_goes_nowhere_unsafe(make_client: MakeClient, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_client(api_url=url)
    assert caught.value.exit_code == ExitCode.CONFIG
    assert "word" not in str(caught.value)


def test_own_server_of_a_company_may_have_a_path(make_client: MakeClient) -> None:
    client = make_client(api_url="https://git.example/api/v3/")
    assert repr(client) == "Client('octo/stack', Transport('https://git.example/api/v3'))"


def test_system_clock_passes() -> None:
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() > before > 1_700_000_000


SHA, OTHER = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("path", "parameters", "lasts"),
    [
        (f"git/trees/{SHA}", {"recursive": "1"}, True),
        (f"git/blobs/{SHA}", {}, True),
        (f"commits/{SHA}", {}, True),
        (f"compare/{SHA}...{OTHER}", {}, True),
        ("contents/budgets.yml", {"ref": SHA}, True),
        ("commits", {"sha": SHA}, True),
        (f"commits?sha={SHA}&page=2", {}, True),
        ("actions/artifacts/12/zip", {}, True),
        (f"commits/{SHA}/statuses", {}, False),
        (f"commits/{SHA}/pulls", {}, False),
        ("commits/main", {}, False),
        (f"compare/main...{SHA}", {}, False),
        (f"git/trees/{SHA[:12]}", {}, False),
        ("contents/budgets.yml", {"ref": "main"}, False),
        ("contents/budgets.yml", {}, False),
        ("commits", {"sha": f"{SHA}/x"}, False),
        ("pulls/7", {"ref": SHA}, False),
        ("actions/runs/12/artifacts", {}, False),
    ],
)
def test_what_lasts(path: str, parameters: dict[str, str], *, lasts: bool) -> None:
    request = Request(method="GET", path=f"/repos/octo/stack/{path}", parameters=parameters)
    assert is_lasting(request) is lasts


def test_a_commit_is_asked_for_once(stand_in: StandIn, client: Client) -> None:
    sha = stand_in.state.commit(branch="main")
    answers = [client.get(f"commits/{sha}") for _ in range(3)]
    assert answers[0] == answers[2]
    assert len(stand_in.log) == 1


def test_a_branch_is_asked_for_once_in_each_look(stand_in: StandIn, client: Client) -> None:
    tips = []
    for _ in range(2):
        created = stand_in.state.commit(branch="main")
        with client.look():
            tips += [client.get("branches/main")["commit"]["sha"] for _ in range(2)]
        assert tips[-2:] == [created, created]
    assert client.get("branches/main")["commit"]["sha"] == tips[-1]
    assert len(stand_in.log) == 3


def test_what_is_not_there_may_be_there_in_the_next_look(stand_in: StandIn, client: Client) -> None:
    stand_in.state.commit(branch="main")
    with client.look():
        for _ in range(2):
            with pytest.raises(GithubError):
                client.get("branches/later")
    assert len(stand_in.log) == 1
    stand_in.state.commit(branch="later")
    assert client.get("branches/later")["name"] == "later"


def test_what_is_kept_has_bounds(
    stand_in: StandIn, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (stand_in.state.commit(branch="main", message=item) for item in "ab")
    monkeypatch.setattr(client_module, "MOST_BYTES", 1)
    for sha in (first, second, first):
        assert client.get(f"commits/{sha}")["sha"] == sha
    assert len(stand_in.log) == 3
