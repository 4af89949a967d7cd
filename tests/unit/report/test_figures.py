"""Figures: bars stay in proportion, nothing is lost by thinning out or by putting together."""

import re
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import MIB, OVERHEAD, SERVICES, make_memory, make_service
from onegig.model.verdict import Bar, Waterfall
from onegig.report.figures import (
    COLORED,
    POINTS,
    draw_memory,
    memory_bands,
    thin_out,
    waterfall_strips,
)

steps = st.lists(st.integers(0, 2048), max_size=6)

TOTAL = attrgetter("total_bytes")


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


@pytest.mark.parametrize("count", [1, COLORED, COLORED + 1, COLORED + 2, 150])
def test_bands_add_up_to_the_total_at_every_point(count: int) -> None:
    memory = make_memory([make_service(f"s{i}", 2.0 + i % 7) for i in range(count)])
    bands = memory_bands(memory, OVERHEAD)
    totals = [sum(values) for values in zip(*(band.values for band in bands), strict=True)]
    assert totals == [sample.total_bytes + OVERHEAD for sample in thin_out(memory.samples, TOTAL)]
    assert len({band.color for band in bands}) == len(bands) <= COLORED + 3


def test_largest_services_have_a_band_of_their_own() -> None:
    memory = make_memory([make_service(name, rss) for name, rss in SERVICES.items()])
    labels = [band.label for band in memory_bands(memory, OVERHEAD)]
    assert labels[:4] == ["kernel and OS", "engine", "market-data", "correlation"]
    assert labels[-1] == "8 other services"


def test_no_lone_service_is_called_other() -> None:
    memory = make_memory([make_service(f"s{i}", 5.0) for i in range(COLORED + 1)])
    assert memory_bands(memory, OVERHEAD)[-1].label == "2 other services"


def test_a_single_sample_is_an_area_not_a_point() -> None:
    memory = make_memory([make_service("web", 9.0)])
    memory = replace(memory, samples=memory.samples[:1])
    drawn = draw_memory(memory, memory_bands(memory, OVERHEAD), 1024 * MIB, "memory")
    path = re.findall(r'<path d="(M[^"]+Z)" style="fill: var\(--c1\)', drawn)[0]
    assert len(set(re.findall(r"[ML] ([\d.]+) ", path))) == 2


def test_thinning_keeps_the_peak_and_the_order() -> None:
    samples = make_memory([make_service("web", 9.0)]).samples * 7
    thinned = thin_out(samples, TOTAL)
    assert len(thinned) == POINTS
    assert max(s.total_bytes for s in thinned) == max(s.total_bytes for s in samples)


def test_few_samples_are_all_kept() -> None:
    samples = make_memory([make_service("web", 9.0)]).samples[:POINTS]
    assert thin_out(samples, TOTAL) == samples
