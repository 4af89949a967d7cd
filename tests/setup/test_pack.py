"""The archive of stand-ins, as `docker load` reads it."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from setup_machine import PROJECT


def write_layer(path: Path, name: str, content: bytes) -> Path:
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path, Path]:
    header = b'#define PY_VERSION     "3.13.5"\n'
    return (
        write_layer(tmp_path / "alpine.tar", "etc/alpine-release", b"3.23.0\n"),
        write_layer(tmp_path / "python.tar", "usr/local/include/python3.13/patchlevel.h", header),
        write_layer(tmp_path / "valkey.tar", "usr/local/bin/valkey-server", b"\x7fELF"),
    )


def pack(*layers: Path) -> bytes:
    command = [sys.executable, PROJECT / "scripts/bases/pack.py", "recipe0", *layers]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def read(archive: bytes) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """Configuration by tag, and the archive's files."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {m.name: file.read() for m in tar if (file := tar.extractfile(m))}
    manifest = json.loads(files["manifest.json"])
    return {entry["RepoTags"][0]: json.loads(files[entry["Config"]]) for entry in manifest}, files


def test_layers_and_configuration(layers: tuple[Path, Path, Path]) -> None:
    configs, files = read(pack(*layers))
    alpine, python, valkey = (
        "sha256:" + hashlib.sha256(layer.read_bytes()).hexdigest() for layer in layers
    )
    assert {tag: config["rootfs"]["diff_ids"] for tag, config in configs.items()} == {
        "onegig-local/alpine:3.23": [alpine],
        "onegig-local/python:3.13-alpine": [alpine, python],
        "onegig-local/valkey:8-alpine": [alpine, valkey],
    }
    assert sum(name.endswith(".tar") for name in files) == 3, "the shared layer comes once"
    assert "PYTHON_VERSION=3.13.5" in configs["onegig-local/python:3.13-alpine"]["config"]["Env"]
    for config in configs.values():
        assert config["config"]["Labels"] == {
            "onegig.base": "assembled locally",
            "onegig.recipe": "recipe0",
        }


def test_the_same_layers_give_the_same_images(layers: tuple[Path, Path, Path]) -> None:
    assert pack(*layers) == pack(*layers)


def test_a_layer_without_python_is_refused(layers: tuple[Path, Path, Path]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        pack(layers[0], layers[2], layers[2])
