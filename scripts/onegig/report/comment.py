"""The report as a GitHub comment and job summary: verdict and headroom first, the rest folded.

Every word from outside passes through an escape of `onegig.text`; the document stays under GitHub's
limit by leaving out whole rows, the least important first, and says so.
"""

import re

from onegig.judge.limits import describe_host_access
from onegig.model.measured import Missing
from onegig.model.report import Failure, LimitChange, Report, Review
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.report import comparison, view
from onegig.report.advice import Step, steps
from onegig.report.layout import (
    ROOMS,
    Room,
    alert,
    bullets,
    folded,
    md_table,
    paragraphs,
    prose,
    split_open,
    titled,
)
from onegig.report.sections import SECTIONS
from onegig.text import code, fence, format_list, html, lines, markdown, plain

MAX_CHARACTERS = 65_000  # GitHub takes 65,536; whoever posts it adds a marker
OPEN = 8  # failures that are listed without a click
OPEN_INHERITED = 3  # of those that the branch has, too, where there are new ones
_TOO_LONG = "_All the rest is too long for a comment; the full report has it._"
_ACTIONS = re.compile(
    r"https://(?:github\.com|[a-z0-9-]+\.ghe\.com)/[\w.-]+/[\w.-]+/actions/"
    r"(?:runs/\d+(?:/attempts/\d+)?|workflows/[\w.%-]+)",
    re.ASCII,
)


def render(report: Report) -> str:
    """Return the comment; at most MAX_CHARACTERS long."""
    for room in ROOMS:
        document = _document(report, room)
        if len(document) <= MAX_CHARACTERS:
            return document
    return paragraphs(_top(report, ROOMS[-1]), _TOO_LONG, _footer(report)) + "\n"


def _document(report: Report, room: Room) -> str:
    notes = [markdown(note) for note in report.verdict.notes]
    todo = [_step(step) for step in steps(report)]
    logs = (
        folded(f"Last lines of {html(service.name)}", fence(lines(service.log_tail), "text"))
        for service in view.failed_with_log(report)[: room.logs]
    )
    parts = (
        _top(report, room),
        _failure(report.failure),
        *_causes_and_figures(report, room),
        titled("What to do", bullets(todo, len(todo))),
        titled("Notes", bullets(notes, room.limits)),
        *logs,
        *(section.comment(report, room) for section in SECTIONS.values()),
        _footer(report),
    )
    return paragraphs(*parts) + "\n"


def _top(report: Report, room: Room) -> str:
    verdict = report.verdict
    added = markdown(comparison.nothing_added(report))
    banner = _banner(report.review, room) if report.review else ""
    return paragraphs(f"### {verdict.state.icon} {markdown(verdict.sentence)}", added, banner)


def _banner(review: Review, room: Room) -> str:
    """Return what a reviewer must know before trusting the figures, in one box."""
    changes = review.limit_changes
    unread = bool(review.proposed) and not changes
    looks_better = review.measuring_changes or unread or any(change.looser for change in changes)
    body = paragraphs(
        _limit_changes(review, room.limits), *_measured_otherwise(review, room), _vouching(review)
    )
    return alert("WARNING" if looks_better else "NOTE", body) if body else ""


def _limit_changes(review: Review, shown: int) -> str:
    if not review.limit_changes and not review.proposed:
        return ""
    order = sorted(review.limit_changes, key=lambda change: not change.looser)
    proposed = f" By the proposed ones: {markdown(review.proposed)}" if review.proposed else ""
    branch = code(review.base_branch)
    lead = f"**This pull request changes limits.** Judged by those of {branch}.{proposed}"
    return paragraphs(lead, bullets([_limit_change(change) for change in order], shown))


def _limit_change(change: LimitChange) -> str:
    looser = " (looser)" if change.looser else ""
    return f"{code(change.key)}: {markdown(change.old, 200)} → {markdown(change.new, 200)}{looser}"


def _measured_otherwise(review: Review, room: Room) -> tuple[str, ...]:
    """Return changed ways of measuring, access to the machine, and whose job measured."""
    files = tuple(map(code, review.measuring_changes))
    access = markdown(describe_host_access(review.host_access))
    return (
        f"**This pull request changes how it is measured:** {format_list(files, room.files)}. "
        "Its numbers may not be comparable."
        if files
        else "",
        f"**Not vouched for:** {access}. {code('allow_host_access')} in {code('budgets.yml')} of "
        f"{code(review.base_branch)} accepts that."
        if review.host_access
        else "",
        f"**Self-reported:** measured by a job of {code(review.self_reported)}."
        if review.self_reported
        else "",
    )


