"""One image in full: its layers, what died in them, and what the live bytes are."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from onegig.model.images import Accounting, Dead, Image, Part
from onegig.model.measured import Missing
from onegig.model.sizes import Convention
from onegig.report import words
from onegig.report.accounts import SHORT
from onegig.report.console import grid, listed, section
from onegig.text import format_rest, plain

PARTS_SHOWN, DEAD_SHOWN = 25, 12
_LAYERS = ("", "size", "pull", "dead")


def detail(image: Image, width: int) -> list[RenderableType]:
    """Layers with bytes, the dead by the instruction that killed them, parts by name."""
    account = image.accounting
    parts = [section("Layers (MB)", _layers(image, width - 2))]
    if isinstance(account, Missing):
        return parts
    if account.dead:
        lead = f"Dead bytes: {words.storage(account.dead_bytes)}"
        parts.append(section(lead, _dead(image, account)))
    return [*parts, section("Live bytes (MB)", _parts(account, width))]


def _layers(image: Image, width: int) -> Table:
    rows = [_layer(image, at) for at in range(len(image.layers))]
    room = width - sum(max(map(len, column)) + 2 for column in zip(_LAYERS, *rows, strict=True))
    table = grid()
    for _ in range(4):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=room)
    table.add_row(*(Text(head, "dim") for head in (*_LAYERS, "instruction")))
    for cells, layer in zip(rows, image.layers, strict=True):
        table.add_row(*cells, plain(layer.instruction))
    return table


def _layer(image: Image, at: int) -> tuple[str, ...]:
    layer, account = image.layers[at], image.accounting
    dead = words.DASH
    if not isinstance(account, Missing):
        dead = _mb(sum(one.bytes for one in account.dead if one.layer == at))
    return str(at + 1), _mb(layer.size_bytes), _mb(layer.compressed_bytes), dead


def _dead(image: Image, account: Accounting) -> Table:
    rows = [(Text("-"), Text(_loss(image, one))) for one in account.dead[:DEAD_SHOWN]]
    rest = len(account.dead) - len(rows)
    if rest > 0:
        rows.append((Text("…"), Text(format_rest(rest), "dim")))
    return listed(rows)


def _loss(image: Image, dead: Dead) -> str:
    """Such as "0.3 MB of layer 2 deleted by layer 3 (`RUN rm x`): /x 0.2 MB"."""
    killer = plain(_instruction(image, dead.killer), 60)
    files = words.plural(dead.files, "file")
    largest = ", ".join(f"{plain(one.path)} {words.storage(one.bytes)}" for one in dead.largest[:2])
    return (
        f"{words.storage(dead.bytes)} in {files} of layer {dead.layer + 1}, {dead.fate.value} by "
        f"layer {dead.killer + 1} ({killer}){': ' if largest else ''}{largest}"
    )


def _parts(account: Accounting, width: int) -> Table:
    """The largest, and in one row what is left."""
    table = grid()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(10, width - 38))
    table.add_column(no_wrap=True)
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    heads = ("cause", "name", "by", "MB", "files")
    table.add_row(*(Text(head, "dim") for head in heads))
    ordered = sorted(account.parts, key=lambda one: -one.bytes)
    for part in ordered[:PARTS_SHOWN]:
        table.add_row(SHORT[part.cause], plain(_part_name(part)), plain(part.kind), *_size(part))
    rest = ordered[PARTS_SHOWN:]
    if rest:
        files = sum(part.files for part in rest)
        size = _mb(sum(part.bytes for part in rest))
        table.add_row("", f"{len(rest):,} more", "", size, f"{files:,}")
    return table


def _part_name(part: Part) -> str:
    return part.name or "all else"


def _size(part: Part) -> tuple[str, str]:
    return _mb(part.bytes), f"{part.files:,}"


def _instruction(image: Image, at: int) -> str:
    return image.layers[at].instruction if at < len(image.layers) else "unknown"


def _mb(value: int | Missing) -> str:
    return words.tenths(value, Convention.STORAGE)
