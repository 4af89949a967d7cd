"""Where the numbers come from, what they are compared with, and how to get them again."""

import re

from onegig.model.report import Report
from onegig.report import facts
from onegig.report.comment.syntax import paragraphs
from onegig.text import code, fence, markdown, plain

_ACTIONS = re.compile(
    r"https://(?:github\.com|[a-z0-9-]+\.ghe\.com)/[\w.-]+/[\w.-]+/actions/"
    r"(?:runs/\d+(?:/attempts/\d+)?|workflows/[\w.%-]+)",
    re.ASCII,
)


def link(text: str, url: str) -> str:
    """Return a link to a run or a workflow; only to GitHub, elsewhere the address to read."""
    return f"[{text}]({url})" if _ACTIONS.fullmatch(url) else f"{text}: {code(url)}"


def footer(report: Report) -> str:
    """Commits, environment, the link to the run, and last the command."""
    told = (
        facts.heading(report),
        facts.compared_line(report),
        facts.differences_line(report),
        facts.total_line(report),
        facts.environment_line(report),
    )
    measured = [markdown(fact) for fact in told if fact]
    command = fence((plain(report.reproduce),), "sh")
    parts = ("<br>\n".join([*measured, *_run(report)]), "Reproduce it locally:", command)
    return paragraphs(parts)


def _run(report: Report) -> list[str]:
    """A link only where it can lead nowhere but to a run on GitHub."""
    url = report.review.run_url if report.review else ""
    return [link("Full report and all numbers", url)] if url else []
