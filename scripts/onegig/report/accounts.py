"""Where the bytes of images go and what to change, picked and added up once for all renderers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from onegig.model.images import Accounting, Cause, Dead, Fix, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.report import words
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
    def bloat(self) -> float | None:
        """How often the application and its dependencies would fit; None where there are none."""
        useful = self.causes[Cause.APPLICATION] + self.causes[Cause.DEPENDENCY]
        return self.size_bytes / useful if useful else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """One fix for all images it is the same in; layers that they share are counted once."""

    text: str
    place: str
    images: tuple[str, ...]
    saved_bytes: int

    @property
    def saving(self) -> str:
        """Such as "saves 82 MB"; "worth a try" for what was not measured."""
        if not self.saved_bytes:
            return "worth a try"
        return f"saves {words.storage(self.saved_bytes)}"

    @property
    def line(self) -> str:
        """Saving, text, place and whose, for a terminal."""
        return f"{self.saving}: {self.text} ({words.joined(self.place, self.whose)})"

    @property
    def whose(self) -> str:
        """Whose image is meant: "market-data", "market-data and 14 more"."""
        return format_list(self.images, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One sentence and the images it is so of."""

    images: tuple[str, ...]
    text: str

    @property
    def line(self) -> str:
        """The sentence after the names."""
        return f"{format_list(self.images, 1)}: {self.text}"


def accounted(report: ImagesReport | Missing) -> tuple[tuple[Image, Accounting], ...]:
    """The images whose bytes are accounted for, largest first."""
    if isinstance(report, Missing):
        return ()
    images = sorted(report.images, key=lambda one: (-one.size_bytes, one.reference))
    return tuple((one, one.accounting) for one in images if not isinstance(one.accounting, Missing))


def splits(report: ImagesReport | Missing) -> tuple[Split, ...]:
    """Each accounted image, largest first."""
    return tuple(split(image, account) for image, account in accounted(report))


def causes_of(found: Iterable[Split]) -> tuple[Cause, ...]:
    """The causes that have bytes in any of them."""
    known = {cause for one in found for cause, size in one.causes.items() if size}
    return tuple(cause for cause in Cause if cause in known)


def split(image: Image, account: Accounting) -> Split:
    """One image."""
    return Split(
        name=image_name(image),
        size_bytes=image.size_bytes,
        dead_bytes=account.dead_bytes,
        causes={cause: account.bytes_of(cause) for cause in Cause},
        eliminable_bytes=account.eliminable_bytes,
    )


def on_disk(report: ImagesReport) -> Split | None:
    """The whole stack, layers that images share counted once; None without accounts of all.

    What is live in one image may be dead in another: it is dead where it is so in all of them.
    """
    found = accounted(report)
    if len(found) < len(report.images) or not found:
        return None
    live: dict[tuple[str, Cause], int] = {}
    for image, account in found:
        for key, size in _live(image, account).items():
            live[key] = max(size, live.get(key, 0))
    causes = {cause: sum(n for key, n in live.items() if key[1] is cause) for cause in Cause}
    dead_bytes = report.disk_bytes - sum(causes.values())
    if dead_bytes < 0:  # one file is here for this, there for that: what is shared can't be told
        return None
    return Split(
        name=TOGETHER,
        size_bytes=report.disk_bytes,
        dead_bytes=dead_bytes,
        causes=causes,
        eliminable_bytes=eliminable_bytes(report),
    )


def eliminable_bytes(report: ImagesReport | Missing) -> int:
    """What all fixes save and what is dead besides, in layers that images share once."""
    savings: dict[object, int] = {}
    for image, account in accounted(report):
        fixes: dict[object, int] = {
            (_chain(image, fix.layer), fix.text): fix.bytes for fix in account.fixes
        }
        dead = tuple((_chain(image, one.layer), one.fate, one.bytes) for one in account.dead)
        savings |= fixes
        savings[dead] = max(0, account.eliminable_bytes - sum(fixes.values()))
    return sum(savings.values())


