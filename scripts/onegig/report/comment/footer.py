"""Where the numbers come from, what they are compared with, and how to get them again."""

import re

from onegig.model.report import Report
from onegig.report import facts
from onegig.report.comment.syntax import paragraphs
from onegig.report.escape import code, fence, markdown, plain

_RUN = re.compile(
    r"https://(?:github\.com|[a-z0-9-]+\.ghe\.com)"
    r"/[\w.-]+/[\w.-]+/actions/runs/\d+(?:/attempts/\d+)?"
)


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
    if not url:
        return []
    if _RUN.fullmatch(url):
        return [f"[Full report and all numbers]({url})"]
    return [f"Full report and all numbers: {code(url)}"]
