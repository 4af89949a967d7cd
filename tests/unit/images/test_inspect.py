"""The inspect step over a whole stack, with an engine made by hand."""

import shutil
import tempfile
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from fake_engine import make_engine, make_image
from onegig.engine.images import EngineImage
from onegig.images import dive, examine
from onegig.images.cache import Cache
from onegig.images.inspect import Inspection, inspect_images
from onegig.images.layer import LayerIndex, index_layer
from onegig.model.images import NOT_WEIGHED
from onegig.model.measured import Environment, Missing, Unknown

Inspect = Callable[..., Any]
Images = dict[str, Any]
BASE = [("bin/sh", b"s" * 4000)]


@pytest.fixture
def images() -> Images:
    """Three images, two of which share a base."""
    return {
        "shop/web:1": make_image(BASE, [("srv/web", b"w" * 100)]),
        "shop/jobs:1": make_image(BASE, [("srv/jobs", b"j" * 20)]),
        "redis:8": make_image([("bin/redis", b"r" * 700)]),
    }


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Layers are unpacked here; nothing of them may remain."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def inspect(
    tmp_path: Path, no_dive: Unknown, environment: Environment
) -> Callable[..., tuple[Inspection, list[str]]]:
    """Inspect what an engine holds, or the references given."""

    def run(engine: Any, *references: str, **options: Any) -> tuple[Inspection, list[str]]:
        lines: list[str] = []
        services = {name: (name.split("/")[-1],) for name in references or engine.images}
        inspection = inspect_images(
            options.get("services", services),
            engine=engine,
            cache=Cache(tmp_path / "cache"),
            environment=environment,
            progress=lines.append,
            program=options.get("program", no_dive),
            weigh=options.get("weigh", False),
        )
        return inspection, lines

    return run


def test_bytes_of_a_stack_are_its_own_shared_and_counted_once_on_disk(
    inspect: Inspect, images: Images
) -> None:
    inspection, _ = inspect(make_engine(images=images))
    columns = attrgetter("reference", "services", "size_bytes", "own_bytes", "shared_bytes")
    rows = [columns(image) for image in inspection.report.images]
    assert rows == [
        ("shop/web:1", ("web:1",), 4100, 100, 4000),
        ("shop/jobs:1", ("jobs:1",), 4020, 20, 4000),
        ("redis:8", ("redis:8",), 700, 700, 0),
    ]
    assert (inspection.report.total_bytes, inspection.report.disk_bytes) == (8820, 4820)
    assert inspection.problems == ()
    for image in inspection.report.images:
        assert image.base == "official"


def test_all_images_come_in_one_stream_and_unchanged_ones_cost_nothing(
    inspect: Inspect, images: Images, scratch: Path
) -> None:
    engine = make_engine(images=images)
    first, lines = inspect(engine)
    assert [len(names) for names in engine.saves] == [3]
    assert sorted(line.split(":")[0] for line in lines) == ["redis", "shop/jobs", "shop/web"]
    second, lines = inspect(engine)
    assert len(engine.saves) == 1
    assert second == first
    assert all(line.endswith("unchanged") for line in lines)
    assert list(scratch.glob("*/*")) == []


