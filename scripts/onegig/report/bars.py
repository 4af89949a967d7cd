"""Bars of characters, for the terminal and for Markdown's code blocks."""

from dataclasses import dataclass

from onegig.model.verdict import Waterfall
from onegig.report import words

FULL, FREE = "█", "░"


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """One bar of a waterfall, in bytes from the left edge; `kind` says how to colour it."""

    label: str
    note: str
    value_bytes: int
    start_bytes: int
    kind: str  # "sold", "taken", "free" or "over"

    @property
    def end_bytes(self) -> int:
        """Where the bar ends."""
        return self.start_bytes + abs(self.value_bytes)

    @property
    def amount(self) -> str:
        """Return its size as printed: what is there rounded down, what is taken up."""
        return words.memory(self.value_bytes, down=self.kind in ("sold", "free"))


def waterfall_strips(waterfall: Waterfall) -> tuple[Strip, ...]:
    """The machine as sold, what each step takes from it, and what is left or missing."""

    def bar(label: str, value: int, start: int, kind: str, note: str = "") -> Strip:
        return Strip(label=label, note=note, value_bytes=value, start_bytes=start, kind=kind)

    bars = [bar("sold", waterfall.sold_bytes, 0, "sold")]
    taken = 0
    for step in waterfall.steps:
        bars.append(bar(step.name, step.bytes, taken, "taken", step.note))
        taken += step.bytes
    left = waterfall.headroom_bytes
    over = left < 0
    edge = waterfall.sold_bytes if over else taken
    bars.append(bar("over" if over else "headroom", abs(left), edge, "over" if over else "free"))
    return tuple(bars)


def scale(bars: tuple[Strip, ...]) -> int:
    """The bytes the whole width stands for; at least 1."""
    return max(1, *(bar.end_bytes for bar in bars))


def draw(bar: Strip, whole_bytes: int, width: int) -> str:
    """The bar at its place in `width` characters; whatever takes something shows."""
    start = min(width - 1, round(bar.start_bytes * width / whole_bytes))
    end = round(bar.end_bytes * width / whole_bytes)
    length = max(1 if bar.value_bytes else 0, end - start)
    mark = FREE if bar.kind == "free" else FULL
    return " " * start + mark * min(length, width - start)
