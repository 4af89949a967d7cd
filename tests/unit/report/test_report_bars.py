"""Bars of characters stay in their width and in proportion."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from factories import MIB
from onegig.model.verdict import Bar, Waterfall
from onegig.report.figures import waterfall_strips

steps = st.lists(st.integers(0, 2048), max_size=6)


def make_waterfall(sold: int, taken: list[int]) -> Waterfall:
    return Waterfall(
        machine="m",
        sold_bytes=sold * MIB,
        steps=tuple(Bar(name=f"s{i}", bytes=size * MIB) for i, size in enumerate(taken)),
        headroom_bytes=(sold - sum(taken)) * MIB,
    )


@given(sold=st.integers(1, 4096), taken=steps, width=st.integers(10, 60))
def test_bars_stay_in_their_width(sold: int, taken: list[int], width: int) -> None:
    bars = waterfall_strips(make_waterfall(sold, taken))
    whole = max(1, *(bar.end_bytes for bar in bars))
    drawn = [bar.draw(whole, width) for bar in bars]
    assert max(map(len, drawn)) <= width
    assert all(text.strip() for bar, text in zip(bars, drawn, strict=True) if bar.value_bytes)


@given(sold=st.integers(1, 4096), taken=steps)
def test_steps_follow_each_other(sold: int, taken: list[int]) -> None:
    bars = waterfall_strips(make_waterfall(sold, taken))
    for before, after in pairwise(bars[1:-1]):
        assert after.start_bytes == before.end_bytes


def test_what_fits_ends_at_what_was_sold() -> None:
    bars = waterfall_strips(make_waterfall(1024, [80, 200, 300]))
    assert (bars[-1].label, bars[-1].value_bytes) == ("headroom", 444 * MIB)
    assert bars[-1].end_bytes == bars[0].end_bytes


def test_what_does_not_fit_sticks_out() -> None:
    bars = waterfall_strips(make_waterfall(1024, [80, 200, 900]))
    assert (bars[-1].label, bars[-1].value_bytes) == ("over", 156 * MIB)
    assert bars[-1].start_bytes == bars[0].end_bytes
    assert bars[-1].end_bytes == bars[-2].end_bytes
