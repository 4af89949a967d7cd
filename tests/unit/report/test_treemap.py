"""Treemaps: every size gets its share of the area, and nothing overlaps or sticks out."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegig.report.treemap import Area, lay_out

WHOLE = Area(x=10, y=20, width=300, height=200)
TOLERANCE = 0.01  # pixels: sizes are not exact in floating point


@given(st.lists(st.integers(min_value=1, max_value=10**12), min_size=1, max_size=30))
def test_areas_are_in_proportion_and_tile_the_whole(sizes: list[int]) -> None:
    ordered = sorted(sizes, reverse=True)
    cells = lay_out(ordered, WHOLE)
    for size, cell in zip(ordered, cells, strict=True):
        share = size / sum(ordered)
        assert cell.width * cell.height == pytest.approx(share * 300 * 200, rel=1e-3)
        assert cell.x >= WHOLE.x - TOLERANCE
        assert cell.y >= WHOLE.y - TOLERANCE
        assert cell.x + cell.width <= WHOLE.x + WHOLE.width + TOLERANCE
        assert cell.y + cell.height <= WHOLE.y + WHOLE.height + TOLERANCE
    for one, two in combinations(cells, 2):
        across = min(one.x + one.width, two.x + two.width) - max(one.x, two.x)
        down = min(one.y + one.height, two.y + two.height) - max(one.y, two.y)
        assert min(across, down) <= TOLERANCE


def test_the_example_of_the_paper() -> None:
    cells = lay_out([6, 6, 4, 3, 2, 2, 1], Area(x=0, y=0, width=6, height=4))
    shapes = [(round(cell.width, 2), round(cell.height, 2)) for cell in cells]
    assert shapes == [
        (3, 2),
        (3, 2),
        (1.71, 2.33),
        (1.29, 2.33),
        (1.2, 1.67),
        (1.2, 1.67),
        (0.6, 1.67),
    ]


def test_nothing_is_laid_out_of_nothing() -> None:
    assert lay_out([], WHOLE) == ()
    assert len(lay_out([0, 0], WHOLE)) == 2
