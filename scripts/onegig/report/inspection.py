"""The answers of `onegig inspect` and `onegig dockerfile`: images, their bytes, what to change."""

from collections.abc import Callable, Iterator, Sequence
from textwrap import indent

from rich.console import RenderableType
from rich.text import Text

from onegig.model.images import Accounting, Boot, Cause, Dead, Duplicate, Image, ImagesReport, Trial
from onegig.model.measured import Missing
from onegig.report import accounts, dockerfiles, numbers
from onegig.report.images import dive_cells, megabytes, sizes_line, trivy_sentences
from onegig.report.layout import Row, Table, dashed, marked, print_parts, print_table, section
from onegig.text import format_list, plain

FIXES_SHOWN, DUPLICATES_SHOWN, PLACES_SHOWN, REMARKS_SHOWN = 10, 5, 2, 20
PARTS_SHOWN, DEAD_SHOWN = 25, 12
WORTH_BYTES = 100_000  # of copies
FROM_REGISTRY = "official"  # what Image.base says then
_HEADS = ("image", "size", "own", "pull", "dead", "dive", "wasted", "bloat", "eliminable")
_LEGEND = (
    "pull: compressed; dead: what no container can reach, exactly; dive and wasted: dive's "
    "efficiency and wasted bytes; bloat: size over application and its packages"
)


def render_images(report: ImagesReport, width: int = 80) -> str:
    """Return tables of images, largest first, and the fixes that would make them smaller."""
    images, room = accounts.images_of(report), width - 2
    single = images[0] if len(images) == 1 else None
    title = plain(single.reference) if single else numbers.plural(len(images), "image")
    table = Table(heads=_HEADS, rows=tuple(map(_image, images)))
    gaps = accounts.grouped(
        images,
        lambda image: f"dive: {image.dive.reason}" if isinstance(image.dive, Missing) else "",
    )
    remarks = [plain(line) for line in dockerfiles.lines(report)]
    parts = [
        section(f"{title} (MB)", print_table(table, room), Text(_LEGEND, "dim")),
        *_causes(report, room),
        *_fixes(report, is_single=single is not None),
        *_sentences("Where dive and the account differ", accounts.dive_remarks(report)),
        *(_detail(single, room) if single else ()),
        *_duplicates(report, f"{single.reference}: " if single else ""),
        *_sentences("Findings of trivy", trivy_sentences(report)),
        *([section("Dockerfiles", dashed(remarks, REMARKS_SHOWN))] if remarks else ()),
        *_sentences("Not measured", (*accounts.not_accounted(report), *gaps)),
    ]
    return print_parts(parts, width=width)


def _image(image: Image) -> Row:
    sizes = map(megabytes, (image.size_bytes, image.own_bytes, image.compressed_bytes))
    if isinstance(image.accounting, Missing):
        dead = bloat = eliminable = numbers.DASH
    else:
        split = accounts.split(image, image.accounting)
        dead, eliminable = map(megabytes, (split.dead_bytes, split.eliminable_bytes))
        bloat = split.bloat
    cells = (*sizes, dead, *dive_cells(image), bloat, eliminable)
    return Row(name=accounts.image_name(image), cells=cells)


def _causes(report: ImagesReport, width: int) -> list[RenderableType]:
    splits = accounts.splits(report)
    if not splits:
        return []
    together = accounts.on_disk(report) if len(splits) > 1 else None
    table = print_table(accounts.causes_table(splits, together, is_whole=False), width)
    summary = [Text(sizes_line(report))] if len(report.images) > 1 else []
    return [section("Where the bytes go (MB)", table, *summary)]


def _fixes(report: ImagesReport, *, is_single: bool) -> list[RenderableType]:
    items = []
    for fix in accounts.advice(report):
        where = numbers.joined(plain(fix.place), "" if is_single else plain(fix.whose))
        text = Text(f"{fix.saving}: {plain(fix.text)}")
        items.append(text.append(f" ({where})", "dim") if where else text)
    total = numbers.storage(accounts.eliminable_bytes(report))
    title = f"What to change: {total} can go"
    return [section(title, dashed(items, FIXES_SHOWN))] if items else []


def _sentences(title: str, sentences: Sequence[accounts.Sentence]) -> list[RenderableType]:
    lines = [plain(sentence.line) for sentence in sentences]
    return [section(title, dashed(lines, FIXES_SHOWN))] if lines else []


def _duplicates(report: ImagesReport, alone: str) -> list[RenderableType]:
    """Return contents held several times; `alone` is how each place of the only image begins."""
    large = [entry for entry in report.duplicates if entry.wasted_bytes >= WORTH_BYTES]
    parts: list[RenderableType] = []
    if large:
        parts.append(dashed([_duplicate(entry, alone) for entry in large], DUPLICATES_SHOWN))
    if report.duplicates_remark:
        parts.append(marked([(Text("…"), Text(plain(report.duplicates_remark), "dim"))]))
    total = numbers.storage(sum(entry.wasted_bytes for entry in large))
    return [section(f"Duplicates: {total} of copies", *parts)] if parts else []


def _duplicate(entry: Duplicate, alone: str) -> str:
    shown = [plain(place.removeprefix(alone)) for place in entry.places[:PLACES_SHOWN]]
    places = format_list(shown, PLACES_SHOWN, rest=entry.copies - len(shown))
    size, each = map(numbers.storage, (entry.wasted_bytes, entry.bytes))
    return f"{size}: {entry.copies:,} copies of {each}: {places}"


