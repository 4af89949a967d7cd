"""Each thing that `onegig doctor` knows, one at a time."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from examples import COMMIT, OWNER, TAG, filled_in
from github.stand_in import StandIn
from github.state import CheckRun, State
from onegig.cli import main
from onegig.github.doctor import examine
from onegig.github.doctor.checkout import read_checkout
from onegig.github.doctor.findings import Mark, count
from onegig.github.history import Record, write_files
from onegig.model.measured import Skipped

ROOT = Path(__file__).parents[3]
GATE, COMMENT = ".github/workflows/gate.yml", ".github/workflows/comment.yml"
SHA = "0" * 40
ACTION = f"uses: {OWNER}/onegig@{COMMIT} # {TAG}\n"
FILES = {
    "budgets.yml": "version: 1\n",
    GATE: f"""\
name: gate
on:
  pull_request: {{types: [opened, synchronize, reopened, edited]}}
  push: {{branches: [main]}}
permissions: {{}}
jobs:
  build: {{steps: []}}
  gate:
    needs: [build]
    if: always()
    permissions: {{contents: read}}
    steps:
      - uses: actions/checkout@{SHA}
      - run: |
          scripts/check --github
      - uses: actions/upload-artifact@{SHA}
        if: ${{{{ !cancelled() }}}}
        with: {{name: onegig-numbers, path: numbers}}
""",
    COMMENT: f"""\
name: comment
run-name: "${{{{ format('confirm #{{0}} at {{1}}', inputs.pull, inputs.head) }}}}"
on:
  workflow_run: {{workflows: [gate], types: [requested, completed]}}
  workflow_dispatch: {{inputs: {{pull: {{}}, head: {{}}}}}}
permissions: {{actions: read}}
jobs:
  comment:
    permissions: {{actions: read, contents: read, pull-requests: write, statuses: write}}
    steps:
      - uses: actions/checkout@{SHA}
      - run: onegig comment
  data:
    permissions: {{actions: read, contents: write}}
    steps: [{{run: onegig publish}}]
""",
}

TYPES = " {types: [opened, synchronize, reopened, edited]}"
DATA = "{actions: read, contents: write}"
USED = f"actions/checkout@{SHA}"
HEAD = "{ref: '${{ github.head_ref }}'}"
LACKS_STATUSES = "✗ the job comment of .* lacks statuses: write"
Examine = Callable[..., str]


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """What it says of FILES after a change of one of them."""
    monkeypatch.chdir(tmp_path)

    def call(path: str = "", old: str = "", new: str = "") -> str:
        for name, text in FILES.items():
            changed = text.replace(old, new) if name == path else text
            assert changed != text or name != path
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(changed)
        arguments = ["doctor", "--offline"]
        return CliRunner().invoke(main, arguments, catch_exceptions=False).stdout

    return call


@pytest.fixture
def online(stand_in: StandIn, state: State, offline: Examine) -> Callable[[], str]:
    """What it says of FILES and the stand-in's settings."""
    offline()
    state.commit(FILES, branch="main")

    def call() -> str:
        environment = {"GITHUB_API_URL": stand_in.url, "GITHUB_TOKEN": state.token}
        arguments = ["doctor", "--repository", state.repository]
        return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False).stdout

    return call


def test_own_workflows_are_well() -> None:
    checkout = read_checkout(ROOT, GATE, COMMENT, "budgets.yml")
    sections = examine(checkout, Skipped(reason="not here"))
    assert (count(sections, Mark.MUST), count(sections, Mark.SHOULD)) == (0, 0)


def test_small_ones_are_well(offline: Examine) -> None:
    assert "must" not in offline() + "should"
    assert "✗" not in offline()
    assert "!" not in offline()


