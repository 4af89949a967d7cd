"""What is wrong and what to do about it: what stopped the run, what fails, the last words."""

from onegig.model.report import Failure, Report
from onegig.model.state import State
from onegig.model.verdict import Check
from onegig.report import view
from onegig.report.advice import Step, steps
from onegig.report.comment.room import Room
from onegig.report.comment.syntax import (
    alert,
    bullets,
    folded,
    opened,
    paragraphs,
    prose,
    titled,
)
from onegig.text import code, fence, html, lines, markdown, plain

OPEN = 8  # failures that are listed without a click
OPEN_INHERITED = 3  # of those that the branch has, too, where there are new ones


def failure(report: Report) -> str:
    """The step that failed and left gaps: never to be overlooked."""
    found = report.failure
    if found is None:
        return ""
    where = f" ({code(found.place)})" if found.place else ""
    told = alert(
        "CAUTION", paragraphs((f"**{markdown(found.message)}**{where}", markdown(found.advice)))
    )
    return paragraphs((told, _output(found)))


def _output(found: Failure) -> str:
    parts = (
        fence((plain(found.command),), "sh") if found.command else "",
        fence(lines(found.detail, 40), "text") if found.detail.strip() else "",
    )
    title = "The command that failed and its last lines" if found.command else "Its last lines"
    return folded(title, paragraphs(parts)) if any(parts) else ""


def wrong(report: Report, room: Room) -> str:
    """Every failing check with its place; what the branch fails, too, after what is new."""
    listed = [one for one in view.problems(report) if not _is_told(one.check, report.failure)]
    title = view.failing_title([one.check for one in listed])
    new = sum(not one.inherited for one in listed)
    most = min(OPEN, new + OPEN_INHERITED) if new else OPEN
    first, rest = opened([_problem(one) for one in listed], most)
    more = bullets(rest, room.problems)
    folded_rest = folded(f"{len(rest):,} more", more) if rest else ""
    return paragraphs((titled(title, bullets(first, len(first))), folded_rest))


def not_measured(report: Report, room: Room) -> str:
    """What could not be measured, as far as no failing check says so."""
    reasons = [
        f"{State.INCOMPLETE.icon} {markdown(one)}" for one in view.incomplete_reasons(report)
    ]
    return titled("Not measured", bullets(reasons, room.problems))


def notes(report: Report, room: Room) -> str:
    """What decides nothing but should be known: waivers that end, what was left out."""
    told = [markdown(note) for note in report.verdict.notes]
    return titled("Notes", bullets(told, room.limits))


def todo(report: Report) -> str:
    """The steps out of a NO-GO."""
    found = [_step(step) for step in steps(report)]
    return titled("What to do", bullets(found, len(found)))


def logs(report: Report, room: Room) -> str:
    """The last lines of services that failed, folded."""
    return paragraphs(
        [
            folded(f"Last lines of {html(one.name)}", fence(lines(one.log_tail), "text"))
            for one in view.failed_with_log(report)[: room.logs]
        ]
    )


def _is_told(check: Check, found: Failure | None) -> bool:
    """Whether a gap only repeats what the failed step says."""
    if found is None or check.state is not State.INCOMPLETE:
        return False
    return check.message.endswith(f": {found.message}")


def _problem(problem: view.Problem) -> str:
    check = problem.check
    where = f" ({code(problem.place)})" if problem.place else ""
    remark = f" · _{markdown(problem.remark)}_" if problem.remark else ""
    return f"{check.state.icon} {markdown(problem.message)}{where}{remark}{problem.rest}"


def _step(step: Step) -> str:
    quoted = f" {code(step.quoted)}" if step.quoted else ""
    fix = f" {prose(step.fix)}" if step.fix else ""
    at = code(step.fix_place) if step.fix_place else ""
    limit = f"limit: {code(step.place)}" if step.place else ""
    places = ", ".join(filter(None, (at, limit)))
    return f"{markdown(step.text)}{quoted}{fix}{f' ({places})' if places else ''}"
