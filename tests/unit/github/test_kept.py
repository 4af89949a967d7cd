"""Which answers are not asked for again."""

import pytest

from github.stand_in import StandIn
from onegig.errors import GithubError
from onegig.github import client as kept
from onegig.github.client import Client, is_lasting
from onegig.github.transport import Request

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
        made = stand_in.state.commit(branch="main")
        with client.look():
            tips += [client.get("branches/main")["commit"]["sha"] for _ in range(2)]
        assert tips[-2:] == [made, made]
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
    first, second = (stand_in.state.commit(branch="main", message=one) for one in "ab")
    monkeypatch.setattr(kept, "MOST_BYTES", 1)
    for sha in (first, second, first):
        assert client.get(f"commits/{sha}")["sha"] == sha
    assert len(stand_in.log) == 3
