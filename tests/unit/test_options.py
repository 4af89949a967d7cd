"""What the command line overrides, and the command that gives the same numbers again."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from onegig import cli, pipeline
from onegig.commands import check as command_module
from onegig.commands.options import (
    LAUNCHER,
    TYPED_COUNT,
    project_options,
    typed_command,
    window_options,
)
from onegig.errors import ConfigError
from onegig.model.engines import EngineKind
from onegig.model.measuring import SqueezeMode
from onegig.model.options import Options
from onegig.model.twin import MachineKind
from onegig.pipeline import load_limits

BOX, TWIN = MachineKind
ALWAYS = SqueezeMode.ALWAYS
LOAD = "load: {service: web, command: [load, '{rate}'], rate: 200}\n"


@pytest.fixture
def budgets(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "budgets.yml"
        path.write_text(text)
        return path

    return write


def parsed(words: list[str]) -> Options:
    """The options that a command is given for these words."""
    found = []

    @click.command()
    @project_options
    @window_options
    def command(*, options: Options) -> None:
        found.append(options)

    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    return found[0]


def some(values: st.SearchStrategy[float]) -> st.SearchStrategy[float | None]:
    return st.none() | values


@given(
    window=some(st.floats(min_value=0.001, max_value=86_400)),
    settle=some(st.floats(min_value=0, max_value=86_400)),
    repeats=some(st.integers(min_value=1, max_value=20)),
    rate=some(st.floats(min_value=0.001, max_value=1e12)),
    profiles=st.lists(st.text(alphabet="ab -'", min_size=1)).map(tuple),
    tier=st.none() | st.just("aws-t2-micro"),
    machine=st.none() | st.sampled_from(MachineKind),
    engine=st.none() | st.sampled_from(EngineKind),
    squeeze=st.none() | st.sampled_from(SqueezeMode),
    throttled=st.sampled_from((None, True)),
    reboot=st.sampled_from((None, True)),
)
def test_the_command_to_reproduce_is_read_back_as_the_same_options(
    window: float | None,
    settle: float | None,
    repeats: int | None,
    rate: float | None,
    profiles: tuple[str, ...],
    tier: str | None,
    machine: MachineKind | None,
    engine: EngineKind | None,
    squeeze: SqueezeMode | None,
    throttled: bool | None,
    reboot: bool | None,
) -> None:
    options = Options(
        budgets=Path("my folder/budgets.yml"),
        compose=(Path("a.yml"), Path("b.yml")),
        profiles=profiles,
        tier=tier,
        machine=machine,
        engine=engine,
        squeeze=squeeze,
        throttled=throttled,
        reboot=reboot,
        window_seconds=window,
        settle_seconds=settle,
        repeats=repeats,
        rate=rate,
    )
    program, command, *words = shlex.split(options.reproduce)
    assert (program, command) == ("onegig", "check")
    assert parsed(words) == options


def test_squeeze_needs_no_value() -> None:
    options = parsed(["--squeeze", "--rate", "2"])
    assert (options.squeeze, options.rate) == (ALWAYS, 2)


def test_what_was_not_asked_for_is_not_in_the_command() -> None:
    assert Options().reproduce == "onegig check"
    assert replace(Options(), repeats=3, rate=500).reproduce == (
        "onegig check --repeats 3 --rate 500"
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "typed"),
    [
        (["check"], {}, "onegig check"),
        (
            ["check", "--report", "my report", "--json", "--tier=aws-t2-micro"],
            {},
            "onegig check --report 'my report' --json --tier=aws-t2-micro",
        ),
        (
            ["check", "--report", "/a/report", "--budgets", "/a/budgets.yml", "--json", "--quiet"],
            {LAUNCHER: "a/scripts/check", TYPED_COUNT: "2"},
            "a/scripts/check --json --quiet",
        ),
        (["check"], {LAUNCHER: "scripts/check", TYPED_COUNT: "0"}, "scripts/check"),
        (["check"], {LAUNCHER: "scripts/check", TYPED_COUNT: "two"}, "onegig check"),
    ],
)
def test_the_command_is_what_was_typed(
    arguments: list[str], environment: dict[str, str], typed: str
) -> None:
    assert typed_command(arguments, environment) == typed
    assert replace(Options(), typed=typed, repeats=3).reproduce == typed


@pytest.mark.parametrize(
    ("words", "reproduce"),
    [
        (["--json", "--window", "1m"], "onegig check --json --window 1m"),
        (["--github", "--report", "out", "--window", "1m"], "onegig check --window 60"),
    ],
)
def test_a_job_says_what_to_type_elsewhere(
    monkeypatch: pytest.MonkeyPatch, words: list[str], reproduce: str
) -> None:
    asked: list[Options] = []

    def stop(options: Options, *_: object) -> None:
        asked.append(options)
        raise ConfigError("enough")

    monkeypatch.setattr(pipeline, "check", stop)
    monkeypatch.setattr(command_module, "check_as_job", stop)
    CliRunner().invoke(cli.main, ["check", *words])
    assert [options.reproduce for options in asked] == [reproduce]


def test_options_go_before_the_file(budgets: Callable[[str], Path]) -> None:
    path = budgets(f"measure: {{window: 15s, settle: 5s, repeats: 2}}\nmachine: twin\n{LOAD}")
    plain = load_limits(Options(budgets=path))
    assert (plain.measure.repeats, plain.load and plain.load.words) == (2, ("load", "200"))
    over = load_limits(
        Options(
            budgets=path,
            machine=BOX,
            squeeze=ALWAYS,
            window_seconds=90,
            settle_seconds=0,
            repeats=4,
            rate=2.5,
        )
    )
    assert (plain.machine, over.machine) == (TWIN, BOX)
    changed = over.measure.repeats, over.measure.window_seconds, over.measure.squeeze
    assert (changed, over.measure.settle_seconds) == ((4, 90, ALWAYS), 0)
    assert over.measure.hz == plain.measure.hz
    assert over.load
    assert over.load.words == ("load", "2.5")


@pytest.mark.parametrize("text", ["version: 1", "load: {service: web, command: [load]}"])
def test_a_rate_that_nothing_takes(budgets: Callable[[str], Path], text: str) -> None:
    with pytest.raises(ConfigError, match="--rate has no effect") as caught:
        load_limits(Options(budgets=budgets(text), rate=5))
    assert "{rate}" in caught.value.advice


def test_only_a_twin_can_be_rebooted(budgets: Callable[[str], Path]) -> None:
    path = budgets("version: 1")
    with pytest.raises(ConfigError, match="needs a machine of its own") as caught:
        load_limits(Options(budgets=path, reboot=True))
    assert caught.value.advice == "add --on twin"
    assert load_limits(Options(budgets=path, reboot=True, machine=TWIN)).measure.reboot


def test_podman_only_runs_on_a_twin(budgets: Callable[[str], Path]) -> None:
    path = budgets("version: 1")
    with pytest.raises(ConfigError, match="engine: podman only runs on a twin"):
        load_limits(Options(budgets=path, engine=EngineKind.PODMAN))
    twin = Options(budgets=path, engine=EngineKind.PODMAN, machine=TWIN)
    assert load_limits(twin).engine is EngineKind.PODMAN
    written = budgets("version: 1\nengine: docker-tuned")
    assert load_limits(Options(budgets=written)).engine is EngineKind.TUNED


def test_help_says_how_values_are_written() -> None:
    @click.command()
    @project_options
    @window_options
    def command(*, options: Options) -> None: ...

    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "Its highest total counts. Such as 15s or 2m, more than 0. --settle" in text
    assert "the first sample. Such as 15s or 2m. --repeats" in text
    assert "within their spread. At least 1, at most 20. --rate" in text
    assert "messages per second. More than 0. --help" in text