def test_a_changed_image_alone_is_saved_and_its_known_layers_are_not_read_again(
    inspect: Inspect, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(images=images)
    inspect(engine)
    changed = engine.images["shop/web:1"] = make_image(BASE, [("srv/web", b"W" * 101)])
    read: list[str] = []

    def note(diff_id: str, path: Path) -> LayerIndex:
        read.append(diff_id)
        return index_layer(diff_id, path)

    monkeypatch.setattr(examine, "index_layer", note)
    inspection, _ = inspect(engine)
    assert engine.saves[1:] == [(changed.image_id,)]
    assert read == [changed.diff_ids[1]]
    assert inspection.report.images[0].size_bytes == 4101


def test_an_image_that_is_missing_is_named_and_the_others_are_kept(
    inspect: Inspect, images: Images
) -> None:
    inspection, _ = inspect(make_engine(images=images), "shop/web:1", "nowhere:1", "redis:8")
    assert [image.reference for image in inspection.report.images] == ["shop/web:1", "redis:8"]
    assert inspection.problems == ("nowhere:1: the engine has no image nowhere:1 (build it)",)


def test_an_image_that_cannot_be_saved_is_named_and_the_others_are_kept(
    inspect: Inspect, images: Images
) -> None:
    inspection, lines = inspect(make_engine(images=images, broken=("shop/jobs:1",)))
    assert [image.reference for image in inspection.report.images] == ["shop/web:1", "redis:8"]
    assert inspection.problems == (
        "shop/jobs:1: the engine could not save the image: layer does not exist",
    )
    assert inspection.problems[0] in lines


def test_nothing_readable_is_an_empty_report_with_every_problem(inspect: Inspect) -> None:
    inspection, _ = inspect(make_engine(images={}), "a:1", "b:1")
    assert inspection.report.images == ()
    assert len(inspection.problems) == 2


def test_an_image_that_several_services_run_counts_for_each_in_the_total(
    inspect: Inspect, images: Images
) -> None:
    engine = make_engine(images=images)
    inspection, _ = inspect(engine, services={"redis:8": ("cache", "queue")})
    assert (inspection.report.total_bytes, inspection.report.disk_bytes) == (1400, 700)
    inspection, _ = inspect(engine, services={"redis:8": ()})
    assert (inspection.report.total_bytes, inspection.report.disk_bytes) == (700, 700)


def test_one_image_under_two_names_is_saved_once(inspect: Inspect, images: Images) -> None:
    engine = make_engine(images={"a:1": images["redis:8"], "b:1": images["redis:8"]})
    inspection, _ = inspect(engine)
    assert engine.saves == [(images["redis:8"].image_id,)]
    for image in inspection.report.images:
        assert (image.own_bytes, image.shared_bytes) == (0, 700)
    assert inspection.report.disk_bytes == 700


def test_a_dive_that_failed_is_asked_again_next_time(
    inspect: Inspect, images: Images, program: Callable[[str], dive.Program]
) -> None:
    engine = make_engine(images={"redis:8": images["redis:8"]})
    failing = program("exec cat >/dev/null")
    for _ in range(2):
        inspection, _ = inspect(engine, program=failing)
        assert isinstance(inspection.report.images[0].dive, Unknown)
        assert inspection.report.images[0].size_bytes == 700
        assert inspection.problems == ()
    assert len(engine.saves) == 2


def test_every_byte_is_accounted_for_and_duplicates_are_found_across_images(
    inspect: Inspect,
) -> None:
    twice = b"t" * 9000
    images = {
        "shop/web:1": make_image([("srv/a", twice)], [("srv/.wh.a", b"")]),
        "shop/jobs:1": make_image(BASE, [("srv/b", twice)]),
    }
    inspection, _ = inspect(make_engine(images=images))
    for image in inspection.report.images:
        assert image.accounting.live_bytes + image.accounting.dead_bytes == image.size_bytes
    assert inspection.report.images[0].accounting.deleted_bytes == 9000
    (duplicate,) = inspection.report.duplicates
    assert (duplicate.bytes, duplicate.copies) == (9000, 2)
    assert set(duplicate.places) == {"shop/web:1: /srv/a", "shop/jobs:1: /srv/b"}


def test_what_is_known_is_told_without_a_layer_or_an_index(
    inspect: Inspect, tmp_path: Path
) -> None:
    images = {f"shop/{name}:1": make_image(BASE, [(name, b"t" * 9000)]) for name in "ab"}
    engine = make_engine(images=images)
    first, _ = inspect(engine)
    assert first.report.duplicates
    for kept in (*(tmp_path / "cache").glob("index-*"), *(tmp_path / "cache").glob("layer-*")):
        kept.unlink()
    second, _ = inspect(engine)
    assert second == first
    assert len(engine.saves) == 1


def test_another_stack_of_known_images_needs_their_indexes(
    inspect: Inspect, tmp_path: Path
) -> None:
    """Duplicates depend on all images together; lost indexes are made again."""
    images = {f"shop/{name}:1": make_image(BASE, [(name, b"t" * 9000)]) for name in "ab"}
    engine = make_engine(images=images)
    for name in images:
        alone, _ = inspect(engine, name)
        assert alone.report.duplicates == ()
    together, _ = inspect(engine)
    assert len(engine.saves) == 2
    for kept in (tmp_path / "cache").glob("index-*"):
        kept.unlink()
    for kept in (tmp_path / "cache").glob("duplicates-*"):
        kept.unlink()
    again, _ = inspect(engine)
    assert again == together
    assert [group.copies for group in again.report.duplicates] == [2]
    assert len(engine.saves) == 3


@pytest.mark.parametrize(("first", "then"), [("gzip", "zstd"), ("zstd", "gzip")])
def test_the_bytes_to_pull_do_not_depend_on_what_was_inspected_before(
    first: str, then: str, inspect: Inspect, tmp_path: Path
) -> None:
    """The same layers come compressed in one image, otherwise or not at all in another."""
    one = make_image(BASE, config_extra="one")
    other = make_image(BASE, config_extra="other")
    alone, _ = inspect(make_engine(images={"other": other}, form=then))
    shutil.rmtree(tmp_path / "cache")
    inspect(make_engine(images={"one": one}, form=first))
    after, _ = inspect(make_engine(images={"other": other}, form=then))
    assert after.report.images[0].compressed_bytes == alone.report.images[0].compressed_bytes


def test_layers_are_compressed_only_when_asked_and_then_known(
    inspect: Inspect, images: Images
) -> None:
    engine = make_engine(images=images)
    sizes: list[list[Any]] = []
    for weigh in (False, True, False):
        inspection, _ = inspect(engine, weigh=weigh)
        sizes.append([image.compressed_bytes for image in inspection.report.images])
    assert sizes[0] == [NOT_WEIGHED] * 3
    assert all(50 < size < 1000 for size in sizes[1])
    assert sizes[2] == sizes[1]
    assert len(engine.saves) == 2


def test_the_registry_tells_the_bytes_to_pull(
    inspect: Inspect, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(image: EngineImage) -> tuple[int, ...] | Missing:
        is_known = "shop" in image.reference
        return (1000, 30) if is_known else Unknown(reason="the registry does not answer")

    monkeypatch.setattr(examine, "read_pulled_bytes", read)
    inspection, _ = inspect(make_engine(images=images))
    assert [image.compressed_bytes for image in inspection.report.images] == [
        *(1030, 1030),
        Unknown(reason="the registry does not answer"),
    ]
