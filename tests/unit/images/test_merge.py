"""Reports of several machines as one: equal to what one machine would have found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import make_environment, make_images
from fake_engine import make_engine, make_image
from onegig.errors import InspectError
from onegig.images import dive
from onegig.images.cache import Cache
from onegig.images.inspect import inspect_images
from onegig.images.merge import list_large, merge_images
from onegig.images.sharing import add_up
from onegig.model.images import (
    NOT_ACCOUNTED,
    NOT_LISTED,
    NOT_SCANNED,
    Duplicate,
    ImagesReport,
    LargeFiles,
)
from onegig.model.measured import Environment, Unknown

NAMES = ("web", "jobs", "cache", "queue")
SCHEMA, MOTD = ("srv/schema.json", b"{" * 500), ("srv/motd", b"m" * 60)
USERS = {"shop/web:1": ("web", "web-2"), "shop/jobs:1": ("jobs",), "redis:8": (), "mail:1": ("m",)}


def partitions(items: Sequence[str]) -> Iterator[list[list[str]]]:
    """Every way to put things into groups."""
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for place, group in enumerate(rest):
            yield [*rest[:place], [items[0], *group], *rest[place + 1 :]]


Inspect = Callable[..., ImagesReport]


@pytest.fixture
def inspect(no_dive: Unknown, environment: Environment, tmp_path: Any) -> Inspect:
    """Inspect images of which some share one layer, some two, some none.

    Three of them hold the same file in layers of their own, two of those in a layer each.
    """
    base = [("bin/sh", b"s" * 4000), ("bin/ash", b"s" * 4000), ("etc/motd", b"m" * 60)]
    tools = [("bin/tool", b"t" * 900)]
    engine = make_engine(
        images={
            "shop/web:1": make_image(base, tools, [("srv/web", b"w" * 100), SCHEMA, MOTD]),
            "shop/jobs:1": make_image(base, tools, [("srv/jobs", b"j" * 20), SCHEMA]),
            "redis:8": make_image([("bin/redis", b"r" * 700), ("srv/x.json", SCHEMA[1]), MOTD]),
            "mail:1": make_image(base, [("bin/mail", b"m" * 300)]),
        }
    )
    cache = Cache(tmp_path / "cache")
    cache.keep_build(engine.images["mail:1"].image_id, 12.5)

    def look(users: Mapping[str, tuple[str, ...]], floor_bytes: int | None = None) -> ImagesReport:
        inspection = inspect_images(
            users,
            engine=engine,
            cache=cache,
            environment=environment,
            progress=lambda _line: None,
            program=no_dive,
        )
        assert inspection.problems == ()
        report = replace(inspection.report, stack="shop")
        if floor_bytes is None:
            return report
        diff_ids = dict.fromkeys(item.diff_id for image in report.images for item in image.layers)
        indexes = [index for index in map(cache.index, diff_ids) if index]
        return replace(report, large=list_large(indexes, floor_bytes))

    return look


def sizes(report: ImagesReport) -> list[tuple[int, int]]:
    return [(duplicate.bytes, duplicate.copies) for duplicate in report.duplicates]


def test_any_split_merged_equals_inspecting_all_at_once(inspect: Inspect) -> None:
    whole = inspect(USERS)
    assert whole.total_bytes == (8060 + 900 + 660) * 2 + (8060 + 920 + 500) + 1260 + 8360
    assert whole.disk_bytes == 8060 + 900 + 660 + 520 + 1260 + 300
    assert sizes(whole) == [(4000, 2), (500, 3), (60, 3)]
    splits = list(partitions(tuple(USERS)))
    assert len(splits) == 15
    for split in splits:
        parts = [inspect({name: USERS[name] for name in group}, 1) for group in split]
        for several in (parts, parts[::-1]):
            merged = merge_images(several, order=tuple(USERS))
            assert replace(merged, duplicates_remark="") == whole
            assert bool(merged.duplicates_remark) == (len(parts) > 1)


def test_duplicates_of_small_contents_are_those_of_one_machine(inspect: Inspect) -> None:
    """The schema takes 1,000 bytes on the first machine and 500 on the other, motd 120 on each."""
    first, second = ("shop/web:1", "shop/jobs:1"), ("redis:8", "mail:1")
    for floor, expected in (
        (120, [(4000, 2), (500, 3), (60, 3)]),
        (500, [(4000, 2), (500, 3), (60, 2)]),
        (501, [(4000, 2), (500, 2), (60, 2)]),
        (10_000, [(4000, 2), (500, 2), (60, 2)]),
    ):
        parts = [inspect({name: USERS[name] for name in part}, floor) for part in (first, second)]
        merged = merge_images(parts, order=tuple(USERS))
        assert sizes(merged) == expected
        assert merged.duplicates_remark == (
            "2 machines inspected the images; duplicates across them were only searched "
            f"for files of {floor:,} bytes and more"
        )
        assert merged.large == NOT_LISTED


def test_what_one_part_does_not_list_is_said_not_to_be_looked_for(inspect: Inspect) -> None:
    parts = [inspect({"shop/web:1": ("web",)}, 1), inspect({"shop/jobs:1": ("jobs",)})]
    for several in (parts, parts[::-1]):
        merged = merge_images(several, order=tuple(USERS))
        assert sizes(merged) == [(4000, 2), (60, 2)]
        assert merged.duplicates_remark == (
            "2 machines inspected the images of different kinds, so the search for "
            "duplicates across them is incomplete"
        )


@given(
    groups=st.lists(st.lists(st.sampled_from(NAMES), unique=True), min_size=1, max_size=4),
    data=st.data(),
)
def test_merging_takes_no_notice_of_order_and_of_what_is_told_twice(
    groups: list[list[str]], data: st.DataObject
) -> None:
    reports = [make_images(group) for group in groups]
    order = [f"crypto-desk/{name}:latest" for name in NAMES]
    merged = merge_images(reports, order)
    again = [*data.draw(st.permutations(reports)), data.draw(st.sampled_from(reports))]
    assert merge_images(again, order) == merged
    summed = add_up(merged.images, merged.environment, merged.stack)
    assert replace(merged, duplicates=(), duplicates_remark="") == summed
    assert {image.services[0] for image in merged.images} == set().union(*groups)


def test_duplicates_of_layers_that_reports_share_count_once() -> None:
    def duplicate(size: int, *places: str) -> Duplicate:
        wasted = size * (len(places) - 1)
        return Duplicate(bytes=size, copies=len(places), wasted_bytes=wasted, places=places)

    web, jobs = make_images(["web"]), make_images(["jobs"])
    in_base = duplicate(70, "web: /bin/a", "web: /bin/b")
    larger = duplicate(500, "jobs: /srv/x", "jobs: /srv/y")
    web = replace(web, duplicates=(in_base,))
    jobs = replace(jobs, duplicates=(larger, duplicate(70, "jobs: /bin/a", "jobs: /bin/b")))
    assert merge_images([web, jobs]).duplicates == (larger, in_base)


def test_an_image_told_twice_keeps_the_account_and_the_scan_of_either() -> None:
    report = make_images(["web"])
    (image,) = report.images
    bare = replace(image, accounting=NOT_ACCOUNTED, scan=NOT_SCANNED)
    for pair in ((bare, image), (image, bare)):
        merged = merge_images([replace(report, images=(item,)) for item in pair])
        assert merged.images[0].accounting == image.accounting
        assert merged.images[0].scan == image.scan


def test_one_name_for_two_images_is_an_error_that_names_both() -> None:
    first, second = make_images(["web"]), make_images(["web"], own_mb=0.5)
    with pytest.raises(InspectError) as caught:
        merge_images([first, second])
    assert "crypto-desk/web:latest is two images" in caught.value.message
    for report in (first, second):
        assert report.images[0].image_id in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"), [("architecture", "aarch64"), ("onegig_version", "0.2.0")]
)
def test_reports_that_count_otherwise_do_not_belong_together(name: str, value: str) -> None:
    first = make_images(["web"])
    changed: Any = {name: value}
    second = replace(make_images(["jobs"]), environment=replace(first.environment, **changed))
    with pytest.raises(InspectError, match=f"'{value}' in another"):
        merge_images([first, second])


def test_reports_of_two_stacks_do_not_belong_together() -> None:
    with pytest.raises(InspectError, match="the stack is 'crypto-desk' in one and 'shop'"):
        merge_images([make_images(["web"]), replace(make_images(["jobs"]), stack="shop")])


def test_what_else_differs_between_machines_stays_visible() -> None:
    first = make_images(["web"])
    other = replace(
        first.environment, engine_version="29.0.1", bases="assembled locally, official", cpus=2
    )
    merged = merge_images([first, replace(make_images(["jobs"]), environment=other)]).environment
    assert (merged.engine_version, merged.bases) == (
        "28.0.4, 29.0.1",
        "assembled locally, official",
    )
    assert merged.cpus == 2
    assert merge_images([first, first]).environment == make_environment()


def test_nothing_to_merge_is_an_error() -> None:
    with pytest.raises(InspectError, match="no reports"):
        merge_images([])


def test_a_cost_known_to_one_report_is_kept() -> None:
    plain = make_images(["web"])
    costly = replace(plain, images=(replace(plain.images[0], build_seconds=3.5),))
    for reports in ([plain, costly], [costly, plain]):
        assert merge_images(reports).images[0].build_seconds == 3.5


def test_images_inspected_elsewhere_are_used_where_the_engine_has_the_same(
    environment: Environment, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dive, "find", lambda: Unknown(reason="not wanted here"))
    images = {name: make_image([("bin/sh", name.encode() * 99)]) for name in NAMES}
    users = {name: (name,) for name in NAMES}
    lines: list[str] = []

    def look(
        engine: Any, reports: Sequence[ImagesReport], cache: str, names: Sequence[str] = NAMES
    ) -> ImagesReport:
        inspection = inspect_images(
            {name: users[name] for name in names},
            reports=reports,
            engine=engine,
            cache=Cache(tmp_path / cache),
            environment=environment,
            progress=lines.append,
            is_part=names != NAMES,
        )
        assert inspection.problems == ()
        return inspection.report

    first = make_engine(images=images)
    whole = look(first, (), "first")
    shards = [
        replace(look(first, (), "first", part), stack="shop") for part in (NAMES[:2], NAMES[2:3])
    ]
    assert whole.large == NOT_LISTED
    assert [item.large for item in shards] == [LargeFiles(at_least_bytes=65_536, layers=())] * 2
    lines.clear()
    second = make_engine(images=images | {"jobs": make_image([("bin/sh", b"changed")])})
    report = look(second, shards, "second")
    ids = {second.images[name].image_id for name in ("jobs", "queue")}
    assert [set(item) for item in second.saves] == [ids]
    assert lines[0] == "jobs: not the image that was inspected elsewhere, so inspected here"
    assert [image.reference for image in report.images] == list(NAMES)
    assert report.images[0] == whole.images[0]
    assert report.images[1].image_id == second.images["jobs"].image_id
    assert report.duplicates_remark.startswith("3 machines inspected the images; ")
    assert report == replace(
        look(second, (), "second"), stack="shop", duplicates_remark=report.duplicates_remark
    )
