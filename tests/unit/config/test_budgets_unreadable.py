"""A budgets.yml that cannot be read: missing, empty, broken, or made to do harm."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onegig.config.budgets import load_budgets
from onegig.config.document import parse_document
from onegig.errors import ConfigError
from onegig.model.keys import MEMORY
from onegig.model.sizes import seconds, share

MIB = 1024**2
Write = Callable[[str | bytes], Path]
Mistakes = Callable[[Path], list[str]]


def test_a_missing_file_is_answered_with_an_example_that_works(write: Write) -> None:
    with pytest.raises(ConfigError, match="does not exist") as caught:
        load_budgets(Path("nowhere/budgets.yml"))
    example = "\n".join(line for line in caught.value.advice.splitlines() if line[:4] == "    ")
    assert load_budgets(write("---\n" + example)).memory.limit_bytes == 1024 * MIB


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "~"])
def test_an_empty_file_is_answered_with_an_example(write: Write, text: str) -> None:
    with pytest.raises(ConfigError, match=r"budgets\.yml is empty") as caught:
        load_budgets(write(text))
    assert "compose: compose.yml" in caught.value.advice


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_budgets(tmp_path)


def test_text_in_another_encoding(write: Write, mistakes: Mistakes) -> None:
    assert mistakes(write("version: 1\ntier: café\n".encode("latin-1"))) == [
        "budgets.yml:2: not UTF-8 text (byte 0xe9); save the file as UTF-8"
    ]
    assert mistakes(write("version: 1\n\x00")) == [
        "budgets.yml:2: the character U+0000 is not allowed in YAML"
    ]
    assert load_budgets(write("\ufeffversion: 1\n".encode())).path == "budgets.yml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r'compose: "a\0.yml"', "compose: the character U+0000 is not allowed here"),
        (r'profiles: [a, "\uD800"]', "profiles[1]: the character U+D800 is not allowed here"),
        (r'services: {"\uD800": {}}', "services.: the character U+D800 is not allowed here"),
        (r'x-a: "\UFFFFFFFF"', "a value can't be read: Python int too large"),
    ],
)
def test_escapes_that_stand_for_no_character(
    write: Write, mistakes: Mistakes, text: str, message: str
) -> None:
    [mistake] = mistakes(write(f"version: 1\n{text}\n"))
    assert mistake.startswith(f"budgets.yml:2: {message}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("memory: {limit: 1GB", "expected ',' or '}', but got '<stream end>'"),
        ("memory:\n\tlimit: 1GB", "cannot start any token (indent with spaces, not tabs)"),
        (
            "waivers:\n  - owner: @ops",
            "2:12: found character '@' that cannot start any token (a value that begins with @",
        ),
        ("a: b: c", "1:5: mapping values are not allowed here"),
        ("version: 1\n---\nversion: 1\n", "only one document is allowed"),
        ("tier: 'x", "a quote is not closed"),
        ("memory: *nothing", "found undefined alias"),
    ],
)
def test_broken_yaml_is_told_with_line_and_column(
    write: Write, mistakes: Mistakes, text: str, line: str
) -> None:
    (only,) = mistakes(write(text))
    assert only.startswith("budgets.yml:")
    assert line in only


def test_control_characters_cannot_reach_the_terminal(write: Write, mistakes: Mistakes) -> None:
    lines = mistakes(write('services: {"a\\e[31m": 90MB, "b\\e[31m": {"\\e]0;x": 1}}'))
    assert len(lines) == 2
    assert all(character.isprintable() for line in lines for character in line)


def bomb(levels: int) -> str:
    """Nine aliases to the level below, on every level: 9 ** levels values when expanded."""
    lines = ["x-0: &a0 [lol]"]
    lines += [
        f"x-{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(12),
        "memory: &m {limit: *m}",
        "a: &a {<<: *a}",
        "[" * 5000,
        "{a: " * 50 + "1" + "}" * 50,
        "version: 1 #" + "x" * 1_000_000,
        "services:\n" + "\n".join(f"  s{i}: {{}}" for i in range(20_000)),
    ],
    ids=["bomb", "recursive", "recursive-merge", "open", "deep", "large", "many"],
)
def test_attacks_are_refused(write: Write, text: str) -> None:
    with pytest.raises(ConfigError, match="too large or too deeply nested"):
        load_budgets(write(text))


@example("9" * 400)
@example("9" * 400 + "MB")
@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    for parse in (MEMORY.parse, share, seconds):
        with suppress(ValueError):
            assert parse(text) >= 0


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "budgets.yml"
    path.write_bytes(raw)
    with suppress(ConfigError):
        assert load_budgets(path).path == str(path)


@pytest.mark.parametrize("data", [b"#" * 1_000_001, b"[" * 5000], ids=["large", "deep"])
def test_another_file_is_not_called_a_budgets_file(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"gate\.yml is too large or too deeply") as caught:
        parse_document("gate.yml", data)
    assert "budgets" not in f"{caught.value.message}{caught.value.advice}"
    with pytest.raises(ConfigError, match=r"^gate\.yml is empty$") as caught:
        parse_document("gate.yml", b"")
    assert caught.value.advice == ""