@pytest.mark.parametrize(
    ("path", "old", "new", "finding"),
    [
        (GATE, FILES[GATE], "jobs: [", "✗ .github/workflows/gate.yml is not a valid workflow"),
        (GATE, FILES[GATE], "a: 1\na: 2\n", "✗ .github/workflows/gate.yml is not a valid workflow"),
        (GATE, "pull_request:", "workflow_dispatch:", "✗ .* does not run on pull requests"),
        (GATE, "pull_request:", "pull_request: {paths-ignore: [x]} #", r"✗ .*\(`paths-ignore:`\)"),
        (GATE, "  push: {branches: [main]}\n", "", "! .* does not run on pushes to main"),
        (GATE, "pull_request:", "pull_request_target:", "✗ .* runs on pull_request_target"),
        (GATE, "if: always()", "if: success()", "✗ the job gate needs build and is skipped"),
        (GATE, "onegig-numbers", "numbers", "✗ the job gate does not upload onegig-numbers"),
        (GATE, "!cancelled()", "success()", "✗ .* only uploads onegig-numbers after a success"),
        (GATE, "{contents: read}", "{contents: write}", "✗ the job gate of .* can write contents"),
        (GATE, "{contents: read}", "write-all", "✗ the job gate of .* can write everything"),
        (GATE, "scripts/check --github", "echo", "✓ the job gate uploads"),
        (GATE, "  gate:\n", "  verdict:\n", "✓ the job verdict uploads"),
        (COMMENT, "[gate]", "[checks]", '✗ .* waits for the workflow "checks"'),
        (COMMENT, "[gate]", "[]", '✗ .* waits for the workflow "none"'),
        (GATE, ", edited", "", "! .* does not run when the base branch of a pull request changes"),
        (GATE, TYPES, "", "! .* the base branch of a pull request"),
        (COMMENT, "requested, ", "", "! .* does not run when the gate begins"),
        (COMMENT, ", completed", "", "✗ .* does not run when the gate has ended"),
        (COMMENT, "confirm #", "confirm ", "! .* nobody can confirm a fork's numbers"),
        (COMMENT, "head: {}", "sha: {}", "! .* nobody can confirm a fork's numbers"),
        (COMMENT, "workflow_run", "push", "✗ .* does not run when the gate has ended"),
        (COMMENT, "onegig comment", "echo", "✗ no job of .* runs `onegig comment`"),
        (COMMENT, "onegig publish", "echo", "! no job of .* runs `onegig publish`"),
        (COMMENT, "statuses: write", "checks: write", LACKS_STATUSES),
        (COMMENT, "contents: write", "x: write", "✗ the job data of .* lacks contents: write"),
        (COMMENT, f"    permissions: {DATA}\n", "", "✗ the job data .* lacks contents"),
        (COMMENT, DATA, "write-all", "✓ the job data of .* has actions: read, contents: write"),
        (COMMENT, USED, f"{USED}\n        with: {HEAD}", "✗ the job comment of .* checks out the"),
        ("budgets.yml", "version: 1", "versoin: 1", "✗ budgets.yml has 1 mistake"),
    ],
)
def test_files(offline: Examine, path: str, old: str, new: str, finding: str) -> None:
    assert re.search(finding, offline(path, old, new))


@pytest.mark.parametrize(
    ("uses", "finding"),
    [
        ("./", "✓ the job verdict uploads"),
        ("$/", "✓ the job verdict uploads"),
        ("some-one/Onegig@v1", "✓ the job verdict uploads"),
        (f"a/onegig@{COMMIT} # v1\n        with: {{command: check}}", "✓ the job verdict uploads"),
        ("./\n        with: {command: comment}", "✗ .* has no job that runs the gate"),
        ("./.github/actions/onegig", "✗ .* has no job that runs the gate"),
        ("a/onegig/.github/actions/builder@v1", "✗ .* has no job that runs the gate"),
        ("a/not-onegig@v1", "✗ .* has no job that runs the gate"),
        ("onegig/actions@v1", "✗ .* has no job that runs the gate"),
    ],
)
def test_a_job_that_uses_the_action_is_the_gates(offline: Examine, uses: str, finding: str) -> None:
    gate = filled_in("gate.yml").replace("  gate: # not", "  verdict: # not")
    assert re.search(finding, offline(GATE, FILES[GATE], gate.replace(ACTION, f"uses: {uses}\n")))


