"""The report as a GitHub comment and job summary: verdict and headroom first, the rest folded.

Every word from outside passes through `escape`; the document stays under GitHub's limit by leaving
out whole rows, the least important first, and says so.
"""

from onegig.model.report import Report
from onegig.model.state import State
from onegig.report import changes, view
from onegig.report.comment import images, problems, tables
from onegig.report.comment.banners import banner
from onegig.report.comment.dockerfiles import dockerfiles
from onegig.report.comment.footer import footer
from onegig.report.comment.room import ROOMS, Room
from onegig.report.comment.syntax import paragraphs
from onegig.report.comment.waterfalls import waterfalls
from onegig.text import markdown

MAX_CHARACTERS = 65_000  # GitHub takes 65,536; whoever posts it adds a marker
_TOO_LONG = "_All the rest is too long for a comment; the full report has it._"


def render(report: Report) -> str:
    """The comment; at most MAX_CHARACTERS long."""
    for room in ROOMS:
        document = _document(report, room)
        if len(document) <= MAX_CHARACTERS:
            return document
    return _joined(_top(report), banner(report, ROOMS[-1]), _TOO_LONG, footer(report))


def _document(report: Report, room: Room) -> str:
    return _joined(
        _top(report),
        banner(report, room),
        problems.failure(report),
        *_causes_and_figures(report, room),
        problems.todo(report),
        images.eliminable(report),
        problems.notes(report, room),
        problems.logs(report, room),
        tables.changed(report, room),
        waterfalls(report),
        tables.others(report, room),
        images.bytes_by_cause(report, room),
        dockerfiles(report, room),
        tables.engine(report),
        footer(report),
    )


def _causes_and_figures(report: Report, room: Room) -> tuple[str, ...]:
    """Return what is wrong and the table; a cause comes before rows that are all green."""
    causes = problems.wrong(report, room), problems.not_measured(report, room)
    figures = tables.summary(report), tables.no_baseline(report)
    failed = [row.check.state is State.NO_GO for row in view.summary(report.verdict)]
    first = report.verdict.state is State.NO_GO and not any(failed)
    return (*causes, *figures) if first else (*figures, *causes)


def _top(report: Report) -> str:
    verdict = report.verdict
    added = markdown(changes.nothing_added(report))
    return paragraphs((f"### {verdict.state.icon} {markdown(verdict.sentence)}", added))


def _joined(*parts: str) -> str:
    return paragraphs(parts) + "\n"