def _vouching(review: Review) -> str:
    """Return who vouches for the numbers, or how a maintainer does."""
    if review.confirmed_by:
        return f"**Confirmed** for this commit by {code(review.confirmed_by)}."
    if not review.confirm_command:
        return ""
    return (
        "**Waits for a maintainer.** If you have read the changes and trust these numbers, confirm "
        f"them for this commit: {code(review.confirm_command)}, or "
        f"{_link('by hand', review.confirm_url)}."
    )


def _link(text: str, url: str) -> str:
    """Return a link to a run or a workflow; only to GitHub, elsewhere the address to read."""
    return f"[{text}]({url})" if _ACTIONS.fullmatch(url) else f"{text}: {code(url)}"


def _failure(failure: Failure | None) -> str:
    """Return the step that failed and left gaps: never to be overlooked."""
    if failure is None:
        return ""
    where = f" ({code(failure.place)})" if failure.place else ""
    message = f"**{markdown(failure.message)}**{where}"
    title = "The command that failed and its last lines" if failure.command else "Its last lines"
    output = paragraphs(
        fence((plain(failure.command),), "sh") if failure.command else "",
        fence(lines(failure.detail, 40), "text") if failure.detail.strip() else "",
    )
    box = alert("CAUTION", paragraphs(message, markdown(failure.advice)))
    return paragraphs(box, folded(title, output))


def _causes_and_figures(report: Report, room: Room) -> tuple[str, ...]:
    """Return what is wrong and the table; a cause comes before rows that are all green."""
    reasons = view.incomplete_reasons(report)
    gaps = [f"{State.INCOMPLETE.icon} {markdown(reason)}" for reason in reasons]
    causes = _wrong(report, room), titled("Not measured", bullets(gaps, room.problems))
    limits, review = view.limits(report), report.review
    table = md_table(limits, markdown, bold=True)
    checks = report.verdict.checks
    figures = [table if any(not isinstance(c.value, Missing) for c in checks) else ""]
    if review and isinstance(review.comparison, Missing):
        reason = markdown(review.comparison.reason)
        figures.append(f"Not compared with {code(review.base_branch)}: {reason}")
    is_green = all(row.state is not State.NO_GO for row in limits.rows)
    causes_first = report.verdict.state is State.NO_GO and is_green
    return (*causes, *figures) if causes_first else (*figures, *causes)


def _wrong(report: Report, room: Room) -> str:
    """Return every failing check with its place; what the branch fails, too, after what is new."""
    listed = [
        problem for problem in view.problems(report) if not _repeats(problem.check, report.failure)
    ]
    title = view.failing_title([problem.check for problem in listed])
    new = sum(not problem.inherited for problem in listed)
    most = min(OPEN, new + OPEN_INHERITED) if new else OPEN
    first, rest = split_open([_problem(problem) for problem in listed], most)
    more = folded(f"{len(rest):,} more", bullets(rest, room.problems))
    return paragraphs(titled(title, bullets(first, len(first))), more)


def _repeats(check: Check, failure: Failure | None) -> bool:
    """Return whether a gap only repeats what the failed step says."""
    if failure is None or check.state is not State.INCOMPLETE:
        return False
    return check.message.endswith(f": {failure.message}")


def _problem(problem: view.Problem) -> str:
    where = f" ({code(problem.place)})" if problem.place else ""
    remark = f" · _{markdown(problem.remark)}_" if problem.remark else ""
    icon = problem.check.state.icon
    return f"{icon} {markdown(problem.message)}{where}{remark}{problem.rest}"


def _step(step: Step) -> str:
    quoted = f" {code(step.quoted)}" if step.quoted else ""
    fix = f" {prose(step.fix)}" if step.fix else ""
    at = code(step.fix_place) if step.fix_place else ""
    limit = f"limit: {code(step.place)}" if step.place else ""
    places = ", ".join(filter(None, (at, limit)))
    return f"{markdown(step.text)}{quoted}{fix}{f' ({places})' if places else ''}"


def _footer(report: Report) -> str:
    """Return commits, environment, the link to the run, and last the command."""
    facts = [markdown(fact) for fact in (*view.facts(report), view.environment_line(report))]
    url = report.review.run_url if report.review else ""
    run = [_link("Full report and all numbers", url)] if url else []
    command = fence((plain(report.reproduce),), "sh")
    text = "<br>\n".join(filter(None, (*facts, *run)))
    return paragraphs(text, "Reproduce it locally:", command)