def _detail(image: Image, width: int) -> Iterator[RenderableType]:
    """Yield layers, the dead bytes by the instruction that killed them, and parts by name."""
    account = image.accounting
    heads = ("", "size", "pull", "dead", "instruction")
    rows = (_layer(image, at) for at in range(len(image.layers)))
    table = Table(heads=heads, rows=tuple(rows), texts=1)
    yield section("Layers (MB)", print_table(table, width))
    if isinstance(account, Missing):
        return
    if account.dead:
        lines = [_dead_line(image, dead) for dead in account.dead]
        title = f"Dead bytes: {numbers.storage(account.dead_bytes)}"
        yield section(title, dashed(lines, DEAD_SHOWN))
    yield section("Live bytes (MB)", print_table(_parts(account), width))


def _layer(image: Image, at: int) -> Row:
    layer, account, dead = image.layers[at], image.accounting, numbers.DASH
    if not isinstance(account, Missing):
        dead = megabytes(sum(each.bytes for each in account.dead if each.layer == at))
    sizes = map(megabytes, (layer.size_bytes, layer.compressed_bytes))
    return Row(name=str(at + 1), cells=(*sizes, dead, layer.instruction))


def _dead_line(image: Image, dead: Dead) -> str:
    """Return "0.3 MB in 1 file of layer 2, deleted by layer 3 (RUN rm x): /x 0.2 MB"."""
    known = dead.killer < len(image.layers)
    killer = plain(image.layers[dead.killer].instruction if known else "unknown", 60)
    largest = ", ".join(f"{plain(p.path)} {numbers.storage(p.bytes)}" for p in dead.largest[:2])
    return (
        f"{numbers.storage(dead.bytes)} in {numbers.plural(dead.files, 'file')} of layer "
        f"{dead.layer + 1}, {dead.fate.value} by layer {dead.killer + 1} ({killer})"
        f"{': ' if largest else ''}{largest}"
    )


def _parts(account: Accounting) -> Table:
    """Return the largest parts, and in one row what is left."""
    ordered = sorted(account.parts, key=lambda part: -part.bytes)
    rows = [
        Row(
            name=part.name or "all else",
            cells=(megabytes(part.bytes), f"{part.files:,}", accounts.SHORT[part.cause], part.kind),
        )
        for part in ordered[:PARTS_SHOWN]
    ]
    rest = ordered[PARTS_SHOWN:]
    if rest:
        size, files = sum(part.bytes for part in rest), sum(part.files for part in rest)
        rows.append(Row(name=f"{len(rest):,} more", cells=(megabytes(size), f"{files:,}", "", "")))
    return Table(heads=("name", "MB", "files", "cause", "by"), rows=tuple(rows), texts=2)


def render_trial(trial: Trial, width: int = 100) -> str:
    """Return a comparison of before and after, and the log of an unhealthy container."""
    heads = (plain(trial.service, 40), "before", "after", "change")
    table = Table(heads=heads, rows=tuple(_trial_rows(trial)))
    text = print_parts([print_table(table, width)], width=width)
    for name, side in (("before", trial.before), ("after", trial.after)):
        if side.boot.problem:
            lines = "\n".join(plain(line) for line in side.boot.problem.splitlines())
            text += f"\n{name}:\n{indent(lines, '  ')}\n"
    return text


def _trial_rows(trial: Trial) -> Iterator[Row]:
    sides = trial.before, trial.after
    before, after = (side.image for side in sides)
    # without its digest, which is long and in the Dockerfile
    yield Row(name="base", cells=(*(side.base.partition("@")[0] for side in sides), ""))
    if any(image.base != FROM_REGISTRY for image in (before, after)):
        yield Row(name="base made", cells=(before.base, after.base, ""))
    storage = numbers.storage
    yield _measured("image", before.size_bytes, after.size_bytes, storage)
    yield _measured("to pull", before.compressed_bytes, after.compressed_bytes, storage)
    yield Row(name="layers", cells=(f"{len(before.layers)}", f"{len(after.layers)}", ""))
    if isinstance(before.accounting, Accounting) and isinstance(after.accounting, Accounting):
        then, now = before.accounting, after.accounting
        parts = [(f"  {cause}", then.bytes_of(cause), now.bytes_of(cause)) for cause in Cause]
        parts.append(("  deleted or overwritten", then.dead_bytes, now.dead_bytes))
        yield from (_measured(*part, storage) for part in parts if any(part[1:]))
    used = trial.before.boot.rss_bytes, trial.after.boot.rss_bytes
    yield _measured("memory (RSS)", *used, numbers.memory)
    yield Row(name="health check", cells=(*(_health(side.boot) for side in sides), ""))


def _measured(
    name: str, before: int | Missing, after: int | Missing, show: Callable[[int], str]
) -> Row:
    values = before, after
    shown = (show(entry) if isinstance(entry, int) else numbers.missing(entry) for entry in values)
    known = [value for value in values if isinstance(value, int)]
    return Row(name=name, cells=(*shown, _change(*known) if len(known) == 2 else ""))


def _change(before: int, after: int) -> str:
    if not before:
        return "new" if after else ""
    share = (after - before) / before
    return "same" if round(share * 100) == 0 else f"{share:+.0%}".replace("%", " %")


def _health(boot: Boot) -> str:
    if boot.problem:
        return "failed"
    return f"passed in {boot.seconds:.0f} s" if boot.checked else f"none; ran {boot.seconds:.0f} s"
