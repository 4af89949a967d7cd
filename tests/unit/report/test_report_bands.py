"""Memory over time: nothing is lost by thinning out or by putting services together."""

import pytest

from factories import OVERHEAD, SERVICES, make_memory, make_service
from onegig.report.bands import COLORED, POINTS, memory_bands, thinned


@pytest.mark.parametrize("count", [1, COLORED, COLORED + 1, COLORED + 2, 150])
def test_bands_add_up_to_the_total_at_every_point(count: int) -> None:
    memory = make_memory([make_service(f"s{i}", 2.0 + i % 7) for i in range(count)])
    bands = memory_bands(memory, OVERHEAD)
    totals = [sum(values) for values in zip(*(band.values for band in bands), strict=True)]
    assert totals == [sample.total_bytes + OVERHEAD for sample in thinned(memory.samples)]
    assert len({band.color for band in bands}) == len(bands) <= COLORED + 3


def test_largest_services_have_a_band_of_their_own() -> None:
    memory = make_memory([make_service(name, rss) for name, rss in SERVICES.items()])
    labels = [band.label for band in memory_bands(memory, OVERHEAD)]
    assert labels[:4] == ["kernel and OS", "engine", "market-data", "correlation"]
    assert labels[-1] == "8 other services"


def test_no_lone_service_is_called_other() -> None:
    memory = make_memory([make_service(f"s{i}", 5.0) for i in range(COLORED + 1)])
    assert memory_bands(memory, OVERHEAD)[-1].label == "2 other services"


def test_thinning_keeps_the_peak_and_the_order() -> None:
    samples = make_memory([make_service("web", 9.0)]).samples * 7
    kept = thinned(samples)
    assert len(kept) == POINTS
    assert max(s.total_bytes for s in kept) == max(s.total_bytes for s in samples)


def test_few_samples_are_all_kept() -> None:
    samples = make_memory([make_service("web", 9.0)]).samples[:POINTS]
    assert thinned(samples) == samples
