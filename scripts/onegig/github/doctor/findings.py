"""What `onegig doctor` found, as text: a line for each finding, and below it what to change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from textwrap import indent

from onegig.text import plain


class Mark(StrEnum):
    """How a finding stands."""

    GOOD = "✓"
    SHOULD = "!"  # better changed
    MUST = "✗"  # the gate does not work before it is changed
    UNKNOWN = "?"  # could not be looked at


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at. `change` is what to do, to the letter; "" where it is good."""

    mark: Mark
    what: str
    change: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Findings about one matter."""

    title: str
    findings: tuple[Finding, ...]


def good(what: str) -> Finding:
    """Nothing to do."""
    return Finding(mark=Mark.GOOD, what=what)


def should(what: str, change: str) -> Finding:
    """It works, but not well or not safely."""
    return Finding(mark=Mark.SHOULD, what=what, change=change)


def must(what: str, change: str) -> Finding:
    """It does not work like this."""
    return Finding(mark=Mark.MUST, what=what, change=change)


def unknown(what: str, reason: str) -> Finding:
    """It could not be looked at, so nothing is said about it."""
    return Finding(mark=Mark.UNKNOWN, what=f"{what}: {reason}")


def count(sections: Sequence[Section], mark: Mark) -> int:
    """How many findings have that mark."""
    return sum(one.mark == mark for section in sections for one in section.findings)


def render(title: str, sections: Sequence[Section]) -> str:
    """The whole answer; names from outside are made harmless."""
    lines = [plain(title), *(line for section in sections for line in _section(section))]
    return "\n".join([*lines, "", _sum(sections), ""])


def _section(section: Section) -> Iterator[str]:
    yield ""
    yield section.title
    for finding in section.findings:
        yield f"  {finding.mark} {plain(finding.what)}"
        if finding.change:
            change = "\n".join(_harmless(line) for line in finding.change.splitlines())
            yield indent(change, "      ")


def _harmless(line: str) -> str:
    """Keeps the indent, which YAML lives by."""
    return " " * (len(line) - len(line.lstrip(" "))) + plain(line)


def _sum(sections: Sequence[Section]) -> str:
    words = (
        (Mark.MUST, "must be changed"),
        (Mark.SHOULD, "should be changed"),
        (Mark.UNKNOWN, "could not be looked at"),
    )
    counts = ((count(sections, mark), what) for mark, what in words)
    return ", ".join(f"{number} {what}" for number, what in counts if number) or "all is well"
