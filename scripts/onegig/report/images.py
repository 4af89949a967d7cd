"""The answer of `onegig inspect`: every image, its size, what is its own, dive's opinion."""

from io import StringIO

from rich.console import Console
from rich.table import Table

from onegig.model.images import Dive, Image, ImagesReport
from onegig.model.sizes import Convention, format_mb
from onegig.report import words
from onegig.report.escape import plain


def render_images(report: ImagesReport, width: int = 100) -> str:
    """A table of images, largest first, and the stack's bytes on disk, as text."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("image", overflow="fold")
    for head in ("size", "own", "compressed", "layers", "dive", "wasted"):
        table.add_column(head, justify="right", no_wrap=True)
    for image in sorted(report.images, key=lambda one: -one.size_bytes):
        table.add_row(plain(image.reference), *_figures(image))
    out = StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, markup=False)
    console.print(table)
    console.print(
        f"{len(report.images)} images: {_mb(report.disk_bytes)} on disk with shared layers counted "
        f"once, {_mb(report.total_bytes)} added up service by service"
    )
    for image in report.images:
        if not isinstance(image.dive, Dive):
            console.print(f"dive of {plain(image.reference)}: {image.dive.reason}")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _figures(image: Image) -> tuple[str, ...]:
    dive = ("-", "-")
    if isinstance(image.dive, Dive):
        dive = (words.percent(image.dive.efficiency, down=True), _mb(image.dive.wasted_bytes))
    return (
        _mb(image.size_bytes),
        _mb(image.own_bytes),
        _mb(image.compressed_bytes),
        str(len(image.layers)),
        *dive,
    )


def _mb(value: int) -> str:
    return format_mb(value, Convention.STORAGE)
