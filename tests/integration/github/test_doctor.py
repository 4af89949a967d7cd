"""`onegig doctor` against repositories that are well or not, and the actions it sees."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from examples import COMMIT, EXAMPLES, filled_in
from github.stand_in import StandIn
from github.state import State
from histories import entry
from onegig.cli import main
from onegig.github.doctor.checkout import OF_BUILDER
from onegig.github.history import Record, write_files

ROOT = Path(__file__).parents[3]
GATE, COMMENT = ".github/workflows/gate.yml", ".github/workflows/comment.yml"
BUDGETS = "version: 1\nmemory: {limit: 1024MB}\n"
CHECKS = "required_status_checks"

Run = Callable[..., Result]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own workflows and the actions they use, beside a budgets file."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    (tmp_path / "budgets.yml").write_text(BUDGETS)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def well(stand_in: StandIn, checkout: Path) -> State:
    """A repository where everything is as it should be."""
    state = stand_in.state
    state.commit(_files(checkout), branch="main")
    record = Record().with_entry(entry(1)).with_entry(entry(2))
    data = write_files(record, "https://github.com/octo/stack", "onegig-data")
    state.branches["onegig-data"] = state.commit(data, message="numbers")
    state.rules["main"] = [_required("onegig", 15368)]
    return state


@pytest.fixture
def run(stand_in: StandIn) -> Run:
    def call(*options: str, token: str | None = None, **environment: str) -> Result:
        given = {
            "GITHUB_API_URL": stand_in.url,
            "GITHUB_TOKEN": stand_in.state.token if token is None else token,
            **environment,
        }
        arguments = ["doctor", "--repository", stand_in.state.repository, *options]
        return CliRunner().invoke(main, arguments, env=given, catch_exceptions=False)

    return call


def test_well(well: State, run: Run, golden: Callable[[str, str], None]) -> None:
    result = run()
    golden("doctor/well.txt", result.stdout)
    assert result.exit_code == 0


def test_unwell(
    stand_in: StandIn, checkout: Path, run: Run, golden: Callable[[str, str], None]
) -> None:
    """Everything that can be wrong at once."""
    state = stand_in.state
    (checkout / GATE).write_text(
        "name: checks\n"
        "on:\n"
        "  pull_request:\n"
        "    paths: [services/**]\n"
        "  pull_request_target:\n"
        "jobs:\n"
        "  gate:\n"
        "    needs: build\n"
        "    permissions: write-all\n"
        "    steps:\n"
        "      - run: scripts/check --github\n"
        "      - uses: actions/upload-artifact@v4\n"
        "        with: {name: onegig-numbers}\n"
        "      - uses: somebody/action@v1\n"
    )
    (checkout / COMMENT).write_text(
        "name: comment\n"
        "on:\n"
        "  workflow_run:\n"
        "    workflows: [gate]\n"
        "    types: [completed]\n"
        "jobs:\n"
        "  tell:\n"
        "    if: github.event.workflow_run.conclusion == 'success'\n"
        "    permissions: {contents: read, pull-requests: read}\n"
        "    steps:\n"
        "      - uses: actions/checkout@v4\n"
        "        with: {ref: '${{ github.event.workflow_run.head_sha }}'}\n"
        "      - run: onegig comment\n"
    )
    (checkout / "budgets.yml").write_text("version: 1\nmemory: {limit: 1024}\n")
    state.commit({GATE: "name: gate\n"}, branch="main")
    state.branches["onegig-data"] = state.commit({"README.md": "mine"}, message="Something else")
    state.required_checks["main"] = ("checks / gate", "lint", "onegig")
    state.rules["main"] = [_required("gaet", None), _required("gate", 7), {"type": "merge_queue"}]
    state.rules["onegig-data"] = [{"type": "creation"}, {"type": "non_fast_forward"}]
    state.actions.default_permissions = "write"
    state.actions.allowed = "selected"
    state.actions.disabled_workflows = (GATE,)
    result = run()
    golden("doctor/unwell.txt", result.stdout)
    assert result.exit_code == 2


def test_first_use(
    stand_in: StandIn, checkout: Path, run: Run, golden: Callable[[str, str], None]
) -> None:
    """The workflows lie in a branch, and nothing is set up yet."""
    stand_in.state.private = True
    stand_in.state.commit({"README.md": "A stack"}, branch="main")
    result = run()
    golden("doctor/first-use.txt", result.stdout)
    assert result.exit_code == 2


def test_what_the_token_may_not_see_is_never_said_to_be_well(
    well: State, run: Run, golden: Callable[[str, str], None]
) -> None:
    well.permissions = {}
    result = run()
    golden("doctor/blind.txt", result.stdout)
    assert result.exit_code == 0


def test_offline(checkout: Path, run: Run, golden: Callable[[str, str], None]) -> None:
    result = run("--offline")
    golden("doctor/offline.txt", result.stdout)
    assert result.exit_code == 0


def test_examples_as_they_were_copied(
    checkout: Path, run: Run, golden: Callable[[str, str], None]
) -> None:
    for name, path in EXAMPLES.items():
        (checkout / GATE).with_name(name).write_text(path.read_text())
    result = run("--offline")
    golden("doctor/examples.txt", result.stdout)
    assert result.exit_code == 2


def test_examples_that_are_filled_in_are_well(
    checkout: Path, run: Run, golden: Callable[[str, str], None]
) -> None:
    for name in EXAMPLES:
        (checkout / GATE).with_name(name).write_text(filled_in(name))
    result = run("--offline")
    golden("doctor/offline.txt", result.stdout)  # as with onegig's own
    assert result.exit_code == 0


def test_without_a_token_what_everybody_sees(well: State, run: Run) -> None:
    result = run(token="")
    assert "GITHUB_TOKEN=$(gh auth token)" in result.stdout.splitlines()[0]
    assert "octo/stack is public" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (401, "Bad credentials")])
def test_repository_that_cannot_be_read(
    stand_in: StandIn, checkout: Path, run: Run, status: int, reason: str
) -> None:
    stand_in.fail(status=status, body={"message": reason})
    result = run()
    assert f"GitHub answered {status}: {reason}" in result.stdout
    assert result.exit_code == 4
    assert len(stand_in.log) == 1


def test_what_is_wrong_here_counts_more_than_what_cannot_be_seen(
    stand_in: StandIn, checkout: Path, run: Run
) -> None:
    (checkout / COMMENT).unlink()
    stand_in.fail(status=404, body={"message": "Not Found"})
    assert run().exit_code == 2


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/octo/stack.git",
        "https://me:word@github.com/octo/stack",
        "git@github.com:octo/stack.git",
        "ssh://git@github.com/octo/stack",
    ],
)
def test_repository_is_that_of_the_checkout(
    stand_in: StandIn, well: State, checkout: Path, monkeypatch: pytest.MonkeyPatch, remote: str
) -> None:
    _clone(checkout, remote)
    environment = {"GITHUB_API_URL": stand_in.url, "GH_TOKEN": stand_in.state.token}
    result = CliRunner().invoke(main, ["doctor"], env=environment, catch_exceptions=False)
    assert result.stdout.startswith("onegig doctor: octo/stack\n")
    assert result.exit_code == 0


@pytest.mark.parametrize("remote", ["https://git.example/octo/stack", "", "https://github.com/a"])
def test_the_token_is_not_sent_where_the_remote_says(
    stand_in: StandIn, checkout: Path, remote: str
) -> None:
    _clone(checkout, remote)
    environment = {"GITHUB_API_URL": stand_in.url, "GH_TOKEN": stand_in.state.token}
    result = CliRunner().invoke(main, ["doctor"], env=environment, catch_exceptions=False)
    assert "the repository is not known: set --repository owner/name" in result.stdout
    assert result.exit_code == 4
    assert stand_in.log == []


def test_names_from_outside_are_harmless(well: State, checkout: Path, run: Run) -> None:
    well.rules["main"].append(_required("evil\n::error::x\x1b[31m", None))
    output = run().stdout
    assert "\x1b" not in output
    assert not any(line.lstrip().startswith("::") for line in output.splitlines())


def _required(name: str, app: int | None) -> dict[str, Any]:
    check = {"context": name} if app is None else {"context": name, "integration_id": app}
    return {
        "type": CHECKS,
        "parameters": {CHECKS: [check], "strict_required_status_checks_policy": False},
    }


def _files(checkout: Path) -> dict[str, str]:
    result = (path for path in checkout.rglob("*.yml"))
    return {path.relative_to(checkout).as_posix(): path.read_text() for path in result}


def _clone(checkout: Path, remote: str) -> None:
    """As much of a clone as names where it comes from."""
    git = checkout / ".git"
    for folder in ("objects", "refs"):
        (git / folder).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    url = f'[remote "origin"]\n\turl = {remote}\n' if remote else ""
    (git / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n{url}")


BUILDER = ".github/actions/builder"
STEPS = "runs:\n  using: composite\n  steps:\n"
Doctor = Callable[..., str]


@pytest.fixture
def doctor(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """What it says of the examples, filled in, with another gate or more files."""
    monkeypatch.chdir(tmp_path)
    state = stand_in.state

    def call(gate: str = "", files: Mapping[str, str] | None = None) -> str:
        texts = {f".github/workflows/{name}": filled_in(name) for name in EXAMPLES}
        texts |= {"budgets.yml": "version: 1\n", **(files or {})}
        texts[GATE] = gate or texts[GATE]
        for path, text in texts.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        state.commit(texts, branch="main")
        environment = {"GITHUB_API_URL": stand_in.url, "GITHUB_TOKEN": state.token}
        arguments = ["doctor", "--repository", state.repository]
        return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False).stdout

    return call


def gate_with(uses: str) -> str:
    """The gate with another action instead of onegig's builder."""
    builder = f"octo/onegig/{BUILDER}@{COMMIT}"
    assert builder in filled_in("gate.yml")
    return filled_in("gate.yml").replace(builder, uses)


