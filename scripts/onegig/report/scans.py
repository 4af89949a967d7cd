"""What trivy found in images, in words: never zero for what was not looked for."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.report import words
from onegig.report.accounts import Told, image_name

_WORST_FIRST = tuple(Severity)[::-1]
_NOUNS = {
    FindingKind.VULNERABILITY: ("vulnerability", "vulnerabilities"),
    FindingKind.SECRET: ("secret", "secrets"),
    FindingKind.MISCONFIGURATION: ("misconfiguration", "misconfigurations"),
}


def told(report: ImagesReport | Missing) -> tuple[Told, ...]:
    """What was found, the worst first, with the images it is so of."""
    if isinstance(report, Missing):
        return ()
    groups: dict[str, list[Image]] = {}
    for image in sorted(report.images, key=_worst):
        groups.setdefault(summary(image.scan), []).append(image)
    return tuple(
        Told(images=tuple(map(image_name, images)), text=text) for text, images in groups.items()
    )


def line(report: ImagesReport) -> str:
    """All images together."""
    scans = [image.scan for image in report.images]
    done = [scan for scan in scans if isinstance(scan, Scan)]
    if not done:
        reasons = dict.fromkeys(_reason(scan) for scan in scans if isinstance(scan, Missing))
        return "; ".join(reasons)
    missing = len(scans) - len(done)
    unclear = {one.kind for scan in done for one in scan.nameless if not one.package}
    return words.joined(
        counts(_distinct(done), at_least=unclear) or _nothing(done),
        f"not scanned: {words.plural(missing, 'image')}" if missing else "",
        *dict.fromkeys(text for scan in done for text in _databases(scan)),
    )


def summary(scan: Scan | Missing) -> str:
    """One image: "2 critical and 5 high vulnerabilities · 1 high secret · database of ..."."""
    if isinstance(scan, Missing):
        return _reason(scan)
    left_out = sum(one.count for one in scan.nameless)
    return words.joined(
        counts(scan.findings) or _nothing((scan,)),
        f"{left_out:,} of them not listed" if left_out else "",
        *_databases(scan),
    )


def counts(findings: Iterable[Finding], *, at_least: Collection[FindingKind] = ()) -> str:
    """How many of each kind and severity; empty for none. Of some kinds there may be more."""
    found: Counter[tuple[FindingKind, Severity]] = Counter()
    for one in findings:
        found[one.kind, one.severity] += one.count
    told = {kind: _count(kind, found) for kind in FindingKind}
    return words.joined(
        *(f"at least {text}" if text and kind in at_least else text for kind, text in told.items())
    )


def _distinct(scans: Sequence[Scan]) -> Iterator[Finding]:
    """Those of all images, each once.

    Of a kind of which some were left out there are as many as the image has that has most, for
    each package: whoever has the same has the same vulnerabilities in it.
    """
    by_number = {one.kind for scan in scans for one in scan.nameless}
    named: set[Finding] = set()
    most: Counter[Finding] = Counter()
    for scan in scans:
        numbers: Counter[Finding] = Counter()
        for one in scan.findings:
            if one.kind not in by_number:
                named.add(one)
                continue
            numbers[replace(one.nameless, count=0)] += one.count
        most |= numbers
    yield from named
    yield from (replace(one, count=count) for one, count in most.items())


def _nothing(scans: Sequence[Scan]) -> str:
    """Only where all was looked for that could be found."""
    databases = [database for one in scans for database in (one.database, one.java_database)]
    return "" if any(isinstance(one, Missing) for one in databases) else "no findings"


def _count(kind: FindingKind, found: Mapping[tuple[FindingKind, Severity], int]) -> str:
    numbers = {severity: found.get((kind, severity), 0) for severity in _WORST_FIRST}
    total = sum(numbers.values())
    if not total:
        return ""
    told = [f"{number:,} {severity.lower()}" for severity, number in numbers.items() if number]
    single, several = _NOUNS[kind]
    return f"{', '.join(told)} {single if total == 1 else several}"


def _databases(scan: Scan) -> Iterator[str]:
    """How old what was looked up is, and what could not be."""
    if isinstance(scan.database, Missing):
        yield f"vulnerabilities not scanned: {scan.database.reason}"
    else:
        yield f"database of {scan.database[:10]}"
    if isinstance(scan.java_database, Missing):
        yield f"Java archives not scanned: {scan.java_database.reason}"


def _reason(missing: Missing) -> str:
    """Such as "not scanned: no database"; a reason that says so itself stands alone."""
    reason = missing.reason
    return reason if reason.startswith("not scanned") else f"not scanned: {reason}"


def _worst(image: Image) -> tuple[int, str]:
    """The most severe first, images that were not scanned before those without findings."""
    if isinstance(image.scan, Missing):
        return len(_WORST_FIRST), image.reference
    places = [_WORST_FIRST.index(one.severity) for one in image.scan.findings]
    return min(places, default=len(_WORST_FIRST) + 1), image.reference
