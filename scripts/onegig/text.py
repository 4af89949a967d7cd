"""Sanitizers for untrusted text, one function per language it is written in.

A service's name, a path or a log line may come from a stranger's pull request. `plain` removes what
no document should carry (escape sequences, control and invisible characters) and serves terminals
and messages; `log_line` adds what GitHub's log needs; `markdown`, `code`, `html` and `fence` keep
GitHub from reading markup, mentions, references, links or HTML. Jinja2 escapes HTML pages, on top
of `plain`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from html import escape as escape_html

MOST_LOG_LINE = 10_000
_ANSI = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system command: titles, hyperlinks
    r"|[\x1b\x9b][\[()#;?]*[0-9;:?]*[ -/]*[@-~]?"  # control sequence
)
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_MARKUP = re.compile(r"([\\`*_\[\]<>|~$&])")
_BLOCK = re.compile(r"^(\d*)([-+#=:.)])")  # at a line's start: a list, a heading, a rule
_APART = "\u200b"  # zero width space: what GitHub's own filters do not look across
_REFERENCES = re.compile(
    r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=\bgh-)(?=\d)|(?<=:)(?=[\w+-]*[a-z+][\w+-]*:)|(?<=\bwww)(?=\.)|(?<=:)(?=//)",
    re.IGNORECASE,
)


def plain(text: str, limit: int = 2000) -> str:
    """Return one line of visible characters; longer text is cut at `limit` with an ellipsis."""
    flat = re.sub(r"\s", " ", _ANSI.sub("", text[: 4 * limit]))
    seen = re.sub(" +", " ", printable(flat)).strip()
    return seen if len(seen) <= limit else seen[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return a file's text for a terminal, with all of its spaces."""
    shown = _ANSI.sub("", text)
    return "".join(c for c in shown if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE)


def escaped(path: str) -> str:
    r"""Return a path fit for text: bytes that are not UTF-8 become \xff."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def log_line(text: str) -> str:
    """Return one line for a log, indented as it is, without a command to GitHub's runner."""
    return disarm(" " * _indent(text) + plain(text, MOST_LOG_LINE))


def disarm(line: str) -> str:
    """Return a line that GitHub's runner takes for text.

    It takes `::` at the beginning of a line for a command, and `##[` anywhere
    (https://github.com/actions/runner, ActionCommand.cs).
    """
    start = len(line) - len(line.lstrip())
    if line.startswith("::", start):
        line = f"{line[:start]}¦{line[start + 1 :]}"
    return line.replace("##[", "##¦")


def format_list(
    items: Sequence[str], limit: int, *, separator: str = ", ", rest: int | None = None
) -> str:
    """Return the first `limit` items and how many are left out: "a, b and 7 more".

    `rest` is their number if it is not that of the other items.
    """
    left = max(0, len(items) - limit) if rest is None else rest
    return " ".join(filter(None, (separator.join(items[:limit]), format_rest(left))))


def format_rest(count: int, noun: str = "") -> str:
    """Return the end of a truncated list: "and 7 more", or "" if it is complete."""
    return f"and {count:,} more {noun}".rstrip() if count > 0 else ""


def lines(text: str, limit: int = 20) -> tuple[str, ...]:
    """Return the last `limit` lines of a log, each made plain, indentation kept."""
    kept = text.rstrip().splitlines()[-limit:]
    return tuple(" " * _indent(line) + plain(line, 300) for line in kept)


def markdown(text: str, limit: int = 500) -> str:
    """Return prose for GitHub's Markdown: it reads as written and pings nobody."""
    inline = _MARKUP.sub(r"\\\1", _REFERENCES.sub(_APART, plain(text, limit)))
    return _BLOCK.sub(r"\1\\\2", inline)


def code(text: str) -> str:
    """Return a code span; safe in a table cell, it shows no markup and mentions nobody."""
    content = plain(text, 200).replace("|", "¦") or " "
    ticks = "`" * (1 + max(map(len, re.findall("`+", content)), default=0))
    pad = " " if "`" in content else ""
    return f"{ticks}{pad}{content}{pad}{ticks}"


def html(text: str) -> str:
    """Return text inside an HTML block of a Markdown document."""
    return escape_html(_REFERENCES.sub(_APART, plain(text)), quote=True)


def fence(content: tuple[str, ...], language: str = "") -> str:
    """Return a fenced block that its content cannot close."""
    text = "\n".join(content)
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return text such as " (did you mean memory?)", or "" when nothing known resembles `word`."""
    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1)
    return f" (did you mean {names[near[0]]}?)" if near else ""


def _indent(line: str) -> int:
    return min(40, len(line) - len(line.lstrip(" ")))
