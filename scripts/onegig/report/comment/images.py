"""Where the images' bytes go: what can be eliminated where it matters, the rest folded."""

from collections.abc import Sequence

from onegig.model.images import Cause, ImagesReport
from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.model.sizes import Convention
from onegig.report import accounts, changes, facts, scans, words
from onegig.report.advice import steps
from onegig.report.comment.room import Room
from onegig.report.comment.syntax import bullets, folded, paragraphs, prose, table, titled
from onegig.text import code, markdown

FIXES_SHOWN = 3


def eliminable(report: Report) -> str:
    """The worst fixes, unless what they save is little; those of "What to do" are not repeated."""
    if not accounts.matters(report.images):
        return ""
    told = {step.fix for step in steps(report)}
    found = accounts.advice(report.images)
    worth = [one for one in found if one.saved_bytes >= changes.VISIBLE and one.text not in told]
    fixes = [_fix(one) for one in worth[:FIXES_SHOWN]]
    title = markdown(facts.eliminable_line(report.images))
    return titled(title, bullets(fixes, len(fixes))) if fixes else f"**{title}**"


def bytes_by_cause(report: Report, room: Room) -> str:
    """A row for each image, what can lose most first, folded."""
    images = report.images
    found = sorted(accounts.splits(images), key=lambda one: -one.eliminable_bytes)
    if isinstance(images, Missing) or not found or not room.images:
        return ""
    causes = accounts.causes_of(found)
    together = accounts.on_disk(images) if len(found) > 1 else None
    shown = found[: room.images]
    rows = [_row(one, causes) for one in (*shown, *((together,) if together else ()))]
    heads = [
        "image",
        "size",
        *(accounts.SHORT[cause] for cause in causes),
        "dead",
        "eliminable",
        "bloat",
    ]
    left = len(found) - len(shown)
    cut = f"_The full report has {words.plural(left, 'image')} more._" if left else ""
    return folded(
        "Where the images' bytes go, in MB",
        paragraphs((table(heads, rows), cut, _legend(), _told(images))),
    )


def _told(images: ImagesReport) -> str:
    """Where dive disagrees, what trivy found, and what is missing with its reason."""
    missing = [markdown(one.line) for one in accounts.not_accounted(images)]
    dive = [markdown(one.line) for one in accounts.remarks(images)]
    trivy = [markdown(one.line) for one in scans.told(images)]
    return paragraphs(
        (
            titled("dive and the account disagree", bullets(dive, FIXES_SHOWN)),
            titled("What trivy found", bullets(trivy, FIXES_SHOWN)),
            bullets(missing, FIXES_SHOWN),
        )
    )


def _fix(one: accounts.Advice) -> str:
    where = ", ".join(filter(None, (code(one.place) if one.place else "", markdown(one.whose))))
    return f"{one.saving}: {prose(one.text)} ({where})"


def _row(one: accounts.Split, causes: Sequence[Cause]) -> list[str]:
    sizes = (one.size_bytes, *(one.causes[cause] for cause in causes), one.dead_bytes)
    figures = [words.tenths(size, Convention.STORAGE) for size in sizes]
    eliminable = words.tenths(one.eliminable_bytes, Convention.STORAGE)
    name = code(one.name) if one.name != accounts.TOGETHER else one.name
    return [name, *figures, eliminable, accounts.bloat_factor(one)]


def _legend() -> str:
    return (
        "Dead: what no container can reach. Bloat: size over application and runtime dependencies."
    )
