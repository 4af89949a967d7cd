"""The section about images: their sizes, where the bytes go, what to change, what trivy found."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from rich.console import RenderableType
from rich.text import Text

from onegig.model.images import Dive, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.report import Report
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.sizes import Convention
from onegig.model.state import State
from onegig.report import accounts, comparison, numbers
from onegig.report.advice import steps
from onegig.report.figures import ROWS_SHOWN, cause_legend, draw_causes, draw_sizes
from onegig.report.layout import Row, Table, section
from onegig.text import plain

LEGEND = (
    "Dead: bytes that no container can reach. Bloat: size divided by application and runtime "
    "dependencies."
)
_WORST_FIRST = tuple(Severity)[::-1]
_NOUNS = {
    FindingKind.VULNERABILITY: ("vulnerability", "vulnerabilities"),
    FindingKind.SECRET: ("secret", "secrets"),
    FindingKind.MISCONFIGURATION: ("misconfiguration", "misconfigurations"),
}


def terminal(report: Report, width: int) -> list[RenderableType]:
    """Return sizes, possible savings with the largest fix, and trivy's findings."""
    images = report.images
    if isinstance(images, Missing):
        return [section("Images", Text(plain(numbers.missing(images))))]
    eliminable = accounts.eliminable_line(images)
    if eliminable:
        fixes = accounts.advice(images)[:1]
        how = "".join(
            f": {fix.saving}: {fix.text} ({numbers.joined(fix.place, fix.whose)})" for fix in fixes
        )
        eliminable += f"; see `onegig inspect` for more{how}"
    gaps = (sentence.line for sentence in accounts.not_accounted(images))
    lines = (sizes_line(images), eliminable, *gaps, f"trivy: {trivy_line(images)}")
    return [section("Images", *(Text(plain(line)) for line in lines if line))]


def values(report: Report) -> Mapping[str, object]:
    """Return what the templates show."""
    images = report.images
    if isinstance(images, Missing):
        measured = not isinstance(report.memory, Missing)
        return {"images": None, "missing": numbers.missing(images), "memory": measured}
    rows, splits, advice = _order(report), accounts.splits(images), accounts.advice(images)
    together = accounts.on_disk(images) if len(splits) > 1 else None
    eliminable_first = sorted(splits, key=lambda split: -split.eliminable_bytes)
    known = {step.fix for step in steps(report)}  # "What to do" has them
    return {
        "images": images,
        "rows": rows,
        "splits": splits,
        "sizes_line": sizes_line(images),
        "sizes_table": partial(_sizes_table, rows),
        "draw_sizes": draw_sizes,
        "shown": ROWS_SHOWN,
        "not_accounted": accounts.not_accounted(images),
        "eliminable": accounts.eliminable_line(images),
        "draw_causes": draw_causes,
        "causes_table": accounts.causes_table(splits, together),
        "causes_legend": cause_legend((together,) if together else splits),
        "draw_table": lambda most: accounts.causes_table(eliminable_first[:most], together),
        "legend": LEGEND,
        "advice": advice,
        "other_fixes": [
            fix for fix in advice if fix.saved_bytes >= comparison.VISIBLE and fix.text not in known
        ],
        "dive_remarks": accounts.dive_remarks(images),
        "trivy": trivy_sentences(images),
    }


def _order(report: Report) -> tuple[Image, ...]:
    """Return every image, failing ones first, then the largest."""
    ranks: dict[str, int] = {}
    for check in report.verdict.checks:
        if "image" in check.id:
            ranks[check.subject] = max(ranks.get(check.subject, 0), check.state.rank)

    def rank(image: Image) -> int:
        return max(ranks.get(name, State.GO.rank) for name in (image.reference, *image.services))

    return tuple(sorted(accounts.images_of(report.images), key=lambda image: -rank(image)))


def _sizes_table(images: Sequence[Image]) -> Table:
    heads = ("image", "size", "own", "shared", "compressed", "layers", "efficiency", "wasted")
    rows = []
    for image in images:
        sizes = image.size_bytes, image.own_bytes, image.shared_bytes, image.compressed_bytes
        cells = (*map(megabytes, sizes), str(len(image.layers)), *dive_cells(image))
        rows.append(Row(name=image.reference, cells=cells))
    return Table(heads=heads, rows=tuple(rows))


def megabytes(value_bytes: int | Missing) -> str:
    """Return bytes on disk for a column of MB."""
    return numbers.tenths(value_bytes, Convention.STORAGE)


def dive_cells(image: Image) -> tuple[str, str]:
    """Return dive's efficiency and wasted bytes; dashes if it was not run."""
    if not isinstance(image.dive, Dive):
        return numbers.DASH, numbers.DASH
    return numbers.percent(image.dive.efficiency, down=True), megabytes(image.dive.wasted_bytes)


