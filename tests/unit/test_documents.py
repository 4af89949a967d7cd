"""The documents say what the program does, and name tests that are there."""

import re
from pathlib import Path

import click
import pytest

from onegig.cli import COMMANDS, EXIT_CODES, main
from onegig.config.budgets import load_budgets
from onegig.errors import ExitCode

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ATTACKS = [row for row in SECURITY.splitlines() if re.search(r"\| \w+/[\w/]+\.py", row)]
EXITS = (ROOT / "docs/files-and-exit-codes.md").read_text(encoding="utf-8")
ROOTS = {name: main.get_command(click.Context(main), name) for name in COMMANDS}
PROGRAM = {  # those of a group by both their words
    " ".join(words): command
    for name, root in ROOTS.items()
    for words, command in (
        [((name, each), command) for each, command in root.commands.items()]
        if isinstance(root, click.Group)
        else [((name,), root)]
    )
}


def test_exit_codes_of_documents_help_and_program_agree() -> None:
    table = EXITS.partition("## Exit codes")[2].partition("##")[0]
    listed = dict(re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE))
    helped = dict(re.findall(r"^  (\d+) +(.+)$", EXIT_CODES, re.MULTILINE))
    assert listed == helped
    assert {int(code) for code in listed} == {code.value for code in ExitCode}


def commands(text: str) -> set[str]:
    """Command lines of onegig and options by themselves, in code spans and in blocks of code."""
    spans = re.findall(
        r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    lines = "\n".join(
        re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    ).splitlines()
    code = (" ".join(part.partition(" #")[0].split()) for part in (*spans, *lines))
    return {part for part in code if re.match(r"onegig [a-z]|scripts/check\b|--[a-z]", part)}


def unknown(line: str) -> set[str]:
    """What a command line has that the program does not know; "--x" by itself is of any command."""
    first, *words = line.split()
    if first.startswith("--"):
        options = {option for one in PROGRAM.values() for p in one.params for option in p.opts}
        return {first.partition("=")[0]} - options
    name = "check" if first == "scripts/check" else words.pop(0)
    if isinstance(ROOTS.get(name), click.Group):
        name = f"{name} {words.pop(0)}"
    command = PROGRAM.get(name)
    if command is None:
        return {name}
    params = [option for one in command.params for option in (*one.opts, *one.secondary_opts)]
    asked = {word.partition("=")[0] for word in words if word.startswith("--")}
    return asked - {"--help", *params}


MENTIONED = sorted(
    {(path.name, line) for path in DOCUMENTS for line in commands(path.read_text(encoding="utf-8"))}
)


@pytest.mark.parametrize(("document", "line"), MENTIONED)
def test_commands_and_options_of_the_documents_exist(document: str, line: str) -> None:
    assert unknown(line) == set(), f"in {document}"


def test_mentions_are_seen() -> None:
    block = "```sh\nonegig nothing --x  # y\n```\n"
    text = f"Run `onegig check\n--no-such` or `--update-database`.\n\n{block}"
    assert commands(text) == {"onegig check --no-such", "--update-database", "onegig nothing --x"}
    assert unknown("onegig check --no-such --tier x") == {"--no-such"}
    assert unknown("onegig nothing --x") == {"nothing"}
    assert unknown("--no-such=1") == {"--no-such"}
    assert len(MENTIONED) > 15


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_command_and_option_explains_itself() -> None:
    for command in PROGRAM.values():
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.name}"


def test_every_command_is_in_the_documents() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    for name in PROGRAM:
        assert f"onegig {name}" in text


def test_first_screen_holds_sentence_picture_and_the_two_commands() -> None:
    screen = "\n".join(README.splitlines()[:14])
    assert "onegig measures whether" in screen
    assert "](docs/pictures/comment.png)" in screen
    assert "scripts/check" in screen
    assert "scripts/test" in screen


def test_example_budgets_are_valid(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(version: 1.*?)```", README, re.DOTALL)
    assert block
    path = tmp_path / "budgets.yml"
    path.write_text(block[1])
    assert load_budgets(path).memory.limit_bytes == 1024 * 1024**2


@pytest.mark.parametrize("row", ATTACKS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_the_tests_that_hold_an_attack_are_there(row: str) -> None:
    text = ""
    for path, name in re.findall(r"(\w+/[\w/]*\.py)|`(test_\w+)`", row):
        text = (ROOT / "tests" / path).read_text(encoding="utf-8") if path else text
        assert path or f"def {name}(" in text
    assert len(ATTACKS) > 30
