"""Bytes of images by cause and the fixes for them, selected and added up for all renderers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from onegig.model.images import Accounting, Cause, Dead, Fix, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.sizes import Convention
from onegig.report import numbers
from onegig.report.layout import Row, Table
from onegig.text import format_list

SHORT: Mapping[Cause, str] = {  # over columns of figures
    Cause.BASE: "base OS",
    Cause.RUNTIME: "runtime",
    Cause.DEPENDENCY: "deps",
    Cause.DEVELOPMENT: "dev",
    Cause.CACHE: "cache",
    Cause.DOCUMENTATION: "docs",
    Cause.APPLICATION: "app",
    Cause.UNEXPLAINED: "unknown",
}
TOGETHER = "all on disk"
_FLOOR_BYTES, _FLOOR_SHARE = 5 * 1000**2, 0.10
_WORTH_SHARE = 0.05  # of an image


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Bytes by cause: `causes` and `dead_bytes` add up to `size_bytes`."""

    name: str
    size_bytes: int
    dead_bytes: int
    causes: Mapping[Cause, int]
    eliminable_bytes: int

    @property
    def bloat(self) -> str:
        """Return the size over application and dependencies as "6.3x"; a dash without any."""
        useful = self.causes[Cause.APPLICATION] + self.causes[Cause.DEPENDENCY]
        return f"{self.size_bytes / useful:,.1f}{numbers.TIMES}" if useful else numbers.DASH


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """One fix for all images it is the same in; layers that they share are counted once."""

    text: str
    place: str
    images: tuple[str, ...]
    saved_bytes: int

    @property
    def saving(self) -> str:
        """Return the saving: "saves 82 MB", or "worth a try" if it was not measured."""
        return f"saves {numbers.storage(self.saved_bytes)}" if self.saved_bytes else "worth a try"

    @property
    def whose(self) -> str:
        """Return the owner of the image: "market-data", "market-data and 14 more"."""
        return format_list(self.images, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """A sentence and the images that it is about."""

    images: tuple[str, ...]
    text: str

    @property
    def line(self) -> str:
        """Return the sentence after the names."""
        return f"{format_list(self.images, 1)}: {self.text}"


def images_of(report: ImagesReport | Missing) -> tuple[Image, ...]:
    """Return the images, largest first; none if they are missing."""
    images = () if isinstance(report, Missing) else report.images
    return tuple(sorted(images, key=lambda image: (-image.size_bytes, image.reference)))


def images_by_service(report: ImagesReport | Missing) -> dict[str, Image]:
    """Return each service's image."""
    images = () if isinstance(report, Missing) else report.images
    return {service: image for image in images for service in image.services}


def image_name(image: Image) -> str:
    """Return the service that runs the image, and how many more do."""
    if not image.services:
        return image.reference
    more = f" +{len(image.services) - 1}" if len(image.services) > 1 else ""
    return image.services[0] + more


def accounted(report: ImagesReport | Missing) -> tuple[tuple[Image, Accounting], ...]:
    """Return the images whose bytes are accounted for, largest first."""
    pairs = ((image, image.accounting) for image in images_of(report))
    return tuple((image, account) for image, account in pairs if not isinstance(account, Missing))


def split(image: Image, account: Accounting) -> Split:
    """Return the bytes of an image by cause."""
    return Split(
        name=image_name(image),
        size_bytes=image.size_bytes,
        dead_bytes=account.dead_bytes,
        causes={cause: account.bytes_of(cause) for cause in Cause},
        eliminable_bytes=account.eliminable_bytes,
    )


def splits(report: ImagesReport | Missing) -> tuple[Split, ...]:
    """Return each accounted image, largest first."""
    return tuple(split(image, account) for image, account in accounted(report))


def on_disk(report: ImagesReport | Missing) -> Split | None:
    """Return the whole stack, layers that images share counted once; None without all accounts.

    What is live in one image may be dead in another: it is dead if it is so in all of them.
    """
    pairs = accounted(report)
    if isinstance(report, Missing) or len(pairs) < len(report.images) or not pairs:
        return None
    live: dict[tuple[str, Cause], int] = {}
    for image, account in pairs:
        own: dict[tuple[str, Cause], int] = {}
        for part in account.parts:
            key = _chain(image, max(part.layers, default=None)), part.cause
            own[key] = own.get(key, 0) + part.bytes
        live |= {key: max(size, live.get(key, 0)) for key, size in own.items()}
    causes = {cause: sum(n for key, n in live.items() if key[1] is cause) for cause in Cause}
    dead_bytes = report.disk_bytes - sum(causes.values())
    if dead_bytes < 0:  # a file has one cause here, another there: what is shared is not known
        return None
    return Split(
        name=TOGETHER,
        size_bytes=report.disk_bytes,
        dead_bytes=dead_bytes,
        causes=causes,
        eliminable_bytes=eliminable_bytes(report),
    )


def causes_table(shown: Sequence[Split], together: Split | None, *, is_whole: bool = True) -> Table:
    """Return bytes by cause, without causes that have none; `is_whole`: with size and savings."""
    entries = (*shown, *((together,) if together else ()))
    causes = [cause for cause in Cause if any(entry.causes[cause] for entry in entries)]
    heads = ["image", *(SHORT[cause] for cause in causes), "dead"]
    if is_whole:
        heads = ["image", "size", *heads[1:], "eliminable", "bloat"]
    rows = []
    for entry in entries:
        sizes = [*(entry.causes[cause] for cause in causes), entry.dead_bytes]
        if is_whole:
            sizes = [entry.size_bytes, *sizes, entry.eliminable_bytes]
        cells = [numbers.tenths(size, Convention.STORAGE) for size in sizes]
        bloat = [entry.bloat] if is_whole else []
        rows.append(Row(name=entry.name, cells=(*cells, *bloat), is_total=entry is together))
    return Table(heads=tuple(heads), rows=tuple(rows))


def eliminable_bytes(report: ImagesReport | Missing) -> int:
    """Return the bytes that all fixes save plus other dead bytes, counting shared layers once."""
    savings: dict[object, int] = {}
    for image, account in accounted(report):
        fixes: dict[object, int] = {
            (_chain(image, fix.layer), fix.text): fix.bytes for fix in account.fixes
        }
        dead = tuple((_chain(image, each.layer), each.fate, each.bytes) for each in account.dead)
        savings |= fixes
        savings[dead] = max(0, account.eliminable_bytes - sum(fixes.values()))
    return sum(savings.values())


def eliminable_line(report: ImagesReport | Missing) -> str:
    """Return the line about savings, or "" if they are small or not known."""
    total = eliminable_bytes(report)
    much = total >= _FLOOR_BYTES or any(
        account.eliminable_bytes >= _FLOOR_SHARE * image.size_bytes > 0
        for image, account in accounted(report)
    )
    if isinstance(report, Missing) or not much:
        return ""
    disk = numbers.storage(report.disk_bytes)
    return f"Eliminable: {numbers.storage(total)} of the images' {disk}"


def advice(report: ImagesReport | Missing) -> tuple[Advice, ...]:
    """Return every fix once, the largest saving first."""
    groups: dict[tuple[str, str], dict[str, int]] = {}
    names: dict[tuple[str, str], list[str]] = {}
    for image, account in accounted(report):
        for fix in account.fixes:
            key = fix.text, fix.place
            groups.setdefault(key, {})[_chain(image, fix.layer)] = fix.bytes
            names.setdefault(key, []).append(image_name(image))
    fixes = [
        Advice(text=text, place=place, images=tuple(names[text, place]), saved_bytes=sum(saved))
        for (text, place), saved in ((key, group.values()) for key, group in groups.items())
    ]
    return tuple(sorted(fixes, key=lambda fix: -fix.saved_bytes))


def largest_fix(image: Image) -> Fix | None:
    """Return the largest fix of an image, or None if it would save very little."""
    fixes = () if isinstance(image.accounting, Missing) else image.accounting.fixes
    worth = [fix for fix in fixes if fix.bytes >= _WORTH_SHARE * image.size_bytes]
    return max(worth, key=lambda fix: fix.bytes, default=None)


def fix_of(account: Accounting, dead: Dead) -> Fix | None:
    """Return the fix of dead bytes: about one of its two layers, and no more bytes than it has."""
    fixes = (fix for fix in account.fixes if fix.layer in (dead.layer, dead.killer))
    return next((fix for fix in fixes if 0 < fix.bytes <= dead.bytes), None)


def not_accounted(report: ImagesReport | Missing) -> tuple[Sentence, ...]:
    """Return why bytes are not accounted for, with the images that this is about."""

    def reason(image: Image) -> str:
        if not isinstance(image.accounting, Missing):
            return ""
        short, why = "not accounted for", image.accounting.reason
        return f"bytes by cause: {short}" + ("" if why == short else f": {why}")

    return grouped(images_of(report), reason)


def dive_remarks(report: ImagesReport | Missing) -> tuple[Sentence, ...]:
    """Return the differences between dive and the account, and their reasons."""
    remarks = {image.reference: account.remark for image, account in accounted(report)}
    return grouped(images_of(report), lambda image: remarks.get(image.reference, ""))


def grouped(images: Iterable[Image], say: Callable[[Image], str]) -> tuple[Sentence, ...]:
    """Return each sentence once, with all images that it is about."""
    groups: dict[str, list[str]] = {}
    for image in images:
        text = say(image)
        if text:
            groups.setdefault(text, []).append(image_name(image))
    return tuple(Sentence(images=tuple(names), text=text) for text, names in groups.items())


def _chain(image: Image, at: int | None) -> str:
    """Return what two images must share for something in this layer to be the same."""
    known = at is not None and 0 <= at < len(image.layers)
    return image.layers[at or 0].chain_id if known else image.reference
