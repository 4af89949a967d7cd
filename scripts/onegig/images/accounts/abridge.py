"""A report of a large stack made short enough to hand on: sums stay, the smallest items go."""

from collections.abc import Iterable
from dataclasses import replace

from onegig.model.accounting import Accounting, Cause, Part
from onegig.model.images import Image, ImagesReport
from onegig.model.measured import Missing

MOST_ITEMS = 40_000  # parts and losses of all images together
FEWEST = 30  # of one image


def abridge(report: ImagesReport, most: int = MOST_ITEMS) -> ImagesReport:
    """The report with at most about `most` parts and losses, unchanged where it has no more.

    Of each image the largest parts stay; what is left of a cause in a layer becomes one part of no
    name. The largest losses stay; the sums by fate tell of the others.
    """
    if sum(map(_items, report.images)) <= most:
        return report
    each = max(FEWEST, most // (2 * len(report.images)))
    return replace(report, images=tuple(_short(image, each) for image in report.images))


def _items(image: Image) -> int:
    account = image.accounting
    return 0 if isinstance(account, Missing) else len(account.parts) + len(account.dead)


def _short(image: Image, most: int) -> Image:
    account = image.accounting
    return image if isinstance(account, Missing) else replace(image, accounting=_cut(account, most))


def _cut(account: Accounting, most: int) -> Accounting:
    dead = sorted(account.dead, key=lambda one: -one.bytes)[:most]
    if len(account.parts) <= most:
        return replace(account, dead=tuple(dead))
    ordered = sorted(account.parts, key=lambda one: (not one.name, -one.bytes))
    kept = {id(part) for part in ordered[:most]}
    stay = [part for part in account.parts if id(part) in kept]
    rest = [part for part in account.parts if id(part) not in kept]
    return replace(account, dead=tuple(dead), parts=(*stay, *_together(rest)))


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
