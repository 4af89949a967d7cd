"""Archives of every form are read whole or not at all."""

import io
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fake_engine import make_archive, make_image, make_tar
from onegig.errors import InspectError
from onegig.images.spool import Spool, StoredLayer

FORMS = ("docker", "both", "oci", "gzip", "zstd", "nested")
FIRST = [("bin/sh", b"x" * 5000), ("etc/motd", b"hello")]
SECOND = [("etc/motd", b"changed")]


def read(raw: bytes, folder: Path) -> tuple[Spool, list[str]]:
    seen: list[str] = []

    def note(layer: StoredLayer) -> None:
        assert layer.path.exists()
        seen.append(layer.diff_id)

    spool = Spool(folder, note)
    spool.add(io.BytesIO(raw))
    return spool, seen


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_layers_in_the_order_of_the_config(
    form: str, tmp_path: Path
) -> None:
    image = make_image(FIRST, SECOND, [], history=({"created_by": "COPY . /"},))
    spool, _ = read(make_archive([image], form), tmp_path)
    stored = spool.find(image.image_id, image.diff_ids)
    assert stored.diff_ids == image.diff_ids
    assert stored.history == image.history
    assert [spool.layers[diff_id].path.read_bytes() for diff_id in stored.diff_ids] == list(
        image.layers
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_of_several_images_comes_once(form: str, tmp_path: Path) -> None:
    made = [make_image(FIRST, [("app", name)]) for name in (b"one", b"two")]
    spool, seen = read(make_archive(made, form), tmp_path)
    assert sorted(seen) == sorted({layer for image in made for layer in image.diff_ids})
    assert {path.name for path in (tmp_path / "blobs/sha256").iterdir()} == {
        diff_id[7:] for diff_id in seen
    }
    for image in made:
        assert spool.find(image.image_id, image.diff_ids).config == image.config


@pytest.mark.parametrize("form", ["oci", "nested"])
def test_an_image_is_also_known_by_its_manifest_and_index(form: str, tmp_path: Path) -> None:
    made = make_image(FIRST)
    spool, _ = read(make_archive([made], form), tmp_path)
    (image,) = spool.images  # the attestation, which has a config too, is not among them
    assert len(image.digests) == {"oci": 2, "nested": 3}[form]
    for name in image.digests:
        assert spool.find(name, made.diff_ids) == image


def test_images_that_differ_in_their_config_only_are_told_apart(tmp_path: Path) -> None:
    made = [make_image(FIRST, config_extra=author) for author in ("Ada", "Grace")]
    spool, _ = read(make_archive(made, "both"), tmp_path)
    for image in made:
        assert spool.find(image.image_id, image.diff_ids).config == image.config


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_never_gives_another_image(
    form: str, data: st.DataObject, tmp_path: Path
) -> None:
    """Cut short, or with a flipped bit: either an error, or damage that touched nothing of it."""
    image = make_image(FIRST, SECOND)
    raw = bytearray(make_archive([image], form))
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans(), label="cut"):
        del raw[place:]
    else:
        raw[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        spool, _ = read(bytes(raw), tmp_path)
        stored = spool.find(image.image_id, image.diff_ids)
    except InspectError:
        return
    assert stored.config == image.config
    assert [spool.layers[diff_id].path.read_bytes() for diff_id in stored.diff_ids] == list(
        image.layers
    )


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_cut_in_the_middle_is_an_error(form: str, tmp_path: Path) -> None:
    image = make_image(FIRST, SECOND)
    raw = make_archive([image], form).rstrip(b"\0")

    def find() -> None:
        spool, _ = read(raw[: len(raw) // 2], tmp_path)
        spool.find(image.image_id, image.diff_ids)

    with pytest.raises(InspectError):
        find()


def test_a_layer_that_is_not_there_is_named(tmp_path: Path) -> None:
    image = make_image(FIRST, SECOND)
    raw = make_archive([image], "oci").replace(image.layers[1], bytes(len(image.layers[1])))
    spool, _ = read(raw, tmp_path)
    with pytest.raises(InspectError, match=image.diff_ids[1]):
        spool.find(image.image_id, image.diff_ids)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("index.json", b'{"manifests": [{}]}'),
        ("index.json", b'{"manifests": 7}'),
        ("index.json", b'{"manifests": ["x"]}'),
        ("manifest.json", b'[{"RepoTags": null}]'),
        ("manifest.json", b"[7]"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_an_error(
    name: str, content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(InspectError, match="is not valid"):
        read(make_tar([(name, content)]), tmp_path)


def test_files_that_belong_to_no_image_are_passed_over(tmp_path: Path) -> None:
    other = [("README", b"no JSON"), ("index.json", b'{"manifests": []}'), ("empty", b"")]
    spool, _ = read(make_tar(other), tmp_path)
    assert spool.images == ()


def test_no_room_for_the_layers_says_where(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "gone", lambda _layer: None)
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(InspectError, match="could not be unpacked") as caught:
        spool.add(io.BytesIO(make_archive([make_image(FIRST)], "both")))
    assert "TMPDIR" in caught.value.advice


def test_what_is_written_for_dive_reads_back_the_same(tmp_path: Path) -> None:
    made = make_image(FIRST, [], SECOND, [])  # an empty layer twice
    spool, _ = read(make_archive([made], "zstd"), tmp_path)
    image = spool.find(made.image_id, made.diff_ids)
    out = io.BytesIO()
    spool.write_archive(out, "a:1", image)
    (tmp_path / "again").mkdir()
    again, _ = read(out.getvalue(), tmp_path / "again")
    assert again.find(made.image_id, made.diff_ids) == image.__class__(
        digests=frozenset({made.image_id}),
        config=image.config,
        diff_ids=image.diff_ids,
        names=("a:1",),
    )


def test_an_archive_after_which_the_engine_says_that_it_failed_is_damaged(tmp_path: Path) -> None:
    """containerd's store ends it in good order when a blob turns out to be another."""
    reason = b'{"errorDetail":{"message":"unexpected digest"},"error":"unexpected digest"}\r\n'
    whole = make_archive([make_image(FIRST)], "both")
    with pytest.raises(InspectError, match="archive of images is damaged: unexpected digest"):
        read(whole + reason, tmp_path)


@pytest.mark.parametrize("more", [bytes(20_000), b"\n", b"whatever else"])
def test_what_follows_an_archive_else_is_nobodys_concern(more: bytes, tmp_path: Path) -> None:
    image = make_image(FIRST)
    spool, _ = read(make_archive([image], "both") + more, tmp_path)
    assert spool.find(image.image_id, image.diff_ids).diff_ids == image.diff_ids
