"""The report's figures, each drawn twice: for a desk and for a phone.

Drawn with matplotlib at one unit per CSS pixel, so that text keeps its size on the page. No figure
says anything that a table beside it does not say, too.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from onegig.model.images import Image, ImagesReport
from onegig.model.sizes import Convention
from onegig.model.verdict import Waterfall
from onegig.report import words
from onegig.report.accounts import image_name
from onegig.report.bands import Band
from onegig.report.bars import Bar, waterfall_bars
from onegig.report.svg import COLORS, SERIES, to_svg
from onegig.text import ascii_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS = {"wide": 720, "narrow": 328}
PHONE = 400  # narrower than this is drawn for a phone
IMAGES_SHOWN = 20
_ROW = 30  # pixels
_STEPS = {"engine": COLORS["engine"], "stack": SERIES[0]}  # as in the plot over time
_MIB = Convention.MEMORY.mb


def plot_waterfall(waterfall: Waterfall, key: str) -> str:
    """Where a machine's memory goes, as two inline SVGs."""
    bars = waterfall_bars(waterfall)
    told = ", ".join(f"{bar.label} {_step(bar)}" for bar in bars)
    return both(
        key,
        f"Where the memory of {waterfall.machine} goes",
        told,
        lambda width: _draw_waterfall(bars, width),
    )


def plot_memory(bands: Sequence[Band], seconds: Sequence[float], limit_bytes: int, key: str) -> str:
    """Memory over the window, stacked, with the limit, as two inline SVGs."""
    told = f"limit {words.memory(limit_bytes, down=True)}; highest: " + ", ".join(
        f"{band.label} {words.memory(band.peak_bytes)}" for band in bands
    )
    return both(
        key,
        "Memory over the window of measurement",
        told,
        lambda width: _draw_memory(bands, seconds, limit_bytes, width),
    )


def plot_images(report: ImagesReport, images: Sequence[Image], key: str) -> str:
    """Bytes shared with other images and bytes of an image's own, as two inline SVGs."""
    own = sum(image.own_bytes for image in report.images)
    rows = [("all on disk", report.disk_bytes - own, own)]
    rows += [
        (image_name(image), image.shared_bytes, image.own_bytes) for image in images[:IMAGES_SHOWN]
    ]
    told = ", ".join(
        f"{name} {words.storage(shared + own)}, {words.storage(own)} its own"
        for name, shared, own in rows
    )
    return both(key, "Image sizes", told, lambda width: _draw_images(rows, width))


def _draw_waterfall(bars: Sequence[Bar], width: int) -> "Figure":
    labels = [ascii_label(bar.label, 16) for bar in bars]
    values = [_step(bar) for bar in bars]
    figure, axes = rows_figure(width, labels, values, max(bar.end_bytes for bar in bars))
    sold = bars[0].end_bytes
    for row, bar in enumerate(bars):
        axes.barh(row, abs(bar.value_bytes), left=bar.start_bytes, height=0.62, **_look(bar))
        if 0 < row < len(bars) - 1:
            ends = [bar.end_bytes, bar.end_bytes]
            axes.plot(ends, [row + 0.31, row + 0.69], color=COLORS["soft"], lw=1)
    rows = [-0.31, len(bars) - 0.69]
    axes.plot([sold, sold], rows, color=COLORS["over"], lw=1.5, ls=(0, (4, 3)))
    return figure


def _look(bar: Bar) -> dict[str, Any]:
    if bar.kind == "sold":
        return {"facecolor": "none", "edgecolor": COLORS["soft"], "linewidth": 1.25}
    if bar.kind == "free":
        return {"facecolor": COLORS["free"], "edgecolor": COLORS["go"], "linewidth": 1.25}
    if bar.kind == "over":
        return {"facecolor": COLORS["over"]}
    return {"facecolor": _STEPS.get(bar.label, COLORS["os"])}


