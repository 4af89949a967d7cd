"""Images of a file or folder, without an engine: whole or not at all."""

import gzip
import json
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner

from fake_engine import make_archive, make_image
from onegig.cli import main
from onegig.errors import InspectError
from onegig.images import dive, trivy
from onegig.images.archive import Archive
from onegig.images.cache import Cache
from onegig.images.inspect import Inspection, inspect_images
from onegig.images.spool import open_layer
from onegig.model.measured import Environment, Unknown

Inspect = Callable[[Path], Inspection]
Unpack = Callable[[bytes], Path]
SKIPPED = b"\x50\x2a\x4d\x18\4\0\0\0size"  # a frame that pzstd puts before the first one
FORMS = ("docker", "both", "oci", "gzip", "zstd", "nested")
LAYERS = ([("bin/sh", b"x" * 5000)], [("etc/motd", b"hello")], [("bin/.wh.sh", b"")])


@pytest.fixture
def inspect(tmp_path: Path, no_dive: Unknown, environment: Environment) -> Inspect:
    def run(path: Path) -> Inspection:
        archive = Archive(path)
        return inspect_images(
            dict.fromkeys(archive.references, ()),
            engine=archive,
            cache=Cache(tmp_path / "cache"),
            environment=environment,
            progress=lambda _line: None,
            program=no_dive,
        )

    return run


@pytest.fixture
def unpack(tmp_path: Path) -> Unpack:
    """An archive as a folder."""

    def unpacked(raw: bytes) -> Path:
        folder = tmp_path / "layout"
        with tarfile.open(fileobj=BytesIO(raw)) as tar:
            safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in 3.11.2
            tar.extractall(folder, **safe)  # type: ignore[arg-type]
        return folder

    return unpacked


def keep(raw: bytes, path: Path) -> Path:
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["file", "folder", "gzip", "zstd", "pzstd", "dot"])
def test_every_form_and_way_gives_the_same_account(
    form: str, way: str, unpack: Unpack, inspect: Inspect, tmp_path: Path
) -> None:
    made = make_image(*LAYERS)
    raw = make_archive([made], form)
    path = {
        "file": lambda: keep(raw, tmp_path / "a.tar"),
        "folder": lambda: unpack(raw),
        "gzip": lambda: keep(gzip.compress(raw), tmp_path / "a.tar.gz"),
        "zstd": lambda: keep(zstandard.compress(raw), tmp_path / "a.tar.zst"),
        "pzstd": lambda: keep(SKIPPED + zstandard.compress(raw), tmp_path / "a.tar.zst"),
        "dot": lambda: keep(dotted(unpack(raw)), tmp_path / "b.tar"),
    }[way]()
    inspection = inspect(path)
    assert inspection.problems == ()
    (image,) = inspection.report.images
    assert image.reference == image.image_id == made.image_id
    assert tuple(layer.diff_id for layer in image.layers) == made.diff_ids
    assert [layer.size_bytes for layer in image.layers] == [5000, 5, 0]
    assert image.accounting.dead_bytes == 5000
    assert image.accounting.live_bytes == 5


def dotted(folder: Path) -> bytes:
    """A folder packed as `tar -c .` does, with "./" before every name."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(folder, arcname=".")
    return out.getvalue()


def test_what_a_registry_would_send_is_not_compressed_again(
    inspect: Inspect, tmp_path: Path
) -> None:
    made = make_image(*LAYERS)
    (image,) = inspect(keep(make_archive([made], "zstd"), tmp_path / "a.tar")).report.images
    assert image.compressed_bytes == sum(len(zstandard.compress(layer)) for layer in made.layers)


def test_images_go_by_the_names_of_their_archive(unpack: Unpack) -> None:
    folder = unpack(make_archive([make_image(*LAYERS), make_image(LAYERS[0])], "oci"))
    index = json.loads((folder / "index.json").read_text())
    keys = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    for descriptor, key in zip(index["manifests"], keys, strict=True):
        descriptor["annotations"] = {key: f"shop/{key[:3]}:1"}
    (folder / "index.json").write_text(json.dumps(index))
    assert Archive(folder).references == ("shop/io.:1", "shop/org:1")


def test_attestations_and_other_platforms_are_left_out_and_told(unpack: Unpack) -> None:
    inspection = Archive(unpack(make_archive([make_image(*LAYERS)], "nested")))
    assert len(inspection.references) == 1
    proofs, elsewhere = inspection.left_out
    assert proofs == "attestations, which are not images: 1"
    assert elsewhere.endswith(": its manifest is not in the archive")


def test_layers_listed_out_of_order_come_in_the_order_of_the_config(
    unpack: Unpack, inspect: Inspect
) -> None:
    made = make_image(*LAYERS)
    folder = unpack(make_archive([made], "docker"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[0]["Layers"].reverse()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (image,) = inspect(folder).report.images
    assert tuple(layer.diff_id for layer in image.layers) == made.diff_ids


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_or_changed_layer_is_an_error(
    form: str, unpack: Unpack, inspect: Inspect
) -> None:
    image = make_image(*LAYERS)
    folder = unpack(make_archive([image], form))
    (layer,) = (one for one in folder.rglob("*") if one.is_file() and plain(one) == image.layers[0])
    layer.write_bytes(layer.read_bytes().replace(b"xxx", b"yyy", 1)[:-1])
    assert_refused(inspect(folder))
    layer.unlink()
    assert_refused(inspect(folder))


def plain(file: Path) -> bytes:
    with file.open("rb") as stream:
        layer = open_layer(stream)
        return layer.read() if layer else b""


def assert_refused(inspection: Inspection) -> None:
    assert inspection.report.images == ()
    (problem,) = inspection.problems
    assert (
        "is not in the archive, or is damaged" in problem or "archive of images is dam" in problem
    )


@pytest.mark.parametrize("raw", [b"", b"no archive at all" * 99, bytes(1024)])
def test_what_holds_no_image_is_an_error(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(InspectError, match=r"archive of images|no image in"):
        Archive(keep(raw, tmp_path / "a.tar"))


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for program in (dive, trivy):
        monkeypatch.setattr(program, "find", lambda **_: Unknown(reason="not wanted here"))
    raw = make_archive([make_image(*LAYERS)], "both")
    whole, cut = keep(raw, tmp_path / "whole.tar"), keep(raw[: len(raw) // 2], tmp_path / "cut.tar")
    done = CliRunner().invoke(main, ["inspect", "--archive", str(whole), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["images"][0]["size_bytes"] == 5005
    done = CliRunner().invoke(main, ["inspect", "--archive", str(cut)])
    assert done.exit_code == 4, done.output
    done = CliRunner().invoke(main, ["inspect", "--archive", str(whole), "--image", "a:1"])
    assert done.exit_code == 2
