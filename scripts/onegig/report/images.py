"""The answer of `onegig inspect`: every image, where its bytes go, and what to change."""

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onegig.model.images import Dive, Duplicate, Image, ImagesReport
from onegig.model.measured import Missing
from onegig.model.sizes import Convention
from onegig.report import accounts, facts, policies, scans, words
from onegig.report.console import figures, listed, printed, section
from onegig.report.image_detail import detail
from onegig.text import format_list, format_rest, plain

FIXES_SHOWN, DUPLICATES_SHOWN, PLACES_SHOWN, REMARKS_SHOWN = 10, 5, 2, 20
WORTH_BYTES = 100_000  # of copies
_IMAGES = ("size", "own", "pull", "dead", "dive", "wasted", "bloat", "eliminable")
_LEGEND = (
    "pull: compressed; dead: what no container can reach, exactly; dive and wasted: dive's "
    "efficiency and wasted bytes; bloat: size over application and its packages"
)


def render_images(report: ImagesReport, width: int = 80) -> str:
    """Tables of images, largest first, and what would make them smaller, as text."""
    images = sorted(report.images, key=lambda one: (-one.size_bytes, one.reference))
    parts: list[RenderableType] = [
        section(_title(images), _images(images, width - 2)),
        *_causes(report, width - 2),
        *_fixes(report),
        *_told("dive and the account disagree", accounts.remarks(report)),
    ]
    if len(images) == 1:
        parts += detail(images[0], width)
    parts += [*_duplicates(report), *_scans(report), *_dockerfiles(report), *_missing(report)]
    return printed(parts, width=width)


def _title(images: Sequence[Image]) -> str:
    if len(images) == 1:
        return f"{plain(images[0].reference)} (MB)"
    return f"{words.plural(len(images), 'image')} (MB)"


def _images(images: Sequence[Image], width: int) -> RenderableType:
    return Group(
        _table("image", _IMAGES, [(_name(one), _figures(one)) for one in images], width),
        Text(_LEGEND, "dim"),
    )


def _figures(image: Image) -> tuple[str, ...]:
    dive, account = image.dive, image.accounting
    one = None if isinstance(account, Missing) else accounts.split(image, account)
    opinion = (words.DASH, words.DASH)
    if isinstance(dive, Dive):
        opinion = words.percent(dive.efficiency, down=True), _mb(dive.wasted_bytes)
    return (
        _mb(image.size_bytes),
        _mb(image.own_bytes),
        _mb(image.compressed_bytes),
        _mb(one.dead_bytes) if one else words.DASH,
        *opinion,
        accounts.bloat_factor(one) if one else words.DASH,
        _mb(one.eliminable_bytes) if one else words.DASH,
    )


def _causes(report: ImagesReport, width: int) -> list[RenderableType]:
    """By cause, columns without any bytes left out."""
    found = accounts.splits(report)
    if not found:
        return []
    shown = accounts.causes_of(found)
    heads = [*(accounts.SHORT[cause] for cause in shown), "dead"]
    together = accounts.on_disk(report) if len(found) > 1 else None
    rows = [
        (one.name, (*(_mb(one.causes[cause]) for cause in shown), _mb(one.dead_bytes)))
        for one in (*found, *((together,) if together else ()))
    ]
    parts: list[RenderableType] = [_table("image", heads, rows, width)]
    if len(report.images) > 1:
        parts.append(Text(facts.images_line(report)))
    return [section("Where the bytes go (MB)", Group(*parts))]


def _fixes(report: ImagesReport) -> list[RenderableType]:
    """What to change, what saves most first."""
    found = accounts.advice(report)
    if not found:
        return []
    several = len(report.images) > 1
    rows = [(Text("-"), _fix(one, several=several)) for one in found[:FIXES_SHOWN]]
    total = words.storage(accounts.eliminable_bytes(report))
    return [section(f"What to change: {total} can go", listed(_cut(rows, len(found))))]


def _fix(one: accounts.Advice, *, several: bool) -> Text:
    text = Text(f"{one.saving}: {plain(one.text)}")
    where = words.joined(plain(one.place), plain(one.whose) if several else "")
    return text.append(f" ({where})", "dim") if where else text


def _told(title: str, found: Sequence[accounts.Told]) -> list[RenderableType]:
    rows = [(Text("-"), Text(plain(one.line))) for one in found[:FIXES_SHOWN]]
    return [section(title, listed(_cut(rows, len(found))))] if rows else []


def _duplicates(report: ImagesReport) -> list[RenderableType]:
    """Contents that are there several times, unless that is next to nothing."""
    found = [one for one in report.duplicates if one.wasted_bytes >= WORTH_BYTES]
    alone = f"{report.images[0].reference}: " if len(report.images) == 1 else ""
    rows = [(Text("-"), Text(_duplicate(one, alone))) for one in found[:DUPLICATES_SHOWN]]
    total = words.storage(sum(one.wasted_bytes for one in found))
    title = f"Held more than once: {total} of copies"
    shown = _cut(rows, len(found))
    if report.duplicates_remark:
        shown.append((Text("…"), Text(plain(report.duplicates_remark), "dim")))
    return [section(title, listed(shown))] if shown else []


def _duplicate(one: Duplicate, alone: str) -> str:
    """`alone`: how each place begins that is of the only image."""
    shown = [place.removeprefix(alone) for place in one.places[:PLACES_SHOWN]]
    places = format_list(tuple(map(plain, shown)), PLACES_SHOWN, rest=one.copies - len(shown))
    size = words.storage(one.wasted_bytes)
    return f"{size}: {one.copies:,} copies of {words.storage(one.bytes)}: {places}"


def _scans(report: ImagesReport) -> list[RenderableType]:
    return _told("What trivy found", scans.told(report))


def _dockerfiles(report: ImagesReport) -> list[RenderableType]:
    rows = [(Text("-"), Text(plain(line))) for line in policies.told(report)]
    shown = _cut(rows[:REMARKS_SHOWN], len(rows))
    return [section("Dockerfiles", listed(shown))] if rows else []


def _missing(report: ImagesReport) -> list[RenderableType]:
    """What could not be told, with its reason."""
    dives = [
        accounts.Told(images=(_name(one),), text=f"dive: {one.dive.reason}")
        for one in report.images
        if isinstance(one.dive, Missing)
    ]
    return _told("Not told", (*accounts.not_accounted(report), *dives))


def _cut(rows: list[tuple[Text, Text]], count: int) -> list[tuple[Text, Text]]:
    rest = count - len(rows)
    return [*rows, (Text("…"), Text(format_rest(rest), "dim"))] if rest > 0 else rows


def _table(
    names: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], width: int
) -> Table:
    columns = zip(heads, *(cells for _, cells in rows), strict=True)
    room = width - sum(max(map(len, column)) + 2 for column in columns)
    table = figures(heads, names=names, most=max(10, room - 2))
    for name, cells in rows:
        table.add_row(plain(name), *cells)
    return table


_name: Callable[[Image], str] = accounts.image_name


def _mb(value: int | Missing) -> str:
    return words.tenths(value, Convention.STORAGE)
