"""`onegig init` as its user runs it: what it writes, what it leaves alone, what it says."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml
from click.testing import CliRunner, Result

from examples import COMMIT, EXAMPLES, OWNER, TAG, filled_in
from onegig import pipeline
from onegig.cli import main
from onegig.commands import init as command
from onegig.commands.init import NAMES, Source, workflow
from onegig.config.budgets import load_budgets
from onegig.errors import BuildError, ExitCode
from onegig.github.doctor.checkout import parse_workflow
from onegig.model.codec import to_json
from onegig.model.measured import Unknown
from scenarios import make_go, make_never_healthy

SOURCE = Source(repository=f"{OWNER}/onegig", commit=COMMIT, tag=TAG)
WORKFLOWS = [f".github/workflows/{name}" for name in NAMES]
Init = Callable[..., Result]


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Run the command in a new folder that has a report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "find_source", lambda: SOURCE)
    monkeypatch.setattr(pipeline, "check", lambda *_: make_go())
    Path("report.json").write_text(to_json(make_go()))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["init", "--quiet", *arguments])

    return run


def checkout(origin: str) -> None:
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    subprocess.run(["git", "remote", "add", "origin", origin], check=True)


def there() -> list[str]:
    """Every file but the report and git's."""
    files = sorted(str(path) for path in Path().rglob("*") if path.is_file())
    return [path for path in files if not path.startswith((".git/", "report.json"))]


def test_it_measures_and_writes_limits(init: Init) -> None:
    result = init()
    assert result.exit_code == 0, result.output
    assert there() == ["budgets.yml"]
    assert load_budgets(Path("budgets.yml")).services
    assert make_go().verdict.sentence in result.stdout
    assert "its limits are the measured values + 25 %" in result.stdout
    assert "github" not in result.output


def test_a_report_stands_for_measuring(init: Init, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "check", Mock(side_effect=AssertionError))
    assert init("--report", "report.json").exit_code == 0
    assert load_budgets(Path("budgets.yml")).service("redis-coordinator").memory_bytes


def test_a_compose_file_that_was_named_is_named(init: Init) -> None:
    Path("limits").mkdir()
    result = init("--compose", "deploy/stack.yml", "--budgets", "limits/budgets.yml")
    assert result.exit_code == 0, result.output
    assert load_budgets(Path("limits/budgets.yml")).compose == "../deploy/stack.yml"


def test_a_checkout_from_github_gets_workflows_and_a_badge(init: Init) -> None:
    checkout("git@github.com:octo/shop.git")
    result = init()
    assert there() == [*sorted(WORKFLOWS), "budgets.yml"]
    assert (
        "[![memory](https://raw.githubusercontent.com/octo/shop/onegig-data/badge.svg)]"
        "(https://github.com/octo/shop/tree/onegig-data)"
    ) in result.stdout
    assert result.stderr == ""
    for path in WORKFLOWS:
        parsed = parse_workflow(path, Path(path).read_bytes())
        assert parsed.placeholders == ()
        assert any(uses == f"{OWNER}/onegig@{COMMIT}" for uses in parsed.uses)


@pytest.mark.parametrize("origin", ["", "https://gitlab.com/octo/shop.git"])
def test_elsewhere_workflows_are_written_on_demand(init: Init, origin: str) -> None:
    if origin:
        checkout(origin)
    assert init().exit_code == 0
    assert there() == ["budgets.yml"]
    result = init("--workflows")
    assert result.exit_code == 0
    assert there() == [*sorted(WORKFLOWS), "budgets.yml"]
    assert "OWNER/NAME/onegig-data" in result.stdout
    assert "replace OWNER/NAME" in result.stderr


@pytest.mark.parametrize(("folder", "options"), [(".", ["--no-workflows"]), ("deploy", [])])
def test_no_workflows_below_the_top_folder_nor_when_refused(
    init: Init, monkeypatch: pytest.MonkeyPatch, folder: str, options: list[str]
) -> None:
    checkout("https://github.com/octo/shop")
    Path(folder).mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    init(*options)
    assert there() == ["budgets.yml"]


def test_no_file_is_written_over(init: Init) -> None:
    checkout("https://github.com/octo/shop")
    Path(".github/workflows").mkdir(parents=True)
    for path in ("budgets.yml", WORKFLOWS[0]):
        Path(path).write_text("mine")
    result = init()
    assert result.exit_code == 0
    assert Path("budgets.yml").read_text() == Path(WORKFLOWS[0]).read_text() == "mine"
    assert "not changed, as it already exists: budgets.yml" in result.stdout
    assert f"not changed, as it already exists: {WORKFLOWS[0]}" in result.stdout
    assert f"wrote {WORKFLOWS[1]}" in result.stdout


def test_nothing_to_write_is_an_error_before_anything_is_measured(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "check", Mock(side_effect=AssertionError))
    Path("budgets.yml").symlink_to("nowhere")
    result = init()
    assert result.exit_code == ExitCode.CONFIG
    assert "nothing was written: budgets.yml already exists" in result.stderr


def test_a_check_that_fails_writes_nothing(init: Init, monkeypatch: pytest.MonkeyPatch) -> None:
    error = BuildError("the image of web could not be built")
    monkeypatch.setattr(pipeline, "check", Mock(side_effect=error))
    checkout("https://github.com/octo/shop")
    assert init().exit_code == ExitCode.BUILD
    assert there() == []


def test_a_report_without_any_number_is_refused(init: Init) -> None:
    nothing = Unknown(reason="the box did not come up")
    Path("report.json").write_text(to_json(replace(make_go(), images=nothing, memory=nothing)))
    result = init("--report", "report.json")
    assert result.exit_code == ExitCode.CONFIG
    assert "nothing was measured in report.json: the box did not come up" in result.stderr
    assert there() == []


def test_a_stack_that_did_not_run_is_remarked(init: Init) -> None:
    Path("report.json").write_text(to_json(make_never_healthy()))
    assert "not every service ran" in init("--report", "report.json").stderr


def test_what_is_not_known_stays_a_placeholder_and_is_said(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_source", Source)
    result = init("--workflows")
    assert "replace OWNER by the account that has onegig, and the zeros" in result.stderr
    for path, name in zip(WORKFLOWS, NAMES, strict=True):
        assert Path(path).read_text() == EXAMPLES[name].read_text()


@pytest.mark.parametrize("name", NAMES)
def test_workflows_are_the_examples_filled_in(name: str) -> None:
    text = workflow(name, SOURCE)
    assert yaml.safe_load(text) == yaml.safe_load(filled_in(name))
    assert text in filled_in(name)  # without the lines that say how to fill it in
    assert "Copy to" not in text


def test_pushes_to_the_default_branch_are_measured(init: Init) -> None:
    checkout("https://github.com/octo/shop")
    head = ["git", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]
    subprocess.run(head, check=True)
    init()
    gate = parse_workflow(WORKFLOWS[0], Path(WORKFLOWS[0]).read_bytes())
    assert gate.triggers["push"] == {"branches": ["trunk"]}


def test_an_owner_without_a_commit_is_filled_in() -> None:
    text = workflow("gate.yml", Source(repository="octo/onegig"))
    assert "OWNER/" not in text
    assert "octo/onegig@" + "0" * 40 in text
    assert "Copy to" in text
