"""The README says what the program does: exit codes, commands and options."""

import re
from pathlib import Path

import click
import pytest

from onegig.cli import EXIT_CODES, main
from onegig.errors import ExitCode
from onegig.load.budgets import load_budgets

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_exit_codes_of_readme_help_and_program_agree() -> None:
    table = README.partition("## Exit codes")[2].partition("##")[0]
    listed = dict(re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE))
    helped = dict(re.findall(r"^  (\d+) +(.+)$", EXIT_CODES, re.MULTILINE))
    assert listed == helped
    assert {int(code) for code in listed} == {code.value for code in ExitCode}


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^onegig [a-z].*$", README, re.MULTILINE))))
def test_commands_of_the_readme_exist_with_their_options(line: str) -> None:
    _, name, *arguments = line.partition("#")[0].split()
    command = main.commands[name]
    known = {option for one in command.params for option in one.opts}
    asked = {argument for argument in arguments if argument.startswith("--")}
    assert asked <= known


def test_every_command_and_option_explains_itself() -> None:
    for command in main.commands.values():
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.name}"


def test_every_command_is_in_the_readme() -> None:
    for name in main.commands:
        assert f"onegig {name}" in README


def test_first_screen_holds_sentence_comment_and_the_two_commands() -> None:
    screen = "\n".join(README.splitlines()[:40])
    assert "onegig tells a team" in screen
    assert "GO:" in screen
    assert "scripts/check" in screen
    assert "scripts/test" in screen


def test_example_budgets_are_valid(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(version: 1.*?)```", README, re.DOTALL)
    assert block
    path = tmp_path / "budgets.yml"
    path.write_text(block[1])
    assert load_budgets(path).memory.limit_bytes == 1024 * 1024**2
