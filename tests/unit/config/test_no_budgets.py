"""A compose file and nothing else: the defaults count, and the report says so."""

from datetime import date
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from factories import SERVICES, make_images, make_memory, make_service
from onegig import pipeline, process
from onegig.cli import main
from onegig.config.budgets import default_budgets, load_budgets
from onegig.errors import ConfigError, ExitCode
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.options import Options
from onegig.pipeline import load, load_limits
from onegig.process import CommandError

COMPOSE = "services: {web: {image: onegig-local/alpine:3.23}}\n"
TODAY = date(2026, 11, 23)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Options:
    """The options with which a check is made."""
    seen: list[Options] = []

    def stop(options: Options, *_: object) -> None:
        seen.append(options)
        raise ConfigError("enough")

    monkeypatch.setattr(pipeline, "check", stop)
    CliRunner().invoke(main, ["check", *arguments])
    return seen[0]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", "docker-compose.yml"])
def test_defaults_count_where_there_is_only_a_compose_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (folder / name).write_text(COMPOSE)
    budgets, stack = load(asked(monkeypatch))
    assert budgets == Budgets(path="budgets.yml", compose=name, is_default=True)
    assert [service.name for service in stack.services] == ["web"]


def test_a_budgets_file_counts_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "budgets.yml").write_text("version: 1\nmemory: {limit: 512MB}\n")
    budgets = load_limits(asked(monkeypatch))
    assert budgets.memory.limit_bytes == 512 * 1024**2
    assert not budgets.is_default


@pytest.mark.parametrize("arguments", [["--budgets", "budgets.yml"], ["--budgets=elsewhere.yml"]])
def test_a_file_that_was_named_must_be_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (folder / "compose.yml").write_text(COMPOSE)
    with pytest.raises(ConfigError, match=r"\.yml does not exist") as caught:
        load(asked(monkeypatch, *arguments))
    assert "onegig init" in caught.value.advice


@pytest.mark.parametrize("command", ["check", "build", "inspect", "measure", "init"])
def test_no_compose_file_either(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(
        process, "run", Mock(side_effect=CommandError(["git"], 128, "", "no repository"))
    )
    result = CliRunner().invoke(main, [command, "--quiet"])
    assert result.exit_code == ExitCode.CONFIG, result.output
    assert "compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml" in result.stderr
    assert str(folder) in result.stderr
    assert "--compose" in result.stderr
    assert list(folder.iterdir()) == []


def test_the_report_says_so_at_the_end() -> None:
    services = [make_service(name, rss) for name, rss in SERVICES.items()]
    reports = make_images(SERVICES), make_memory(services)
    verdict = judge(default_budgets(Path("budgets.yml")), *reports, None, today=TODAY)
    assert verdict.notes[-1] == (
        "there is no budgets.yml, so the defaults apply (1,024 MB for everything); run "
        "`onegig init` to write one"
    )
    written = Path("budgets.yml")
    written.write_text("version: 1\n")
    verdict = judge(load_budgets(written), *reports, None, today=TODAY)
    assert not any("budgets.yml" in note for note in verdict.notes)
    waiver = "{metric: image.wasted, reason: r, owner: o, expires: 2026-01-01}"
    written.write_text(f"waivers: [{waiver}]\n")
    verdict = judge(load_budgets(written), *reports, None, today=TODAY)
    assert "budgets.yml:1: `metric` is now `check`; rename it there" in verdict.notes
