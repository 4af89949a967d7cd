"""The stand-in is worth its trust: what does not fit GitHub's description does not pass."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from github.description import IS_THERE, REASON, Answered, Asked
from github.stand_in import StandIn, description
from github.state import Pull, State, state_from_json, state_to_json

pytestmark = pytest.mark.skipif(not IS_THERE, reason=REASON)
SHA = "0" * 40
TESTS = Path(__file__).parents[2]


@pytest.fixture
def github() -> Iterator[StandIn]:
    with StandIn() as one:
        yield one


@pytest.fixture
def pull(github: StandIn) -> Pull:
    return github.state.pull()


@pytest.mark.parametrize(
    ("method", "path", "body", "problem"),
    [
        ("POST", "issues/7/comments", {"text": "hi"}, "'body' is a required property"),
        ("POST", "issues/7/comments", {"body": 3}, "3 is not of type"),
        ("POST", "issues/7/comments", None, "required"),
        ("POST", "issues/7/comments", {"body": "hi", "boddy": ""}, "unknown keys: boddy"),
        ("POST", "issues/seven/comments", {"body": "hi"}, "seven"),
        ("GET", "issues/7/comments?per_page=many", None, "many"),
        ("GET", "issues/7/comments?marker=x", None, "unknown parameters: marker"),
        ("GET", "nope", None, "no such operation"),
        ("PUT", "issues/7/comments", {"body": "hi"}, "no such operation"),
        ("POST", f"statuses/{SHA}", {"state": "go"}, "'go' is not one of"),
    ],
)
def test_wrong_requests_are_violations(
    github: StandIn, pull: Pull, method: str, path: str, body: object, problem: str
) -> None:
    url = f"{github.url}/repos/{github.state.repository}/{path}"
    headers = {"Authorization": f"Bearer {github.state.token}"}
    answer = requests.request(method, url, json=body, headers=headers, timeout=10)
    assert answer.status_code == 500
    assert len(github.violations) == 1
    assert problem in github.violations[0]


def test_right_request_is_none(github: StandIn, pull: Pull) -> None:
    url = f"{github.url}/repos/{github.state.repository}/issues/{pull.number}/comments"
    headers = {"Authorization": f"Bearer {github.state.token}"}
    answer = requests.post(url, json={"body": "hi"}, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["body"]) == (201, "hi")
    assert github.violations == []


def test_body_without_its_type_is_a_violation(github: StandIn, pull: Pull) -> None:
    url = f"{github.url}/repos/{github.state.repository}/issues/{pull.number}/comments"
    requests.post(url, data=b'{"body": "hi"}', timeout=10)
    assert "Content-Type" in github.violations[0]


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (200, b'{"id": "not a number"}', "not a number"),
        (200, b"[]", "is not of type"),
        (200, b"no JSON", "no JSON"),
        (218, b"{}", "218"),
    ],
)
def test_wrong_answers_are_caught(status: int, body: bytes, problem: str) -> None:
    operation = ("get", "/repos/{owner}/{repo}/issues/comments/{comment_id}")
    values = {"owner": "octo", "repo": "stack", "comment_id": "1"}
    asked = Asked(operation, values, (), {}, b"")
    result = description().response_problem(asked, Answered(status, {}, body))
    assert problem in result


def test_wrong_answer_of_its_own_is_a_violation(github: StandIn, pull: Pull) -> None:
    github.state.comment(pull.number, 7)  # type: ignore[arg-type] - no text
    url = f"{github.url}/repos/{github.state.repository}/issues/{pull.number}/comments"
    assert requests.get(url, timeout=10).status_code == 500
    assert "7 is not of type" in github.violations[0]


def test_state_survives_its_file(github: StandIn, pull: Pull) -> None:
    run = github.state.run(pull)
    github.state.artifact(run, "onegig-numbers", b"PK\x03\x04\xff")
    assert state_from_json(state_to_json(github.state)) == github.state


def test_program_takes_and_tells_state_and_faults(github: StandIn, pull: Pull) -> None:
    control = f"{github.url}/_stand_in"
    state = requests.get(f"{control}/state", timeout=10).json()
    state["pulls"]["7"]["title"] = "Another title"
    requests.put(f"{control}/state", json=state, timeout=10)
    requests.post(f"{control}/faults", json={"path": "pulls/7", "status": 503}, timeout=10)
    url = f"{github.url}/repos/{github.state.repository}/pulls/7"
    assert requests.get(url, timeout=10).status_code == 503
    assert requests.get(url, timeout=10).json()["title"] == "Another title"
    assert requests.get(f"{control}/violations", timeout=10).json() == []
    log = requests.get(f"{control}/log", timeout=10).json()
    assert [item["request"] for item in log] == ["GET /repos/octo/stack/pulls/7"] * 2


def test_program_prints_its_address_and_begins_with_a_state(tmp_path: Path) -> None:
    state = State()
    state.pull(title="Out of the file")
    (tmp_path / "state.json").write_bytes(state_to_json(state))
    argv = [sys.executable, "-m", "github.stand_in", "--state", str(tmp_path / "state.json")]
    with subprocess.Popen(argv, cwd=TESTS, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        url = program.stdout.readline().strip()
        pulls = requests.get(f"{url}/repos/{state.repository}/pulls", timeout=10).json()
        program.terminate()
    assert [item["title"] for item in pulls] == ["Out of the file"]
    assert program.returncode == 0
