"""The report as a GitHub comment and job summary: verdict and headroom first, the rest folded.

Whatever a template puts in is escaped for Markdown, unless one of the filters has done so. The
document stays under GitHub's limit by leaving out whole rows, the least important first.
"""

import re
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from onegig.judge.limits import describe_host_access
from onegig.model.measured import Missing
from onegig.model.report import Failure, Report
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.report import comparison, numbers, view
from onegig.report.advice import steps
from onegig.report.figures import templates
from onegig.report.layout import ROOMS, Table, md_table, prose, split_open
from onegig.report.sections import SECTIONS
from onegig.text import code, fence, format_list, format_rest, html, markdown

MAX_CHARACTERS = 65_000  # GitHub takes 65,536; whoever posts it adds a marker
OPEN = 8  # failures that are listed without a click
OPEN_INHERITED = 3  # of those that the branch has, too, if there are new ones
_FENCE = re.compile(r"(^(`{3,})[a-z]*\n.*?^\2$)", re.MULTILINE | re.DOTALL)
_ACTIONS = re.compile(
    r"https://(?:github\.com|[a-z0-9-]+\.ghe\.com)/[\w.-]+/[\w.-]+/actions/"
    r"(?:runs/\d+(?:/attempts/\d+)?|workflows/[\w.%-]+)",
    re.ASCII,
)


def render(report: Report) -> str:
    """Return the comment; at most MAX_CHARACTERS long."""
    template, values = _templates().get_template("comment.md.j2"), _values(report)
    for room in ROOMS:
        document = _squeeze(template.render(values, room=room))
        if len(document) <= MAX_CHARACTERS:
            return document
    return _squeeze(template.render(values, room=ROOMS[-1], is_too_long=True))


def _values(report: Report) -> dict[str, object]:
    """Return what the template shows; a cause comes before a table that is all green."""
    verdict, review, limits = report.verdict, report.review, view.limits(report)
    problems = [p for p in view.problems(report) if not _repeats(p.check, report.failure)]
    new = sum(not problem.inherited for problem in problems)
    first, rest = split_open(problems, min(OPEN, new + OPEN_INHERITED) if new else OPEN)
    changes = review.limit_changes if review else ()
    unread = review is not None and bool(review.proposed) and not changes
    distorted = unread or any(change.looser for change in changes)
    is_green = all(row.state is not State.NO_GO for row in limits.rows)
    compared = review.comparison if review else None
    return {
        "report": report,
        "verdict": verdict,
        "review": review,
        "added": comparison.all_inherited(report),
        "looks_better": distorted or bool(review and review.measuring_changes),
        "is_too_long": False,
        "failure": report.failure,
        "title": view.failing_title([problem.check for problem in problems]),
        "first": first,
        "rest": rest,
        "gaps": [f"{State.INCOMPLETE.icon} {why}" for why in view.incomplete_reasons(report)],
        "causes_first": verdict.state is State.NO_GO and is_green,
        "is_measured": any(row.cells[0] != view.NOT_MEASURED for row in limits.rows),
        "limits": limits,
        "not_compared": compared.reason if isinstance(compared, Missing) else "",
        "steps": steps(report),
        "logs": view.failed_with_log(report),
        "sections": {name: section.values(report) for name, section in SECTIONS.items()},
        "facts": [fact for fact in (*view.facts(report), view.environment_line(report)) if fact],
        "run_url": review.run_url if review else "",
    }


def _repeats(check: Check, failure: Failure | None) -> bool:
    """Return whether a gap only repeats what the failed step says."""
    if failure is None or check.state is not State.INCOMPLETE:
        return False
    return check.message.endswith(f": {failure.message}")


@cache
def _templates() -> Environment:
    environment = templates().overlay(finalize=_escape)
    environment.filters = environment.filters | {
        "alert": _alert,
        "code": lambda text: Markup(code(text)),
        "codes": lambda texts, most: Markup(format_list(tuple(map(code, texts)), most)),
        "fence": lambda content, language: Markup(fence(tuple(content), language)),
        "host_access": describe_host_access,
        "html": lambda text: text if isinstance(text, Markup) else Markup(html(text)),
        "link": _link,
        "opened": split_open,
        "prose": lambda text: Markup(prose(text)),
        "rest": format_rest,
        "table": _table,
    }
    environment.globals = environment.globals | {"numbers": numbers}
    return environment


def _escape(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(markdown(str(value)))


def _table(table: Table, *, is_code: bool = True, bold: bool = False) -> Markup:
    return Markup(md_table(table, code if is_code else markdown, bold=bold))


def _link(url: str, text: str) -> Markup:
    """Return a link to a run or a workflow; only to GitHub, elsewhere the address to read."""
    return Markup(f"[{text}]({url})" if _ACTIONS.fullmatch(url) else f"{text}: {code(url)}")


def _alert(body: str, kind: str) -> Markup:
    """Return one of GitHub's coloured boxes, or nothing if there is no body."""
    lines = _squeeze(body).splitlines()
    quoted = "\n".join((f"> [!{kind}]", *(f"> {line}".rstrip() for line in lines)))
    return Markup(quoted if any(lines) else "")


def _squeeze(text: str) -> str:
    """Return Markdown with one empty line between paragraphs; fenced blocks stay as they are."""
    parts = _FENCE.split(text)
    for at in range(0, len(parts), 3):
        lines = re.sub(r"[ \t]+$", "", parts[at], flags=re.MULTILINE)
        parts[at] = re.sub(r"\n{3,}", "\n\n", lines)
    return "".join(part for at, part in enumerate(parts) if at % 3 < 2).strip() + "\n"
