"""The HTML report's figures, each drawn as SVG twice: for a desk and for a phone.

Their colours are custom properties of the page (report.css), so that they follow its dark mode. No
figure says anything that a table beside it does not say, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined

from onegig.model.images import Cause, Image, ImagesReport
from onegig.model.memory import MemoryReport, Sample
from onegig.model.sizes import Convention
from onegig.model.verdict import Waterfall
from onegig.report import numbers
from onegig.report.accounts import TOGETHER, Split, image_name
from onegig.text import lines, plain

V = TypeVar("V")

WIDTHS = {"wide": 720, "narrow": 328}
ROWS_SHOWN = 20  # images
POINTS = 120  # of a time series; more cannot be told apart
COLORED = 7  # services with a colour of their own
CAUSE_COLORS = {  # in the order of the pieces of a bar
    Cause.APPLICATION: "c3",
    Cause.DEPENDENCY: "c1",
    Cause.RUNTIME: "engine",
    Cause.BASE: "os",
    Cause.DEVELOPMENT: "c2",
    Cause.CACHE: "c6",
    Cause.DOCUMENTATION: "c5",
    Cause.UNEXPLAINED: "rest",
}
_STRIP_COLORS = {"sold": ("none", "soft"), "free": ("free", "go"), "over": ("over", "")}
_STEP_COLORS = {"engine": "engine", "stack": "c1"}  # as in the figure over time
Piece = tuple[int, int, str, str]  # start and size in bytes, colours of area and outline
Bar = tuple[str, str, Sequence[Piece]]  # label and value beside it


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """One layer of the stacked figure; `color` is its custom property on the page."""

    label: str
    color: str
    values: tuple[int, ...]  # bytes, one per sample

    @property
    def peak_bytes(self) -> int:
        """Return its highest value."""
        return max(self.values, default=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """Axes in pixels; values from 0 up to `across` and `up`."""

    left: float
    right: float
    top: float
    bottom: float
    across: float
    up: float

    def x(self, value: float) -> float:
        """Return the place of a value on the horizontal axis."""
        return self.left + (self.right - self.left) * value / self.across

    def y(self, value: float) -> float:
        """Return the height of a value."""
        return self.bottom - (self.bottom - self.top) * value / self.up


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """One bar of a waterfall, in bytes from the left edge; `kind` says how to colour it."""

    label: str
    value_bytes: int
    start_bytes: int
    kind: str  # "sold", "free" or "over"; "" for what a step takes
    note: str = ""

    @property
    def end_bytes(self) -> int:
        """Return where it ends."""
        return self.start_bytes + self.value_bytes

    @property
    def amount(self) -> str:
        """Return its size: what is there rounded down, what is taken up."""
        return numbers.memory(self.value_bytes, down=self.kind in ("sold", "free"))

    def draw(self, whole_bytes: int, width: int) -> str:
        """Return it at its place in `width` characters; whatever takes something shows."""
        start = min(width - 1, round(self.start_bytes * width / whole_bytes))
        end = round(self.end_bytes * width / whole_bytes)
        length = max(1 if self.value_bytes else 0, end - start)
        return " " * start + ("░" if self.kind == "free" else "█") * min(length, width - start)


def waterfall_strips(waterfall: Waterfall) -> tuple[Strip, ...]:
    """Return the machine as sold, what each step takes from it, and what is left or missing."""
    sold, left = waterfall.sold_bytes, waterfall.headroom_bytes
    ends = list(accumulate((step.bytes for step in waterfall.steps), initial=0))
    label, kind, edge = ("over", "over", sold) if left < 0 else ("headroom", "free", ends[-1])
    return (
        Strip(label="sold", value_bytes=sold, start_bytes=0, kind="sold"),
        *(
            Strip(label=step.name, value_bytes=step.bytes, start_bytes=at, kind="", note=step.note)
            for step, at in zip(waterfall.steps, ends, strict=False)
        ),
        Strip(label=label, value_bytes=abs(left), start_bytes=edge, kind=kind),
    )


@cache
def templates() -> Environment:
    """Return the templates of pages and figures; what is put in is escaped."""
    environment = Environment(
        loader=PackageLoader("onegig.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "log": lines, "px": format_pixels, "path": format_path}
    return environment


def format_pixels(value: float) -> str:
    """Return a number with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def format_path(points: Sequence[tuple[float, float]]) -> str:
    """Return the data of an SVG path along the points."""
    return "M " + " L ".join(f"{format_pixels(x)} {format_pixels(y)}" for x, y in points)


def round_ticks(highest: float, most: int = 6) -> range:
    """Return round values from 0 to the highest, at most `most` steps of 1, 2 or 5 times 10^n."""
    steps = (factor * 10**power for power in range(20) for factor in (1, 2, 5))
    return range(0, int(highest) + 1, next(step for step in steps if highest / step <= most))


def draw_waterfall(waterfall: Waterfall, key: str) -> str:
    """Draw where a machine's memory goes."""
    bars: list[Bar] = []
    for strip in waterfall_strips(waterfall):
        taken = _STEP_COLORS.get(strip.label, "os"), ""
        piece = strip.start_bytes, strip.value_bytes, *_STRIP_COLORS.get(strip.kind, taken)
        bars.append((strip.label, strip.amount, (piece,)))
    description = ", ".join(f"{label} {value}" for label, value, _ in bars)
    title = f"Where the memory of {waterfall.machine} goes"
    return _draw_bars(key, title, description, bars, row_height=30, mark=waterfall.sold_bytes)


