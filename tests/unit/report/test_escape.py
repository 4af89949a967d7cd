"""Nothing from outside may speak to GitHub, a browser or a terminal in its own language."""

import re
import unicodedata
from html import unescape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from onegig import text as safe

APART = "\u200b"
PINGS = re.compile(r"@\w|#\d|\bgh-\d|:[a-z+][\w+-]*:|\bwww\.|://", re.IGNORECASE)
github = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
hostile = st.text(max_size=60) | st.text(
    alphabet="`*_[]()<>!|~$&@#:/\\.-+=^ab1 \n\x1b", max_size=60
)


@given(hostile)
def test_plain_is_one_line_of_visible_characters(text: str) -> None:
    seen = safe.plain(text)
    assert not {unicodedata.category(char)[0] for char in seen} & {"C"}
    assert not set(seen) & set("\n\r\u2028\u2029")
    assert safe.plain(seen) == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\name", "name"),
        ("\x9b31mred", "red"),
        ("tab\tand\r\nline", "tab and line"),
        ("right\u202eleft", "rightleft"),
        ("Zürich 東京", "Zürich 東京"),
        ("x" * 3000, "x" * 1999 + "…"),
    ],
)
def test_plain(text: str, seen: str) -> None:
    assert safe.plain(text) == seen


@pytest.mark.security
@given(hostile | st.text(alphabet=":# []a", max_size=20))
@example("  ::add-mask::x")
@example("step: ##[command]x")
@example("#\u200b#[error]x")
@example("\u200b::error::x")
def test_no_line_of_a_log_is_a_command_to_the_runner(text: str) -> None:
    line = safe.log_line(text)
    assert not line.strip().startswith("::")
    assert "##[" not in line
    assert "\n" not in line


@given(hostile)
@example("<b>@me</b> **x** [a](b) `c` ~~d~~ &amp; <https://x.example>")
@example("- item\n# heading\n1. one")
def test_markdown_renders_as_the_text_itself(text: str) -> None:
    rendered = github.renderInline(f"- {safe.markdown(text)} .")
    assert unescape(rendered).replace(APART, "") == f"- {safe.plain(text, 500)} ."
    assert not re.findall(r"<(?!br)[a-z/]", rendered)


@given(hostile)
@example("- item")
@example("# heading")
@example("1) one")
@example("--- ")
def test_markdown_starts_no_block(text: str) -> None:
    tokens = [token.type for token in github.parse(f"{safe.markdown(text)}\n{safe.markdown(text)}")]
    assert tokens in ([], ["paragraph_open", "inline", "paragraph_close"])


@given(hostile)
@example("@user #1 gh-2 :tada: www.evil.example https://evil.example")
def test_markdown_pings_and_links_nobody(text: str) -> None:
    assert not PINGS.findall(unescape(github.renderInline(safe.markdown(text))))


@given(hostile)
def test_code_is_one_code_span(text: str) -> None:
    shown = safe.plain(text, 200).replace("|", "¦")
    rendered = github.renderInline(safe.code(text))
    assert re.fullmatch(r"<code>[^<]*</code>", rendered)
    assert unescape(rendered)[6:-7].strip() == shown.strip()


@given(st.lists(hostile, max_size=5))
def test_fence_is_not_closed_by_its_content(texts: list[str]) -> None:
    content = tuple(safe.plain(text) for text in texts)
    tokens = github.parse(safe.fence(content, "text") + "\nafter")
    assert tokens[0].type == "fence"
    assert tokens[0].content == "".join(f"{line}\n" for line in content) or not content
    assert tokens[-2].content == "after"


@given(hostile)
def test_html_text_stays_text(text: str) -> None:
    shown = safe.html(text)
    assert unescape(shown).replace(APART, "") == safe.plain(text)
    assert not set(shown) & set("<>\"'")
    assert not PINGS.findall(unescape(shown))


def test_log_keeps_its_indentation_and_its_end() -> None:
    log = "\n".join(["first", *("x" for _ in range(30)), "  File \x1b[1mx\x1b[0m", "Error"])
    assert safe.lines(log, 3) == ("x", "  File x", "Error")
