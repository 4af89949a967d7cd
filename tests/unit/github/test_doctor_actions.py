"""Which actions `onegig doctor` sees: those of the workflows, and those inside of them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from examples import COMMIT, EXAMPLES, filled_in
from github.stand_in import StandIn
from onegig.cli import main
from onegig.github.doctor.checkout import OF_BUILDER

ROOT = Path(__file__).parents[3]
GATE = ".github/workflows/gate.yml"
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
    found = doctor()
    assert (refused in found) == (pattern in ("", "docker/b*"))
    assert ("docker/setup-buildx-action@*\n" in found) == (refused in found)


@pytest.mark.parametrize("name", ["action.yml", "action.yaml"])
def test_actions_of_the_checkout_are_looked_into_however_deep(
    stand_in: StandIn, doctor: Doctor, name: str
) -> None:
    stand_in.state.actions.allowed = "selected"
    files = {
        f"{BUILDER}/{name}": f"{STEPS}    - uses: ./tools/deep\n    - run: echo\n",
        f"tools/deep/{name}": f"{STEPS}    - uses: a/b@v1\n    - uses: $/{BUILDER}\n",
    }
    found = doctor(gate_with(f"$/{BUILDER}"), files)
    assert "does not allow these actions: a/b@v1 (inside of tools/deep)\n" in found


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
    found = doctor(gate_with(f"$/{BUILDER}"), {f"{BUILDER}/action.yml": f"runs: {{using: {runs}}}"})
    assert "✗" not in found
    assert BUILDER not in found
