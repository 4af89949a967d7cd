"""GitHub's Markdown, as far as the comment needs it. What goes in is escaped, but for `prose`."""

from collections.abc import Sequence
from typing import TypeVar

from onegig.text import code, format_rest, markdown

T = TypeVar("T")


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    last_left: bool = False,
    figures: bool = True,
) -> str:
    """A table whose first column is words and the others `figures`, the last on request words."""
    marks = [":--", *["--:" if figures else ":--"] * (len(heads) - 1)]
    if last_left:
        marks[-1] = ":--"
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, marks, *rows))


def bullets(items: Sequence[str], shown: int) -> str:
    """A list of the first `shown` items, and how many are left out."""
    lines = [f"- {item}" for item in items[:shown]]
    rest = len(items) - shown
    if rest > 0:
        lines.append(f"- … {format_rest(rest)}, left out here; the full report has them")
    return "\n".join(lines)


def opened(items: Sequence[T], most: int) -> tuple[Sequence[T], Sequence[T]]:
    """The items to show at once and those to fold: folding one or two saves nothing."""
    shown = len(items) if len(items) <= most + 2 else most
    return items[:shown], items[shown:]


def titled(title: str, body: str) -> str:
    """A body under a bold line; nothing where there is no body."""
    return f"**{title}**\n\n{body}" if body else ""


def folded(title: str, body: str) -> str:
    """A body that is shown on request."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def alert(kind: str, body: str) -> str:
    """One of GitHub's coloured boxes: NOTE, TIP, IMPORTANT, WARNING or CAUTION."""
    quoted = (f"> {line}".rstrip() for line in body.splitlines())
    return "\n".join((f"> [!{kind}]", *quoted))


def paragraphs(parts: Sequence[str]) -> str:
    """The parts that are not empty, set apart by empty lines."""
    return "\n\n".join(part for part in parts if part)


def prose(text: str) -> str:
    """A sentence from outside; what stands between backticks in it is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return markdown(text)
    return "".join(code(one) if at % 2 else _between(one) for at, one in enumerate(parts))


def _between(text: str) -> str:
    """Prose without losing the blanks at its ends, which set it apart from code."""
    if not text.strip():
        return " " if text else ""
    lead, trail = (" " if text[at].isspace() else "" for at in (0, -1))
    return f"{lead}{markdown(text)}{trail}"


def together(text: str) -> str:
    """No line break between a number and its unit."""
    return text.replace(" ", "\u00a0", 1)