@pytest.mark.parametrize(
    ("path", "old", "new", "finding"),
    [
        (GATE, "name: onegig-numbers", "name: x", "✗ the job gate does not upload onegig-numbers"),
        (GATE, "!cancelled()", "success()", "✗ .* only uploads onegig-numbers after a success"),
        (GATE, "contents: read", "contents: write", "✗ the job gate of .* can write contents"),
        (COMMENT, "command: comment", "command: x", "✗ no job of .* runs `onegig comment`"),
        (COMMENT, "command: publish", "command: check", "! no job of .* runs `onegig publish`"),
        (COMMENT, "statuses: write", "checks: write", LACKS_STATUSES),
        (COMMENT, "contents: write", "x: write", "✗ the job data of .* lacks contents: write"),
    ],
)
def test_jobs_that_use_the_action_are_looked_at_as_others_are(
    offline: Examine, path: str, old: str, new: str, finding: str
) -> None:
    text = filled_in(Path(path).name)
    assert re.search(finding, offline(path, FILES[path], text.replace(old, new)))


@pytest.mark.parametrize(
    ("uses", "named"),
    [
        (f"OWNER/onegig@{SHA}", True),
        (f"OWNER/onegig@{COMMIT}", True),
        (f"octo/onegig@{SHA}", True),
        (f"octo/onegig/.github/actions/builder@{SHA}", True),
        (f"octo/onegig@{COMMIT}", False),
        (f"octo/another@{SHA}", False),
    ],
)
def test_what_is_still_to_be_filled_in(offline: Examine, uses: str, named: bool) -> None:
    result = offline(GATE, f"actions/checkout@{SHA}", uses)
    assert (f"✗ {GATE} does not say which onegig it uses: {uses}\n" in result) == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "jobs: 3\non: 7",
        "on: [push, {a: b}]\njobs: {gate: 3, 7: {steps: [a, 3, {run: {}}]}}",
        "on:\n  push: 3\n  workflow_run: {workflows: 7}\npermissions: 7",
        "jobs: {gate: {needs: {a: b}, steps: {a: b}, strategy: 3, permissions: [a]}}",
        "jobs: {a: {steps: [{run: onegig comment}, {uses: actions/checkout@v4, with: 3}]}}",
        "on: workflow_run\njobs: {a: {permissions: {checks: 7}, steps: [{run: onegig comment}]}}",
        "\x00",
        "a: &a [*a]",
    ],
)
@pytest.mark.parametrize("path", [GATE, COMMENT])
def test_whatever_a_file_holds_there_is_an_answer(offline: Examine, path: str, text: str) -> None:
    assert "✗" in offline(path, FILES[path], text)


@pytest.mark.parametrize(
    ("setting", "value", "finding"),
    [
        ("archived", True, "✗ octo/stack is archived"),
        ("actions.enabled", False, "✗ Actions are disabled"),
        ("actions.allowed", "local_only", "✗ .* does not allow"),
        (
            "actions.allowed",
            "selected",
            "✓ Actions are enabled, and the actions used here are allowed",
        ),
        (
            "actions.disabled_workflows",
            (COMMENT,),
            "✗ .github/workflows/comment.yml is disabled\n *gh workflow enable comment.yml ",
        ),
        (
            "actions.fork_approval",
            "all_external_contributors",
            "✓ first runs of people without write access wait",
        ),
        ("required_checks", (), "! main does not require the status onegig: a NO-GO can be merged"),
        ("required_checks", ("gate",), "! main requires gate, but not the status onegig: a pull"),
        (
            "required_checks",
            ("gate / gate",),
            "✗ the required check is gate / gate, as .*\n *require gate instead",
        ),
        ("required_checks", ("onegig",), "✓ main requires the status onegig, which `onegig "),
        ("required_checks", ("onegig", "gate"), "✓ main requires the status onegig, which `one"),
        ("required_checks", ("gate", "codecov"), "! the required check codecov is set by no "),
        ("rules", {"main": [{"type": "merge_queue"}]}, "✗ there is a merge queue, and .* does not"),
        (
            "rules",
            {"onegig-data": [{"type": "creation"}]},
            "✗ a ruleset forbids creating branches on onegig-data.*\n.*settings/rules/42",
        ),
    ],
)
def test_settings(
    state: State, online: Callable[[], str], setting: str, value: Any, finding: str
) -> None:
    where = state.actions if setting.startswith("actions.") else state
    value = {"main": value} if setting == "required_checks" else value
    setattr(where, setting.removeprefix("actions."), value)
    assert re.search(finding, online())


