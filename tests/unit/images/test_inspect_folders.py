"""What is said of images is the same whether they lie in folders or come as a stream."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine_folders import Folders, put
from onegig.images.cache import Cache
from onegig.images.inspect import Inspection, inspect_images
from onegig.model.measured import Environment, Unknown

LAYERS = (
    [("bin/sh", b"x" * 5000), ("etc/passwd", b"root"), ("caf\udce9", b"1")],
    [("etc/motd", b"hello"), ("bin/sh", b"x" * 5000), ("etc/.wh.passwd", b"")],
    [],
)
TEXTS = (b"", b"1", b"2" * 600, b"3" * 600, b"4" * 70_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "docker"


@pytest.fixture
def inspect(
    tmp_path: Path, no_dive: Unknown, environment: Environment
) -> Callable[..., Inspection]:
    """Inspect all that an engine holds, with a cache of that name."""

    def run(engine: Any, cache: str = "cache", *references: str) -> Inspection:
        return inspect_images(
            dict.fromkeys(references or engine.images, ()),
            engine=engine,
            cache=Cache(tmp_path / cache),
            environment=environment,
            progress=lambda _line: None,
            program=no_dive,
        )

    return run


def random_stack(random: Random, make_image: Callable[..., Any]) -> dict[str, Any]:
    """Images of the same few names and contents, with whiteouts, on one base."""

    def files() -> list[tuple[str, bytes]]:
        names = random.sample("abcdefgh", random.randint(0, 6))
        found = [(f"srv/{name}", random.choice(TEXTS)) for name in names]
        gone = random.sample("ijklm", random.randint(0, 2))
        return [*found, *((f"srv/.wh.{name}", b"") for name in gone)]

    base = [*files(), ("srv/i", TEXTS[3]), ("srv/j", TEXTS[4])]
    return {
        f"shop/{number}": make_image(base, *(files() for _ in range(random.randint(0, 4))))
        for number in range(4)
    }


@pytest.mark.parametrize("seed", range(30))
def test_folders_and_streams_give_the_same_report(
    seed: int,
    root: Path,
    make_image: Callable[..., Any],
    make_engine: Callable[..., Any],
    inspect: Callable[..., Inspection],
) -> None:
    images = random_stack(Random(seed), make_image)
    for made in images.values():
        put(root, made)
    engine = make_engine(images=images)
    found = inspect(Folders(root, engine), "folders")
    assert engine.saves == []
    assert found == inspect(engine, "stream")
    assert found.problems == ()
    assert found == inspect(Folders(root, engine), "folders")


def test_what_one_image_shares_with_one_inspected_before_is_found(
    root: Path,
    make_image: Callable[..., Any],
    make_engine: Callable[..., Any],
    inspect: Callable[..., Inspection],
) -> None:
    """Its file was not read then, because it had no equal."""
    images = {"a": make_image([("x", b"1" * 99)]), "b": make_image([("y", b"1" * 99)])}
    for made in images.values():
        put(root, made)
    engine = Folders(root, make_engine(images=images))
    assert inspect(engine, "cache", "a").report.duplicates == ()
    (found,) = inspect(engine).report.duplicates
    assert (found.bytes, found.copies) == (99, 2)


def test_an_image_known_from_folders_is_found_again_in_a_stream(
    root: Path,
    make_image: Callable[..., Any],
    make_engine: Callable[..., Any],
    inspect: Callable[..., Inspection],
) -> None:
    images = {"a": make_image([("x", b"1" * 99)], [("x", b"1" * 99), ("z", b"2")])}
    images["b"] = make_image([("x", b"1" * 99)], [("x", b"1" * 99)])
    put(root, images["a"])
    engine = make_engine(images=images)
    inspect(Folders(root, engine), "cache", "a")
    found = inspect(engine).report
    assert found == inspect(engine, "another cache").report


def change(folder: Path) -> None:
    (folder / "etc/motd").write_bytes(b"HELLO")


def shorten(folder: Path) -> None:
    (folder / "etc/motd").write_bytes(b"")


def lose_a_file(folder: Path) -> None:
    (folder / "etc/motd").unlink()


def replace_by_a_link(folder: Path) -> None:
    motd = folder / "etc/motd"
    motd.rename(motd.with_name("elsewhere"))
    motd.symlink_to("elsewhere")


def change_what_is_compared(folder: Path) -> None:
    (folder / "bin/sh").write_bytes(b"y" * 5000)


@pytest.mark.parametrize(
    "harm", [change, shorten, lose_a_file, replace_by_a_link, change_what_is_compared]
)
def test_what_is_not_as_it_was_comes_from_the_engine(
    harm: Callable[[Path], None],
    root: Path,
    make_image: Callable[..., Any],
    make_engine: Callable[..., Any],
    inspect: Callable[..., Inspection],
) -> None:
    images = {"a:1": make_image(*LAYERS), "b:1": make_image([("bin/other", b"other")])}
    for made in images.values():
        put(root, made)
    (motd,) = root.glob("overlay2/*/diff/etc/motd")
    harm(motd.parent.parent)
    engine = make_engine(images=images)
    found = inspect(Folders(root, engine), "folders")
    assert [len(names) for names in engine.saves] == [1]
    assert found == inspect(engine, "stream")
    (kept,) = (one for one in found.report.images if one.reference == "a:1")
    assert kept.accounting.metadata_bytes == 5000  # type: ignore[union-attr]  # it was accounted


def damage_the_notes(root: Path) -> None:
    one = max(root.rglob("tar-split.json.gz"), key=lambda path: path.stat().st_size)
    one.write_bytes(one.read_bytes()[:-20])


def test_damaged_notes_send_to_the_engine(
    root: Path,
    make_image: Callable[..., Any],
    make_engine: Callable[..., Any],
    inspect: Callable[..., Inspection],
) -> None:
    images = {"a:1": make_image(*LAYERS)}
    put(root, images["a:1"])
    damage_the_notes(root)
    engine = make_engine(images=images)
    assert inspect(Folders(root, engine), "folders") == inspect(engine, "stream")


def test_an_image_that_neither_has_whole_is_a_problem(
    root: Path,
    make_image: Callable[..., Any],
    make_engine: Callable[..., Any],
    inspect: Callable[..., Inspection],
) -> None:
    images = {"a:1": make_image(*LAYERS), "b:1": make_image([("bin/other", b"other")])}
    for made in images.values():
        put(root, made)
    (motd,) = root.glob("overlay2/*/diff/etc/motd")
    change(motd.parent.parent)
    engine = make_engine(images=images, broken=("a:1",))
    found = inspect(Folders(root, engine))
    assert [one.reference for one in found.report.images] == ["b:1"]
    assert found.problems == ("a:1: the engine could not save the image: layer does not exist",)


def test_a_layer_with_a_path_twice_is_read_as_a_tar(
    root: Path,
    make_image: Callable[..., Any],
    make_engine: Callable[..., Any],
    inspect: Callable[..., Inspection],
) -> None:
    """Its folder has the last one only, so that the engine itself can't save it any more."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for content in (b"123", b"123"):
            member = tarfile.TarInfo("a")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    made = make_image([("b", b"1")])
    images = {"a:1": type(made)(layers=(out.getvalue(),))}
    put(root, images["a:1"])
    engine = make_engine(images=images)
    found = inspect(Folders(root, engine))
    assert found.report.images[0].size_bytes == 6
    assert found.report.images[0].accounting.overwritten_bytes == 3  # type: ignore[union-attr]
