"""A report of a large stack made short enough to hand on: sums stay, the smallest items go.

`onegig comment` reads what strangers' code wrote, so it takes only so much. Nothing is taken away
where all of it fits; else each image keeps fewer and fewer of its items until it does.

The findings of one image made fewer, so that limits judge what is left as they judge all. Pure.

A limit counts by kind, severity and whether there is a fix, and lets a vulnerability pass where the
base has its package: all of that is kept of what goes. What is let pass by its name (by a waiver,
or as a secret that the base has, too) stays longest.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest

from onegig.github.trusted.artifact import MOST_FILE_BYTES, MOST_OBJECTS, MOST_VALUES
from onegig.github.trusted.plausibility import MOST_FIXES, MOST_ITEMS
from onegig.judge.scan import Weight
from onegig.model.codec import to_json
from onegig.model.images import Accounting, Cause, Dive, Image, ImagesReport, Part
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Finding, Scan

TOO_MANY = Unknown(reason="there are more packages than can be handed on")
_UNCOUNTED = max(Weight) + 1


def shorten_scan(scan: Scan, most: int, weights: Mapping[Finding, Weight]) -> Scan:
    """Return at most `most` findings by name, and about as many groups that count the others."""
    if len(scan.findings) <= most:
        return scan
    kept = {*nsmallest(most, scan.findings, key=lambda one: _order(one, weights))}
    named = [one for one in scan.findings if one in kept]
    groups: dict[Finding, list[Finding]] = {}
    for one in scan.findings:
        if one not in kept:
            groups.setdefault(one.nameless, []).append(one)
    ranked = sorted(groups, key=lambda group: _rank(groups[group], weights))
    counts = Counter({group: len(groups[group]) for group in ranked[:most]})
    for group in ranked[most:]:
        counts[replace(group, target="", installed="", system="")] += len(groups[group])
    rest = (replace(group, count=count) for group, count in counts.items())
    return replace(scan, findings=(*named, *rest))


def _order(one: Finding, weights: Mapping[Finding, Weight]) -> tuple[object, ...]:
    """Sort what decides the verdict first, then the most severe."""
    names = one.id, one.target, one.installed
    return weights.get(one, _UNCOUNTED), -one.severity.rank, not one.fixed, *names


def _rank(group: Sequence[Finding], weights: Mapping[Finding, Weight]) -> tuple[object, ...]:
    """Sort those first that their package excuses, then those that count, then the largest."""
    weight = min(weights.get(one, _UNCOUNTED) for one in group)
    is_inherited = weight is Weight.INHERITED
    return not is_inherited, weight is _UNCOUNTED, -len(group), group[0].package


LENGTHS = (9_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 30, 20, 10, 5, 3)  # of an image's lists
Weights = Mapping[str, Mapping[Finding, Weight]]  # of each image's findings, by its reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What images.json may be as text."""

    bytes: int = MOST_FILE_BYTES["images.json"]
    objects: int = MOST_OBJECTS
    values: int = MOST_VALUES

    def holds(self, text: str) -> bool:
        """As the reader counts."""
        return (
            len(text.encode()) <= self.bytes
            and text.count("{") <= self.objects
            and text.count(",") <= self.values
        )


ROOM = Room()


def abridge(report: ImagesReport, weights: Weights, room: Room = ROOM) -> ImagesReport:
    """The report as far as there is room for it, unchanged where it all fits.

    Of each image the largest parts stay; what is left of a cause in a layer becomes one part of no
    name. The largest losses and fixes stay; the sums tell of the others. Of findings those stay
    that decide the verdict, then the gravest, and the others are counted by package and severity.
    Whole lists of packages go last: later runs are compared with them.
    """
    lean = _with_packages(report, MOST_ITEMS)
    bare = _with_packages(report, 0)
    found = _longest(lean, weights, room) or _longest(bare, weights, room)
    return found or _shorter(bare, LENGTHS[-1], weights)


def _longest(report: ImagesReport, weights: Weights, room: Room) -> ImagesReport | None:
    """The longest form that there is room for."""

    def fits(most: int) -> bool:
        return room.holds(to_json(_shorter(report, most, weights)))

    place = bisect_left(LENGTHS, 1, key=fits)
    return _shorter(report, LENGTHS[place], weights) if place < len(LENGTHS) else None


def _shorter(report: ImagesReport, most: int, weights: Weights) -> ImagesReport:
    return replace(report, images=tuple(_short(one, most, weights) for one in report.images))


def _short(image: Image, most: int, weights: Weights) -> Image:
    account, dive, scan = image.accounting, image.dive, image.scan
    if isinstance(account, Accounting):
        image = replace(image, accounting=_cut(account, most))
    if isinstance(dive, Dive):
        image = replace(image, dive=replace(dive, worst=dive.worst[:most]))
    if isinstance(scan, Scan):
        found = weights.get(image.reference, {})
        image = replace(image, scan=shorten_scan(scan, most, found))
    return image


def _with_packages(report: ImagesReport, most: int) -> ImagesReport:
    """Without the lists of more than `most` packages."""
    return replace(report, images=tuple(_without_many(image, most) for image in report.images))


def _without_many(image: Image, most: int) -> Image:
    scan = image.scan
    if isinstance(scan, Missing) or isinstance(scan.packages, Missing):
        return image
    return (
        image
        if len(scan.packages) <= most
        else replace(image, scan=replace(scan, packages=TOO_MANY))
    )


def _cut(account: Accounting, most: int) -> Accounting:
    dead = sorted(account.dead, key=lambda one: -one.bytes)[:most]
    fixes = account.fixes[: min(most, MOST_FIXES)]
    account = replace(account, dead=tuple(dead), fixes=fixes)
    if len(account.parts) <= most:
        return account
    ordered = sorted(account.parts, key=lambda one: (not one.name, -one.bytes))
    kept = {id(part) for part in ordered[:most]}
    stay = [part for part in account.parts if id(part) in kept]
    rest = [part for part in account.parts if id(part) not in kept]
    return replace(account, parts=(*stay, *_together(rest)))


def _together(parts: Iterable[Part]) -> Iterable[Part]:
    groups: dict[tuple[Cause, tuple[int, ...]], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.cause, part.layers), []).append(part)
    for (cause, layers), found in groups.items():
        yield Part(
            cause=cause,
            name="",
            kind="path",
            bytes=sum(part.bytes for part in found),
            files=sum(part.files for part in found),
            layers=layers,
        )
