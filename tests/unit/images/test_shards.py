"""Images spread over machines: everything once, evenly, the same every time."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegig.images.shards import MATRIX_JOBS, Costs, Job, balance, costs_of, plan_shards
from onegig.model.budgets import Shards
from onegig.model.measured import Skipped, Unknown
from onegig.model.stack import Service, Stack
from onegig.model.state import State
from onegig.model.verdict import Baseline, ServiceNumbers
from stacks import plain_service

MISSING = Unknown(reason="not measured")


def service(name: str, image: str = "", dockerfile: str | None = "Dockerfile") -> Service:
    return plain_service(
        name, image or f"shop/{name}", builds=dockerfile is not None, dockerfile=dockerfile
    )


def stack(*services: Service) -> Stack:
    return Stack(name="shop", directory="/shop", files=(), services=services, config_json="{}")


def job(name: str, seconds: float, file: str = "") -> Job:
    return Job(image=name, services=(name,), file=file or name, seconds=seconds)


def work(part: Sequence[Job]) -> float:
    return sum(item.seconds for item in part)


def best(seconds: Sequence[float], count: int) -> float:
    """The least work of the busiest of `count` machines, by trying everything."""
    ways = product(range(count), repeat=len(seconds))
    return min(
        max(sum(s for s, p in zip(seconds, way, strict=True) if p == n) for n in range(count))
        for way in ways
    )


jobs = st.lists(st.tuples(st.integers(0, 300), st.sampled_from("abc")), min_size=1, max_size=7).map(
    lambda parts: [job(f"image{n}", s, file) for n, (s, file) in enumerate(parts)]
)
stacks = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from(["a/Dockerfile", "b/Dockerfile", None])),
    min_size=1,
    max_size=30,
).map(lambda parts: stack(*(service(f"s{n}", f"i{i}", file) for n, (i, file) in enumerate(parts))))
costs = st.builds(
    Costs,
    seconds=st.dictionaries(st.integers(0, 30).map("s{}".format), st.floats(0, 900)),
    bytes=st.dictionaries(st.integers(0, 30).map("s{}".format), st.integers(0, 10**9)),
)


@given(jobs=jobs, most=st.integers(1, 4))
def test_the_busiest_machine_has_at_most_four_thirds_of_the_least_possible(
    jobs: list[Job], most: int
) -> None:
    parts = balance(jobs, most)
    least = best([item.seconds for item in jobs], most)
    assert max(map(work, parts)) <= least * 4 / 3 + 1e-6


@given(jobs=jobs, most=st.integers(1, 9))
def test_every_job_is_in_one_part_and_no_part_is_empty(jobs: list[Job], most: int) -> None:
    parts = balance(jobs, most)
    assert sorted(item.image for part in parts for item in part) == [item.image for item in jobs]
    assert all(parts)
    assert len(parts) <= most


@given(stack=stacks, costs=costs, most=st.integers(1, 12))
def test_every_service_is_built_once_and_those_of_one_image_together(
    stack: Stack, costs: Costs, most: int
) -> None:
    parts = plan_shards(stack, costs, Shards(start=1, most=most))
    images = {item.name: item.image for item in stack.services}
    held = [{images[name] for name in shard.services} for shard in parts]
    assert sum(map(len, held)) == (len(set(images.values())) if parts else 0)
    assert sum(len(shard.services) for shard in parts) == (len(images) if parts else 0)
    assert len(parts) <= most
    assert [shard.name for shard in parts] == [str(n + 1) for n in range(len(parts))]


@given(stack=stacks, costs=costs, data=st.data())
def test_the_order_of_services_makes_no_difference(
    stack: Stack, costs: Costs, data: st.DataObject
) -> None:
    services = data.draw(st.permutations(stack.services))
    shards = Shards(start=1, most=6)
    other = replace(stack, services=tuple(services))
    assert plan_shards(stack, costs, shards) == plan_shards(other, costs, shards)


def test_images_of_one_dockerfile_are_kept_together() -> None:
    parts = balance([job(f"{file}{n}", 20, file) for n in range(6) for file in "abc"], 3)
    assert [{item.file for item in part} for part in parts] == [{"a"}, {"b"}, {"c"}]


def test_but_not_where_that_would_be_uneven() -> None:
    one_file = [job(f"a{n}", 100, "a") for n in range(3)]
    parts = balance([*one_file, job("b", 290, "b"), job("c", 10, "c")], 2)
    assert sorted(map(work, parts)) == [300, 300]


def test_one_dear_image_needs_no_more_machines_than_one_beside_its_own() -> None:
    parts = balance([job("dear", 600), *(job(f"cheap{n}", 10) for n in range(20))], 10)
    assert [len(part) for part in parts] == [1, 20]


def test_graham_s_own_worst_case_for_two_machines() -> None:
    """7/6 of the optimum, which the bound for two machines allows."""
    parts = balance([job(name, s) for name, s in zip("abcde", (3, 3, 2, 2, 2), strict=True)], 2)
    assert max(map(work, parts)) <= 7


@pytest.mark.parametrize(("images", "shards"), [(29, 0), (30, 10), (31, 8), (300, 10)])
def test_below_the_configured_number_of_images_one_machine_builds_all(
    images: int, shards: int
) -> None:
    parts = plan_shards(stack(*(service(f"s{n}") for n in range(images))), Costs(), Shards())
    assert len(parts) == shards


def test_images_that_cost_next_to_nothing_are_not_worth_a_second_machine() -> None:
    services = [service(f"s{n}") for n in range(40)]
    cheap = Costs(seconds={item.name: 2.5 for item in services})
    assert plan_shards(stack(*services), cheap, Shards()) == ()
    some = Costs(seconds={item.name: 3.0 for item in services})
    assert len(plan_shards(stack(*services), some, Shards())) == 2


def test_few_images_of_unknown_cost_get_the_machines_asked_for() -> None:
    parts = plan_shards(stack(service("a"), service("b")), Costs(), Shards(start=2, most=5))
    assert [shard.services for shard in parts] == [("a",), ("b",)]


def test_a_service_without_a_known_cost_costs_the_median() -> None:
    services = [service(name, dockerfile=f"{name}/Dockerfile") for name in "abcd"]
    known = Costs(seconds={"a": 100, "b": 200, "c": 900}, bytes={"d": 10**9})
    parts = plan_shards(stack(*services), known, Shards(start=1, most=2))
    assert [shard.services for shard in parts] == [("c",), ("a", "b", "d")]


def test_sizes_stand_in_for_costs_where_none_is_known() -> None:
    services = [service(name, dockerfile=f"{name}/Dockerfile") for name in "abcdefg"]
    sizes = Costs(bytes={"a": 60, "b": 10, "c": 10, "d": 10, "e": 10, "f": 10, "g": 10})
    parts = plan_shards(stack(*services), sizes, Shards(start=1, most=2))
    assert [shard.services for shard in parts] == [("a",), ("b", "c", "d", "e", "f", "g")]


def test_a_matrix_has_at_most_as_many_jobs_as_github_allows() -> None:
    services = [service(f"s{n}", dockerfile=f"{n}/Dockerfile") for n in range(300)]
    dear = Costs(seconds={item.name: 600 for item in services})
    parts = plan_shards(stack(*services), dear, Shards(most=1000))
    assert MATRIX_JOBS // 2 <= len(parts) <= MATRIX_JOBS


def test_costs_are_those_of_the_last_known_run() -> None:
    numbers = (
        ServiceNumbers(name="a", memory_bytes=MISSING, image_bytes=7, cost_seconds=1.5),
        ServiceNumbers(name="b", memory_bytes=MISSING, image_bytes=Skipped(reason="new")),
    )
    parts = costs_of(
        Baseline(
            commit="c" * 40,
            created="2026-11-23T00:00:00+00:00",
            state=State.GO,
            metric="rss",
            total_bytes=MISSING,
            limit_bytes=1,
            spread_bytes=MISSING,
            marks=(),
            services=numbers,
            environment=MISSING,
        )
    )
    assert parts == Costs(seconds={"a": 1.5}, bytes={"a": 7})