@pytest.mark.parametrize(
    ("action", "patterns", "finding"),
    [
        ("docker/setup-buildx-action@v4", [], "✗ .* does not allow .*: docker/setup-buildx-action"),
        ("docker/setup-buildx-action@v4", ["docker/*"], "the actions used here are allowed"),
        ("octo/of-their-own@v1", [], "the actions used here are allowed"),
    ],
)
def test_selected_actions(
    state: State,
    offline: Examine,
    online: Callable[[], str],
    action: str,
    patterns: list[str],
    finding: str,
) -> None:
    offline(GATE, f"actions/checkout@{SHA}", action)
    state.actions.allowed = "selected"
    state.actions.selected["patterns_allowed"] = patterns
    assert re.search(finding, online())


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        ({}, "! workflows do not run for forks"),
        ({"run_workflows_from_fork_pull_requests": True}, "✓ workflows run for forks"),
        (
            {"run_workflows_from_fork_pull_requests": True, "send_write_tokens_to_workflows": True},
            "✗ runs of forks get a token that may write",
        ),
    ],
)
def test_forks_of_a_private_repository(
    state: State, online: Callable[[], str], settings: dict[str, bool], finding: str
) -> None:
    state.private = True
    state.actions.private_forks = settings
    assert finding in online()


@pytest.mark.parametrize("name", ["legs (3.11)", "legs"])
def test_checks_of_a_matrix_are_known(
    state: State, offline: Examine, online: Callable[[], str], name: str
) -> None:
    offline(COMMENT, "  data:\n", "  legs: {strategy: {matrix: {python: [1]}}}\n  data:\n")
    state.required_checks["main"] = (name,)
    assert f"the required check {name} is set by no workflow" not in online()


def test_a_check_that_an_app_sets_is_known(state: State, online: Callable[[], str]) -> None:
    state.required_checks["main"] = ("gate", "codecov")
    state.check_runs[1] = CheckRun(id=1, head_sha=state.branches["main"], name="codecov")
    assert "codecov" not in online()


def test_a_gate_whose_name_is_chosen_is_known_by_each(
    state: State, offline: Examine, online: Callable[[], str]
) -> None:
    name = "${{ github.event.action == 'edited' && 'gate (unchanged)' || 'gate' }}"
    offline(GATE, "  gate:\n", f"  gate:\n    name: {name}\n")
    state.required_checks["main"] = ("gate",)
    assert "! main requires gate, but not the status onegig" in online()
    assert "set by no workflow" not in online()


@pytest.mark.security
def test_a_job_that_is_called_like_the_status(offline: Examine, online: Callable[[], str]) -> None:
    offline(GATE, "  build:", "  onegig:")
    assert f"! the job onegig of {GATE} has the name of the status, onegig" in online()


@pytest.mark.parametrize("condition", ["event == 'pull_request'", "x"])
def test_a_queue_whose_groups_get_no_status(
    state: State, offline: Examine, online: Callable[[], str], condition: str
) -> None:
    offline(COMMENT, "  comment:\n", f"  comment:\n    if: github.{condition}\n")
    state.rules["main"] = [{"type": "merge_queue"}]
    text = "leaves its groups without the status onegig: nothing can be merged" in online()
    assert text is ("pull_request" in condition)


@pytest.mark.parametrize("text", ["no JSON", "{}\n", '{"schema": "onegig/baseline/1"}\n'])
def test_a_history_that_cannot_be_read(state: State, online: Callable[[], str], text: str) -> None:
    files = {**write_files(Record(), "", "onegig-data"), "history.jsonl": text}
    state.branches["onegig-data"] = state.commit(files, message="numbers")
    assert re.search("✗ onegig-data cannot be used: .*(history|not an entry|line 1)", online())


def test_a_branch_that_was_seeded(state: State, online: Callable[[], str]) -> None:
    files = write_files(Record(), "", "onegig-data")
    state.branches["onegig-data"] = state.commit(files, message="numbers")
    assert "✓ onegig-data is there and waits for its first numbers" in online()