def test_what_is_inside_of_onegigs_own_builder_is_known() -> None:
    action = yaml.safe_load((ROOT / BUILDER / "action.yml").read_text())
    used = {step["uses"].partition("@")[0] for step in action["runs"]["steps"]}
    assert used == set(OF_BUILDER)


@pytest.mark.parametrize("pattern", ["", "docker/*", "docker/setup-buildx-action@v4*", "docker/b*"])
def test_a_repository_must_allow_what_is_inside_of_the_builder(
    stand_in: StandIn, doctor: Doctor, pattern: str
) -> None:
    stand_in.state.actions.allowed = "selected"
    stand_in.state.actions.selected["patterns_allowed"] = [pattern]
    refused = (
        "✗ the repository does not allow these actions: docker/setup-buildx-action "
        f"(inside of octo/onegig/{BUILDER}@{COMMIT})\n"
    )
    result = doctor()
    assert (refused in result) == (pattern in ("", "docker/b*"))
    assert ("docker/setup-buildx-action@*\n" in result) == (refused in result)


@pytest.mark.parametrize("name", ["action.yml", "action.yaml"])
def test_actions_of_the_checkout_are_looked_into_however_deep(
    stand_in: StandIn, doctor: Doctor, name: str
) -> None:
    stand_in.state.actions.allowed = "selected"
    files = {
        f"{BUILDER}/{name}": f"{STEPS}    - uses: ./tools/deep\n    - run: echo\n",
        f"tools/deep/{name}": f"{STEPS}    - uses: a/b@v1\n    - uses: $/{BUILDER}\n",
    }
    result = doctor(gate_with(f"$/{BUILDER}"), files)
    assert "does not allow these actions: a/b@v1 (inside of tools/deep)\n" in result


