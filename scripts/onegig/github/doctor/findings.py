"""Findings of `onegig doctor`, and how they are printed: a line each, and below it the fix."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from textwrap import indent

from onegig.text import plain


class Mark(StrEnum):
    """The outcome of an examination."""

    GOOD = "✓"
    SHOULD = "!"  # works, but not well or not safely
    MUST = "✗"  # does not work before it is changed
    UNKNOWN = "?"  # could not be read


_SUMMARY = {
    Mark.MUST: "must be changed",
    Mark.SHOULD: "should be changed",
    Mark.UNKNOWN: "could not be read",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One finding. `fix` is the exact change to make, or "" if there is nothing to do."""

    mark: Mark
    text: str
    fix: str = ""


Sections = Mapping[str, tuple[Finding, ...]]  # by subject


def good(text: str) -> Finding:
    """Return a finding that needs no fix."""
    return Finding(mark=Mark.GOOD, text=text)


def should(text: str, fix: str) -> Finding:
    """Return a finding about something that works, but not well or not safely."""
    return Finding(mark=Mark.SHOULD, text=text, fix=fix)


def must(text: str, fix: str) -> Finding:
    """Return a finding about something that does not work."""
    return Finding(mark=Mark.MUST, text=text, fix=fix)


def unknown(text: str, reason: str) -> Finding:
    """Return a finding about something that could not be read."""
    return Finding(mark=Mark.UNKNOWN, text=f"{text}: {reason}")


def count(sections: Sections, mark: Mark) -> int:
    """Count the findings that have a mark."""
    return sum(finding.mark == mark for findings in sections.values() for finding in findings)


def render(title: str, sections: Sections) -> str:
    """Render the whole answer as text; names from outside are made harmless."""
    lines = [plain(title)]
    for subject, findings in sections.items():
        lines += ["", subject]
        for finding in findings:
            lines.append(f"  {finding.mark} {plain(finding.text)}")
            for line in finding.fix.splitlines():
                spaces = " " * (len(line) - len(line.lstrip(" ")))  # YAML lives by them
                lines.append(indent(spaces + plain(line), " " * 6))
    counts = {mark: count(sections, mark) for mark in _SUMMARY}
    summary = ", ".join(f"{counts[mark]} {text}" for mark, text in _SUMMARY.items() if counts[mark])
    return "\n".join([*lines, "", summary or "everything is set up", ""])