def draw_sizes(report: ImagesReport, images: Sequence[Image], key: str) -> str:
    """Draw the bytes that images share with others, and those of their own."""
    own = sum(image.own_bytes for image in report.images)
    rows = [(TOGETHER, report.disk_bytes - own, own)]
    rows += [
        (image_name(image), image.shared_bytes, image.own_bytes) for image in images[:ROWS_SHOWN]
    ]
    bars: list[Bar] = [
        (name, numbers.storage(shared + own), ((0, shared, "shared", ""), (shared, own, "c1", "")))
        for name, shared, own in rows
    ]
    description = ", ".join(
        f"{name} {numbers.storage(shared + own)}, {numbers.storage(own)} its own"
        for name, shared, own in rows
    )
    return _draw_bars(key, "Image sizes", description, bars)


def draw_causes(splits: Sequence[Split], key: str) -> str:
    """Draw a bar for each image, in pieces by cause, what is useful on the left."""
    bars: list[Bar] = []
    sentences = []
    for split in splits[:ROWS_SHOWN]:
        sizes = [split.causes[cause] for cause in CAUSE_COLORS] + [split.dead_bytes]
        colors = (*CAUSE_COLORS.values(), "over")
        pieces = zip(accumulate(sizes, initial=0), sizes, colors, strict=False)
        size = numbers.storage(split.size_bytes)
        bars.append((split.name, size, [(*piece, "") for piece in pieces]))
        causes = [f"{cause} {numbers.storage(n)}" for cause, n in split.causes.items() if n]
        causes.append(f"dead {numbers.storage(split.dead_bytes)}")
        sentences.append(f"{split.name} {size}: {', '.join(causes)}")
    return _draw_bars(key, "Where the bytes of images go", "; ".join(sentences), bars)


def cause_legend(splits: Sequence[Split]) -> tuple[tuple[str, str, int], ...]:
    """Return the colours in use: custom property, cause and its bytes in all splits."""
    entries = [
        (color, cause.value, sum(split.causes[cause] for split in splits))
        for cause, color in CAUSE_COLORS.items()
    ]
    entries.append(("over", "dead", sum(split.dead_bytes for split in splits)))
    return tuple(entry for entry in entries if entry[2])


def memory_bands(memory: MemoryReport, overhead_bytes: int) -> tuple[Band, ...]:
    """Return the bands from the bottom: kernel and OS, engine, the largest services, the rest."""
    samples = _shown(memory)
    names = [service.name for service in memory.services]
    series = [tuple(sample.service_bytes[i] for sample in samples) for i in range(len(names))]
    order = sorted(range(len(names)), key=lambda i: -max(series[i], default=0))
    shown = COLORED - 1 if len(order) == COLORED + 1 else COLORED  # no lone service is "other"
    top, rest = order[:shown], order[shown:]
    bands = [
        Band(label="kernel and OS", color="os", values=(overhead_bytes,) * len(samples)),
        Band(label="engine", color="engine", values=tuple(s.engine_bytes for s in samples)),
    ]
    bands += [
        Band(label=names[i], color=f"c{place}", values=series[i])
        for place, i in enumerate(top, start=1)
    ]
    if rest:
        together = tuple(sum(series[i][at] for i in rest) for at in range(len(samples)))
        label = numbers.plural(len(rest), "other service")
        bands.append(Band(label=label, color="rest", values=together))
    return tuple(bands if overhead_bytes else bands[1:])


def thin_out(values: Sequence[V], height: Callable[[V], int]) -> tuple[V, ...]:
    """Return at most POINTS values: the highest of each stretch of time."""
    if len(values) <= POINTS:
        return tuple(values)
    edges = [at * len(values) // POINTS for at in range(POINTS + 1)]
    return tuple(max(values[low:high], key=height) for low, high in pairwise(edges))


def _shown(memory: MemoryReport) -> tuple[Sample, ...]:
    return thin_out(memory.samples, attrgetter("total_bytes"))


def draw_memory(memory: MemoryReport, bands: Sequence[Band], limit_bytes: int, key: str) -> str:
    """Draw memory over the window, stacked, with the limit."""
    seconds = [sample.offset_seconds for sample in _shown(memory)]
    limit = numbers.memory(limit_bytes, down=True)
    peaks = ", ".join(f"{band.label} {numbers.memory(band.peak_bytes)}" for band in bands)
    values = zip(*(band.values for band in bands), strict=True)
    heights = list(zip(*(accumulate(column, initial=0) for column in values), strict=True))
    highest = max(limit_bytes, *heights[-1]) * 1.04 / Convention.MEMORY.mb
    if len(seconds) == 1:  # drawn as if it had lasted: a point has no area
        seconds, heights = [seconds[0], seconds[0] + 0.1], [2 * height for height in heights]
    return draw(
        "memory.svg.j2",
        key,
        "Memory during the measurement window",
        f"limit {limit}; highest: {peaks}",
        bands=bands,
        layers=list(pairwise(heights)),
        seconds=[second - seconds[0] for second in seconds],
        first=seconds[0],
        plane=Plane,
        across=max(seconds[-1] - seconds[0], 0.1),
        highest=highest,
        mb=Convention.MEMORY.mb,
        limit_bytes=limit_bytes,
        limit=limit,
        ticks=round_ticks,
    )


def _draw_bars(
    key: str,
    title: str,
    description: str,
    bars: Sequence[Bar],
    *,
    row_height: int = 24,
    mark: int | None = None,
) -> str:
    return draw(
        "bars.svg.j2",
        key,
        title,
        description,
        bars=bars,
        row_height=row_height,
        mark=mark,
        widest=max(start + size for _, _, pieces in bars for start, size, *_ in pieces) or 1,
    )


def draw(template: str, key: str, title: str, description: str, **values: object) -> str:
    """Draw a template's figure; the title and the description are for those who can't see it."""
    about = {"key": key, "title": title, "description": plain(description, 4000)}
    return templates().get_template(template).render(**about, widths=WIDTHS, **values)
