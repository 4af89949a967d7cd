"""What is remarked about the Dockerfiles, folded; nothing where there is nothing to say."""

from onegig.model.report import Report
from onegig.report import policies, words
from onegig.report.comment.room import Room
from onegig.report.comment.syntax import bullets, folded, paragraphs, prose, table
from onegig.text import code, markdown, plain

REASONS_SHOWN = 3
_TEXT_LENGTH = 300


def dockerfiles(report: Report, room: Room) -> str:
    """Errors first, then warnings, then hints, each with its place and whether it is new."""
    title = policies.title(report)
    if not title:
        return ""
    rows = policies.rows(report)
    shown = rows[: room.remarks]
    left = len(rows) - len(shown)
    reasons = [markdown(one) for one in policies.about_hadolint(report.images)]
    heads = ("place", "rule", "what to do")
    parts = (
        table(heads, [_cells(one) for one in shown], figures=False) if shown else "",
        f"_The full report has {words.plural(left, 'remark')} more._" if left else "",
        bullets(reasons, REASONS_SHOWN),
    )
    return folded(title, paragraphs(parts))


def _cells(row: policies.Row) -> tuple[str, str, str]:
    remark = row.remark
    new = f", **{row.new}**" if row.new else ""
    text = prose(plain(remark.text, _TEXT_LENGTH))
    return code(row.place), f"{code(remark.rule)} {remark.level}{new}", text