def sizes_line(images: ImagesReport) -> str:
    """Return the sizes of all images in one line."""
    return numbers.joined(
        numbers.plural(len(images.images), "image"),
        f"{numbers.storage(images.disk_bytes)} on disk, shared layers counted once",
        f"{numbers.storage(images.total_bytes)} added up",
    )


def trivy_sentences(report: ImagesReport) -> tuple[accounts.Sentence, ...]:
    """Return trivy's findings, the worst first, with the images of each sentence."""
    return accounts.grouped(sorted(report.images, key=_worst), lambda image: scan_text(image.scan))


def trivy_line(report: ImagesReport) -> str:
    """Return trivy's findings in all images in one line."""
    scans = [image.scan for image in report.images]
    done = [scan for scan in scans if isinstance(scan, Scan)]
    if not done:
        return "; ".join(
            dict.fromkeys(_reason(scan) for scan in scans if isinstance(scan, Missing))
        )
    missing = len(scans) - len(done)
    unclear = {group.kind for scan in done for group in scan.nameless if not group.package}
    return numbers.joined(
        describe_counts(_distinct(done), unclear) or _nothing(done),
        f"not scanned: {numbers.plural(missing, 'image')}" if missing else "",
        *dict.fromkeys(text for scan in done for text in _databases(scan)),
    )


def scan_text(scan: Scan | Missing) -> str:
    """Return "2 critical and 5 high vulnerabilities · 1 high secret · database of 2026-11-23"."""
    if isinstance(scan, Missing):
        return _reason(scan)
    left_out = sum(group.count for group in scan.nameless)
    return numbers.joined(
        describe_counts(scan.findings) or _nothing((scan,)),
        f"{left_out:,} of them not listed" if left_out else "",
        *_databases(scan),
    )


def describe_counts(findings: Iterable[Finding], at_least: Collection[FindingKind] = ()) -> str:
    """Return the number of findings of each kind and severity, at least for some, or ""."""
    counts_by_kind: Counter[tuple[FindingKind, Severity]] = Counter()
    for finding in findings:
        counts_by_kind[finding.kind, finding.severity] += finding.count
    parts = []
    for kind, nouns in _NOUNS.items():
        severities = {severity: counts_by_kind[kind, severity] for severity in _WORST_FIRST}
        total = sum(severities.values())
        counts = ", ".join(f"{n:,} {severity.lower()}" for severity, n in severities.items() if n)
        least = "at least " if kind in at_least else ""
        parts.append(f"{least}{counts} {nouns[total > 1]}" if total else "")
    return numbers.joined(*parts)


def _distinct(scans: Sequence[Scan]) -> Iterator[Finding]:
    """Yield the findings of all images, each once.

    Of a kind of which some were left out there are as many as the image has that has most, for
    each package: whoever has the same has the same vulnerabilities in it.
    """
    by_number = {group.kind for scan in scans for group in scan.nameless}
    yield from {f: None for scan in scans for f in scan.findings if f.kind not in by_number}
    most: Counter[Finding] = Counter()
    for scan in scans:
        counts: Counter[Finding] = Counter()
        for finding in scan.findings:
            if finding.kind in by_number:
                counts[replace(finding.nameless, count=0)] += finding.count
        most |= counts
    yield from (replace(group, count=count) for group, count in most.items())


def _nothing(scans: Sequence[Scan]) -> str:
    """Return "no findings" only if all was looked for that could be found."""
    databases = [database for scan in scans for database in (scan.database, scan.java_database)]
    return "" if any(isinstance(entry, Missing) for entry in databases) else "no findings"


def _databases(scan: Scan) -> Iterator[str]:
    """Yield the age of the database, and what could not be looked up."""
    if isinstance(scan.database, Missing):
        yield f"vulnerabilities not scanned: {scan.database.reason}"
    else:
        yield f"database of {scan.database[:10]}"
    if isinstance(scan.java_database, Missing):
        yield f"Java archives not scanned: {scan.java_database.reason}"


def _reason(missing: Missing) -> str:
    """Return "not scanned: no database"; a reason that says so itself stands alone."""
    reason = missing.reason
    return reason if reason.startswith("not scanned") else f"not scanned: {reason}"


def _worst(image: Image) -> tuple[int, str]:
    """Order the most severe first, images that were not scanned before those without findings."""
    if isinstance(image.scan, Missing):
        return len(_WORST_FIRST), image.reference
    ranks = (_WORST_FIRST.index(finding.severity) for finding in image.scan.findings)
    return min(ranks, default=len(_WORST_FIRST) + 1), image.reference
