"""The trend: what was not measured is a gap, never a zero and never a line drawn across."""

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from factories import MIB
from histories import entry, incomplete
from onegig.model.state import State
from onegig.model.verdict import Baseline
from onegig.report.numbers import DASH
from onegig.report.pictures import render_trend

SVG = "{http://www.w3.org/2000/svg}"
LINE = "var(--c1)"
LIMIT = "var(--over)"
POINT = re.compile(r"[ML] (-?[\d.]+) (-?[\d.]+)")
History = tuple[Baseline, ...]
FEW: History = (
    entry(1, 480),
    entry(2, 520),
    incomplete(3),
    entry(4, 560),
    incomplete(5),
    entry(6, 1100, state=State.NO_GO),
    entry(7, 700),
)


def drawn(*history: Baseline) -> ET.Element:
    return ET.fromstring(render_trend(history))


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def lines(root: ET.Element, color: str = LINE) -> list[list[tuple[float, float]]]:
    """The points of every line of that colour."""
    paths = (
        element.get("d", "")
        for element in root.iter(f"{SVG}path")
        if f"stroke: {color}" in element.get("style", "")
        and "fill: none" in element.get("style", "")
    )
    return [[(float(x), float(y)) for x, y in POINT.findall(path)] for path in paths]


def marks(root: ET.Element, color: str) -> int:
    return sum(
        f"fill: {color}" in element.get("style", "") for element in root.iter(f"{SVG}circle")
    )


def crosses(root: ET.Element) -> int:
    return sum(
        "stroke: var(--os)" in element.get("style", "") for element in root.iter(f"{SVG}path")
    )


HISTORIES: dict[str, History] = {
    "seven-commits": FEW,
    "one-commit": (entry(1, 1024.001),),
    "nothing-measured": (incomplete(1), incomplete(2)),
    "empty": (),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_whole_trend(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"trend/{name}.svg", render_trend(HISTORIES[name]))


def test_lines_end_at_what_was_not_measured() -> None:
    assert [len(line) for line in lines(drawn(*FEW)) if len(line) > 1] == [2, 2]


def test_last_value_that_is_missing_is_unknown_not_the_one_before() -> None:
    result = texts(drawn(entry(1, 480), incomplete(2)))
    assert "unknown" in result
    assert "480 MB" not in result


def test_numbers_of_an_incomplete_run_are_not_drawn() -> None:
    root = drawn(entry(1), entry(2, state=State.INCOMPLETE))
    assert (marks(root, LINE), crosses(root)) == (1, 1)


def test_other_metric_is_another_line() -> None:
    root = drawn(entry(1), entry(2), entry(3, metric="pss"), entry(4, metric="pss"))
    assert [len(line) for line in lines(root)] == [2, 2]
    assert "MB (PSS)" in texts(root)


def test_limit_is_that_of_each_commit() -> None:
    (limit,) = lines(drawn(entry(1), entry(2, limit_bytes=512 * MIB)), LIMIT)
    heights = sorted({y for _, y in limit})
    assert len(heights) == 2
    bottom = 260 - 40
    assert (bottom - heights[0]) / (bottom - heights[1]) == pytest.approx(2, rel=0.01)
    assert f"{DASH} {DASH} limit 512 MB" in texts(drawn(entry(1), entry(2, limit_bytes=512 * MIB)))


def test_values_are_drawn_to_scale_from_zero() -> None:
    ((_, low), (_, high)) = lines(drawn(entry(1, 300), entry(2, 600)))[0]
    bottom = 260 - 40
    assert (bottom - high) / (bottom - low) == pytest.approx(2, rel=0.01)


def test_image_has_a_size_and_brings_its_colours_for_light_and_dark() -> None:
    root = drawn(*FEW)
    assert (root.get("width"), root.get("height")) == ("720", "260")
    style = root.findtext(f"{SVG}style") or ""
    used = set(re.findall(r"var\((--[\w-]+)\)", ET.tostring(root, encoding="unicode")))
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    assert used <= set(re.findall(r"(--[\w-]+):", light))
    assert used <= set(re.findall(r"(--[\w-]+):", dark))


def test_metric_from_elsewhere_is_harmless() -> None:
    assert "MB (<b>$x^2$)" in texts(drawn(entry(1, metric="<b>$x^2$\x1b[31m")))


def test_long_history_stays_small_and_is_the_same_each_time() -> None:
    history = tuple(entry(i, 500 + i % 90) if i % 9 else incomplete(i) for i in range(400))
    assert render_trend(history) == render_trend(history)
    assert len(render_trend(history)) < 100_000