def _draw_memory(
    bands: Sequence[Band], seconds: Sequence[float], limit_bytes: int, width: int
) -> "Figure":
    height = 320 if width > PHONE else 260
    figure, axes = new_figure(width, height, left=46, right=10, top=28, bottom=38)
    values = [[value / _MIB for value in band.values] for band in bands]
    colors = [_band_color(band) for band in bands]
    axes.stackplot(seconds, values, colors=colors, edgecolor=COLORS["paper"], linewidth=0.6)
    limit = limit_bytes / _MIB
    highest = max([limit, *(sum(at) for at in zip(*values, strict=True))])
    axes.axhline(limit, color=COLORS["paper"], lw=4)
    axes.axhline(limit, color=COLORS["over"], lw=1.75, ls=(0, (5, 3)))
    above(axes, 0, "MB", COLORS["soft"])
    above(
        axes,
        1,
        f"{words.DASH} {words.DASH} limit {words.memory(limit_bytes, down=True)}",
        COLORS["over"],
    )
    axes.set_ylim(0, highest * 1.04)
    axes.set_xlim(seconds[0], max(seconds[-1], seconds[0] + 0.1))
    axes.grid(axis="y", color=COLORS["line"], lw=1)
    axes.locator_params(axis="x", nbins=8 if width > PHONE else 4)
    axes.locator_params(axis="y", nbins=6)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("seconds", color=COLORS["soft"], fontsize=12)
    return figure


def above(axes: "Axes", x: int, text: str, color: str) -> None:
    """A note over the left (0) or right (1) end of the axes."""
    axes.annotate(
        text,
        (x, 1),
        xycoords="axes fraction",
        xytext=(0, 8),
        textcoords="offset points",
        ha="right" if x else "left",
        color=color,
        fontsize=12,
        fontweight="bold" if x else "normal",
        parse_math=False,
    )


def _draw_images(rows: Sequence[tuple[str, int, int]], width: int) -> "Figure":
    labels = [ascii_label(name, 20 if width > PHONE else 15) for name, _, _ in rows]
    values = [words.storage(shared + own) for _, shared, own in rows]
    widest = max(shared + own for _, shared, own in rows)
    figure, axes = rows_figure(width, labels, values, widest, row=24)
    for row, (_, shared, own) in enumerate(rows):
        axes.barh(row, shared, height=0.62, color=COLORS["shared"])
        axes.barh(row, own, left=shared, height=0.62, color=SERIES[0])
    return figure


def rows_figure(
    width: int, labels: Sequence[str], values: Sequence[str], widest: float, row: int = _ROW
) -> "tuple[Figure, Axes]":
    """Axes for horizontal bars: names on the left, figures in a column on the right."""
    left = min(0.42 * width, 16 + 7.8 * max(13, *map(len, labels)))
    right = 12 + 7.8 * max(map(len, values))
    figure, axes = new_figure(width, row * len(labels) + 4, left=left, right=right, top=2, bottom=2)
    axes.set_xlim(0, widest or 1)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.axis("off")
    for at, (label, value) in enumerate(zip(labels, values, strict=True)):
        place = axes.get_yaxis_transform()
        for text, x, dx, align in ((label, 0, -8, "right"), (value, 1, right, "right")):
            axes.annotate(
                text,
                (x, at),
                xycoords=place,
                xytext=(dx, 0),
                textcoords="offset points",
                ha=align,
                va="center_baseline",
                color=COLORS["ink"],
                fontsize=13,
                parse_math=False,
                annotation_clip=False,
            )
    return figure, axes


def new_figure(
    width: int, height: int, *, left: float, right: float, top: float, bottom: float
) -> "tuple[Figure, Axes]":
    """A figure of one unit per pixel (SVG has 72 to the inch) with margins in pixels."""
    from matplotlib.figure import Figure  # slow to import: paid only where a report has figures

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    box = (left / width, bottom / height, (width - left - right) / width)
    axes = figure.add_axes((*box, (height - top - bottom) / height))
    axes.tick_params(length=0, labelsize=12, labelcolor=COLORS["soft"], pad=6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def both(key: str, title: str, description: str, draw: "Callable[[int], Figure]") -> str:
    """The figure for a desk and the one for a phone."""
    drawn = (
        to_svg(draw(width), f"{key}-{kind}", title, description, kind)
        for kind, width in WIDTHS.items()
    )
    return "\n".join(drawn)


def _step(bar: Bar) -> str:
    return words.memory(bar.value_bytes, down=bar.kind in ("sold", "free"))


def _band_color(band: Band) -> str:
    return COLORS.get(band.color) or SERIES[int(band.color[1:]) - 1]