@pytest.mark.parametrize(
    ("uses", "text", "finding"),
    [
        (f"$/{BUILDER}", "", f"✗ {GATE} uses .*: there is no {BUILDER}/action.yml here"),
        (f"./{BUILDER}", "", f"! {GATE} uses .*: there is no {BUILDER}/action.yml here"),
        ("./../../etc", "", f"! {GATE} uses ./../../etc: there is no "),
        (f"$/{BUILDER}", "runs: 3", f"✗ .* {BUILDER}/action.yml is not an action: it has no runs"),
        (f"$/{BUILDER}", "runs: [", f"✗ .* uses .*: {BUILDER}/action.yml:1:8: "),
    ],
)
def test_an_action_that_is_not_there_or_none(
    doctor: Doctor, uses: str, text: str, finding: str
) -> None:
    files = {f"{BUILDER}/action.yml": text} if text else {}
    assert re.search(finding, doctor(gate_with(uses), files))


@pytest.mark.parametrize("runs", ["node24, main: x.js", "composite, steps: [3, {uses: 7}, {}]"])
def test_whatever_an_action_does_it_is_there(doctor: Doctor, runs: str) -> None:
    result = doctor(
        gate_with(f"$/{BUILDER}"), {f"{BUILDER}/action.yml": f"runs: {{using: {runs}}}"}
    )
    assert "✗" not in result
    assert BUILDER not in result
