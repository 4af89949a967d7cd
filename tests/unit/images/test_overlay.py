"""Images in the engine's folders: found whole or not at all, their tars byte for byte."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine_folders import put
from onegig.images.reading.overlay import UnpackedImage, find_unpacked

LAYERS = ([("bin/sh", b"x" * 5000), ("caf\udce9", b"1")], [("etc/motd", b"hello")], [])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "docker"


@pytest.fixture
def made(root: Path, make_image: Callable[..., Any]) -> Any:
    image = make_image(*LAYERS)
    put(root, image)
    return image


def find(root: Path, made: Any) -> UnpackedImage | None:
    return find_unpacked(root, made.image_id, made.diff_ids)


def test_layers_are_put_together_byte_for_byte(root: Path, made: Any) -> None:
    found = find(root, made)
    assert found is not None
    assert found.config == made.config
    assert [b"".join(layer.tar()) for layer in found.layers] == list(made.layers)
    assert [layer.tar_bytes() for layer in found.layers] == list(map(len, made.layers))


def lose_a_layer(root: Path) -> None:
    next(root.glob("image/overlay2/layerdb/sha256/*/cache-id")).unlink()


def lose_the_config(root: Path) -> None:
    next(root.glob("image/overlay2/imagedb/content/sha256/*")).unlink()


def change_the_config(root: Path) -> None:
    next(root.glob("image/overlay2/imagedb/content/sha256/*")).write_text("{}")


def call_a_layer_another(root: Path) -> None:
    next(root.glob("image/overlay2/layerdb/sha256/*/diff")).write_text("sha256:0")


@pytest.mark.parametrize(
    "harm", [lose_a_layer, lose_the_config, change_the_config, call_a_layer_another]
)
def test_an_image_that_is_not_whole_is_not_there(
    harm: Callable[[Path], None], root: Path, made: Any
) -> None:
    harm(root)
    assert find(root, made) is None
