"""What is to be said of a stack's Dockerfiles: each remark with its place, the worst first."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onegig.model.dockerfiles import DockerfilePolicy, Level, Remark
from onegig.model.images import ImagesReport
from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.report import changes, words

Known = Mapping[changes.Key, int | Missing]
_ORDER = {level: place for place, level in enumerate(Level)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One remark. `new`: that it is, "1 of 3 new" where they can't be told apart, else ""."""

    remark: Remark
    new: str

    @property
    def place(self) -> str:
        """Such as "services/Dockerfile:12"."""
        return f"{self.remark.path}:{self.remark.line}"


def rows(report: Report) -> tuple[Row, ...]:
    """Every remark: errors, warnings, hints; of each level what is new first."""
    known = changes.remarks(report)
    found = [row for one in _files(report) for row in _rows(one, known)]
    return tuple(sorted(found, key=lambda one: (_ORDER[one.remark.level], not one.new)))


def title(report: Report) -> str:
    """Such as "Dockerfiles: 3 remarks in 2 files, 1 of them new"; "" where there is nothing."""
    files = _files(report)
    remarked = [one for one in files if one.remarks]
    remarks = sum(len(one.remarks) for one in remarked)
    known = changes.remarks(report)
    new = sum(sum(_added(one, known).values()) for one in files)
    unlinted = sum(isinstance(one.hadolint, Missing) for one in files)
    found = f"{words.plural(remarks, 'remark')} in {words.plural(len(remarked), 'file')}"
    told = (
        found + (f", {new:,} of them new" if new else "") if remarks else "",
        f"{unlinted:,} not linted" if unlinted else "",
        "hadolint by the project's settings" if any(one.settings for one in files) else "",
    )
    return f"Dockerfiles: {'; '.join(filter(None, told))}" if any(told) else ""


def told(report: ImagesReport) -> Iterator[str]:
    """A line for each remark, the worst of each file first, and for what was not looked at."""
    for one in report.dockerfiles:
        for remark in one.remarks:
            place = f"{remark.path}:{remark.line}"
            yield f"{place}: {remark.level}: {remark.text} ({remark.rule})"
    yield from about_hadolint(report)


def about_hadolint(report: ImagesReport | Missing) -> Iterator[str]:
    """Yield what hadolint did not look at, and why, and whose settings it follows: each once."""
    files = () if isinstance(report, Missing) else report.dockerfiles
    reasons: dict[str, list[DockerfilePolicy]] = {}
    for one in files:
        if isinstance(one.hadolint, Missing):
            reasons.setdefault(one.hadolint.reason, []).append(one)
    for reason, unlinted in reasons.items():
        yield f"{', '.join(one.path for one in unlinted)}: {reason}"
    for settings in dict.fromkeys(one.settings for one in files if one.settings):
        yield f"hadolint follows {settings}"


def _rows(file: DockerfilePolicy, known: Known) -> Iterator[Row]:
    counts, added = _counts(file), _added(file, known)
    for remark in file.remarks:
        yield Row(remark=remark, new=_new(added[remark.told], counts[remark.told]))


def _new(new: int, now: int) -> str:
    if not new:
        return ""
    return "new" if new == now else f"{new:,} of {now:,} new"


def _added(file: DockerfilePolicy, known: Known) -> Counter[str]:
    """How many more there are of each remark than before; what can't be compared is not new."""
    found: Counter[str] = Counter()
    for told, now in _counts(file).items():
        before = known.get((file.path, told))
        found[told] = max(0, now - before) if isinstance(before, int) else 0
    return found


def _counts(file: DockerfilePolicy) -> Counter[str]:
    return Counter(remark.told for remark in file.remarks)


def _files(report: Report) -> tuple[DockerfilePolicy, ...]:
    return () if isinstance(report.images, Missing) else report.images.dockerfiles