def advice(report: ImagesReport | Missing) -> tuple[Advice, ...]:
    """Every fix once, what saves most first."""
    groups: dict[tuple[str, str], dict[str, int]] = {}
    names: dict[tuple[str, str], list[str]] = {}
    for image, account in accounted(report):
        for fix in account.fixes:
            key = fix.text, fix.place
            groups.setdefault(key, {})[_chain(image, fix.layer)] = fix.bytes
            names.setdefault(key, []).append(image_name(image))
    found = [
        Advice(text=key[0], place=key[1], images=tuple(names[key]), saved_bytes=sum(saved.values()))
        for key, saved in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.saved_bytes))


def largest_fix(image: Image) -> Fix | None:
    """What saves most of an image; None where that is next to nothing."""
    if isinstance(image.accounting, Missing):
        return None
    worth = [one for one in image.accounting.fixes if one.bytes >= _WORTH_SHARE * image.size_bytes]
    return max(worth, key=lambda one: one.bytes, default=None)


def fix_of(account: Accounting, dead: Dead) -> Fix | None:
    """The fix that is about a loss: of one of its two layers, and of no more bytes than it has."""
    found = (fix for fix in account.fixes if fix.layer in (dead.layer, dead.killer))
    return next((fix for fix in found if 0 < fix.bytes <= dead.bytes), None)


def matters(report: ImagesReport | Missing) -> bool:
    """Whether what can be eliminated is worth an open line: of all images or a share of one."""
    return eliminable_bytes(report) >= _FLOOR_BYTES or any(
        account.eliminable_bytes >= _FLOOR_SHARE * image.size_bytes
        for image, account in accounted(report)
        if image.size_bytes
    )


def not_accounted(report: ImagesReport | Missing) -> tuple[Told, ...]:
    """Why bytes are not accounted for, with the images it is so of."""
    return _grouped(
        report, lambda one: _reason("bytes by cause", one.accounting, "not accounted for")
    )


def remarks(report: ImagesReport | Missing) -> tuple[Told, ...]:
    """Where dive and the account disagree, and why."""
    return _grouped(
        report, lambda one: "" if isinstance(one.accounting, Missing) else one.accounting.remark
    )


def bloat_factor(one: Split) -> str:
    """Such as "6.3x"; a dash where nothing is useful."""
    return words.DASH if one.bloat is None else f"{one.bloat:,.1f}{words.TIMES}"


def image_name(image: Image) -> str:
    """The service that runs it, and how many more do."""
    if not image.services:
        return image.reference
    more = f" +{len(image.services) - 1}" if len(image.services) > 1 else ""
    return image.services[0] + more


def _reason(what: str, value: object | Missing, short: str) -> str:
    """Such as "bytes by cause: not accounted for", and why where that says more."""
    if not isinstance(value, Missing):
        return ""
    return f"{what}: {short}" + ("" if value.reason == short else f": {value.reason}")


def _grouped(report: ImagesReport | Missing, say: Callable[[Image], str]) -> tuple[Told, ...]:
    """Each sentence once, with all images that it is so of."""
    found: dict[str, list[str]] = {}
    for image in _images(report):
        text = say(image)
        if text:
            found.setdefault(text, []).append(image_name(image))
    return tuple(Told(images=tuple(names), text=text) for text, names in found.items())


def _images(report: ImagesReport | Missing) -> Iterable[Image]:
    return () if isinstance(report, Missing) else report.images


def _chain(image: Image, at: int | None) -> str:
    """What two images must share for something in this layer of theirs to be the same."""
    known = at is not None and 0 <= at < len(image.layers)
    return image.layers[at or 0].chain_id if known else image.reference


def _live(image: Image, account: Accounting) -> dict[tuple[str, Cause], int]:
    """Live bytes by layer and cause."""
    found: dict[tuple[str, Cause], int] = {}
    for part in account.parts:
        key = _chain(image, max(part.layers, default=None)), part.cause
        found[key] = found.get(key, 0) + part.bytes
    return found
