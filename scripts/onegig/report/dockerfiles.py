"""The section about Dockerfiles: each remark with its place, the worst first, new ones marked."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import RenderableType

from onegig.model.images import DockerfilePolicy, ImagesReport, Level, Remark
from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.report import comparison, numbers

PAGE_SHOWN = 100
_ORDER = list(Level)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A remark. `new`: that it is, "1 of 3 new" if they can't be told apart, else ""."""

    remark: Remark
    new: str

    @property
    def place(self) -> str:
        """Return file and line: "services/Dockerfile:12"."""
        return f"{self.remark.path}:{self.remark.line}"


def terminal(report: Report, width: int) -> list[RenderableType]:
    """Return nothing: failing checks and notes name them, `onegig inspect` lists them."""
    return []


def values(report: Report) -> Mapping[str, object]:
    """Return what the templates show."""
    return {
        "title": title(report),
        "remarks": list_remarks(report),
        "shown": PAGE_SHOWN,
        "linting": tuple(linting(report.images)),
    }


def list_remarks(report: Report) -> tuple[Listed, ...]:
    """Return every remark: errors, warnings, hints, with new ones first in each level."""
    listed = []
    for file in _files(report.images):
        counts, added = _counts(file), _added(file, report)
        for remark in file.remarks:
            new, now = added[remark.summary], counts[remark.summary]
            text = "new" if new == now else f"{new:,} of {now:,} new"
            listed.append(Listed(remark=remark, new=text if new else ""))
    return tuple(sorted(listed, key=lambda item: (_ORDER.index(item.remark.level), not item.new)))


def title(report: Report) -> str:
    """Return "Dockerfiles: 3 remarks in 2 files, 1 of them new", or "" if there is nothing."""
    files = _files(report.images)
    remarked = [file for file in files if file.remarks]
    remarks = sum(len(file.remarks) for file in remarked)
    new = sum(sum(_added(file, report).values()) for file in files)
    unlinted = sum(isinstance(file.hadolint, Missing) for file in files)
    counts = f"{numbers.plural(remarks, 'remark')} in {numbers.plural(len(remarked), 'file')}"
    parts = (
        counts + (f", {new:,} of them new" if new else "") if remarks else "",
        f"{unlinted:,} not linted" if unlinted else "",
        "hadolint by the project's settings" if any(file.settings for file in files) else "",
    )
    return f"Dockerfiles: {'; '.join(filter(None, parts))}" if any(parts) else ""


def lines(report: ImagesReport) -> Iterator[str]:
    """Yield a line for each remark, the worst of each file first, and what was not linted."""
    for file in report.dockerfiles:
        for remark in file.remarks:
            text = f"{remark.level}: {remark.text} ({remark.rule})"
            yield f"{remark.path}:{remark.line}: {text}"
    yield from linting(report)


def linting(report: ImagesReport | Missing) -> Iterator[str]:
    """Yield files that hadolint did not check, the reasons, and its settings: each once."""
    reasons: dict[str, list[str]] = {}
    for file in _files(report):
        if isinstance(file.hadolint, Missing):
            reasons.setdefault(file.hadolint.reason, []).append(file.path)
    yield from (f"{', '.join(paths)}: {reason}" for reason, paths in reasons.items())
    for settings in dict.fromkeys(file.settings for file in _files(report) if file.settings):
        yield f"hadolint follows {settings}"


def _added(file: DockerfilePolicy, report: Report) -> Counter[str]:
    """Return how many more there are of each remark; what can't be compared is not new."""
    known = comparison.known_remarks(report)
    before = {text: known.get((file.path, text)) for text in _counts(file)}
    return _counts(file) - Counter(
        {text: count if isinstance(count, int) else 10**9 for text, count in before.items()}
    )


def _counts(file: DockerfilePolicy) -> Counter[str]:
    return Counter(remark.summary for remark in file.remarks)


def _files(report: ImagesReport | Missing) -> tuple[DockerfilePolicy, ...]:
    return () if isinstance(report, Missing) else report.dockerfiles
