"""The badge: never green without a number that fits, harmless whatever it is told to say."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from factories import MIB
from onegig.cli import main
from onegig.model.codec import to_json
from onegig.model.measured import Missing, Unknown
from onegig.model.state import BADGE_COLORS, State
from onegig.report import BADGES
from onegig.report.pictures import Badge, make_badge, to_endpoint, to_svg, unknown_badge
from scenarios import REPORTS, make_go

LIMIT = 1024 * MIB
NOTHING = Unknown(reason="the box was killed")
SVG = "{http://www.w3.org/2000/svg}"
GREEN = "brightgreen"


@pytest.mark.parametrize(
    ("state", "total", "message", "color"),
    [
        (State.GO, 612 * MIB, "612 / 1,024 MB", GREEN),
        (State.WARN, 960 * MIB, "960 / 1,024 MB · WARN", "yellow"),
        (State.NO_GO, 1159 * MIB, "1,159 / 1,024 MB · NO-GO", "red"),
        (State.NO_GO, 612 * MIB, "612 / 1,024 MB · NO-GO", "red"),  # an image, say
        (State.NO_GO, NOTHING, "unknown · NO-GO", "red"),
        (State.INCOMPLETE, NOTHING, "unknown", "lightgrey"),
        (State.INCOMPLETE, 612 * MIB, "unknown", "lightgrey"),
        (State.WARN, 1159 * MIB, "1,159 / 1,024 MB · WARN", "red"),  # waived
    ],
)
def test_what_a_verdict_looks_like(
    state: State, total: int | Missing, message: str, color: str
) -> None:
    assert make_badge(state, total, LIMIT) == Badge(label="memory", message=message, color=color)


def test_one_byte_over_the_limit_shows() -> None:
    assert make_badge(State.NO_GO, LIMIT + 1, LIMIT).message.startswith("1,025 / 1,024 MB")


def test_limit_is_rounded_down() -> None:
    assert make_badge(State.GO, 5 * MIB, 10 * MIB - 1).message == "5 / 9 MB"


@given(
    st.sampled_from(State),
    st.one_of(st.integers(0, 2**40), st.just(NOTHING)),
    st.integers(1, 2**40),
)
def test_green_only_for_a_go_with_a_number_that_fits(
    state: State, total: int | Missing, limit: int
) -> None:
    badge = make_badge(state, total, limit)
    fits = isinstance(total, int) and total <= limit
    assert (badge.color == GREEN) == (state is State.GO and fits)


def test_badge_before_the_first_run_is_not_green() -> None:
    assert unknown_badge() == Badge(message="unknown", color="lightgrey")


@pytest.mark.parametrize("form", BADGES)
@pytest.mark.parametrize("name", ["go", "warn", "no-go", "incomplete", "never-healthy"])
def test_whole_badge(name: str, form: str, golden: Callable[[str, str], None]) -> None:
    suffix = {"badge": "svg", "badge-json": "json"}[form]
    golden(f"badge/{name}.{suffix}", BADGES[form](REPORTS[name]()))


def test_total_of_a_report_that_is_go_without_one_is_unknown() -> None:
    report = make_go()
    verdict = replace(report.verdict, total_bytes=NOTHING)
    result = json.loads(BADGES["badge-json"](replace(report, verdict=verdict)))
    assert (result["message"], result["color"]) == ("unknown", "lightgrey")


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_drawn(state: State) -> None:
    badge = make_badge(state, 612 * MIB, LIMIT)
    assert BADGE_COLORS[badge.color] in to_svg(badge)


@pytest.mark.parametrize("color", BADGE_COLORS)
def test_reader_of_a_page_cannot_turn_a_failure_green(color: str) -> None:
    result = json.loads(to_endpoint(Badge(message="x", color=color)))
    assert result["schemaVersion"] == 1
    assert result["isError"] == (color in ("red", "lightgrey"))


@pytest.mark.parametrize(
    "text", ['"><script>alert(1)</script>', "a & b < c", "it's", "\x1b[31mred\x00", "{width}"]
)
def test_svg_says_what_it_was_told_and_nothing_else(text: str) -> None:
    root = ET.fromstring(to_svg(Badge(label=text, message="1 / 2 MB", color="red")))
    seen = text.replace("\x1b[31m", "").replace("\x00", "")
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title") == f"{seen}: 1 / 2 MB"
    assert {element.text for element in root.iter(f"{SVG}text")} == {seen, "1 / 2 MB"}
    assert not list(root.iter(f"{SVG}script"))


def test_text_of_any_length_fits_its_half() -> None:
    for message in ("1", "612 / 1,024 MB", "W" * 100):
        root = ET.fromstring(to_svg(Badge(message=message, color="red")))
        label, half = root.findall(f".//{SVG}g/{SVG}rect")[:2]
        text = root.findall(f".//{SVG}text")[-1]
        assert int(text.get("textLength", "")) / 10 == int(half.get("width", "")) - 10
        assert int(label.get("width", "")) + int(half.get("width", "")) == int(
            root.get("width", "")
        )


@pytest.mark.parametrize("form", BADGES)
def test_badge_from_a_report_that_was_kept(form: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(to_json(make_go()))
    done = CliRunner().invoke(main, ["render", str(path), "--format", form])
    assert (done.exit_code, done.output) == (0, BADGES[form](make_go()))
