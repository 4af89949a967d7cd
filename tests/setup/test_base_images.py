"""The base images on the engine, official or assembled locally, do what the services need."""

import json
import os
import subprocess

import pytest

pytestmark = pytest.mark.engine

ALPINE = os.environ.get("ALPINE_IMAGE", "onegig-local/alpine:3.23")
PYTHON = os.environ.get("PYTHON_IMAGE", "onegig-local/python:3.13-alpine")
VALKEY = os.environ.get("VALKEY_IMAGE", "onegig-local/valkey:8-alpine")
IMPORTS = ("asyncio", "bz2", "ctypes", "decimal", "hashlib", "lzma", "ssl", "uuid", "zlib")


def run(image: str, *command: str) -> str:
    """The output of a command in a container without network."""
    result = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", image, *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def inspect(image: str) -> dict[str, object]:
    result = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{json .}}", image],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return dict(json.loads(result.stdout))


def test_alpine_is_alpine() -> None:
    assert run(ALPINE, "cat", "/etc/alpine-release").startswith("3.23")
    assert "alpine-baselayout" in run(ALPINE, "apk", "info")


def test_python_has_what_the_standard_library_promises() -> None:
    code = f"import {', '.join(IMPORTS)}; print(len(ssl.create_default_context().get_ca_certs()))"
    assert int(run(PYTHON, "python", "-c", code)) > 50


def test_python_is_the_musl_one_that_wheels_are_found_for() -> None:
    assert run(PYTHON, "python3", "-V").startswith("Python 3.13.")
    tags = run(PYTHON, "pip", "debug", "--verbose")
    assert "cp313-cp313-musllinux_1_2_x86_64" in tags or os.uname().machine != "x86_64"


def test_python_calls_c() -> None:
    code = "import ctypes; print(ctypes.CDLL(None).strlen(b'onegig'))"
    assert run(PYTHON, "python", "-c", code) == "6\n"


def test_python_is_laid_out_like_the_official_image() -> None:
    paths = ("bin/python3.13", "bin/pip", "lib/libpython3.13.so.1.0", "lib/python3.13/os.py")
    listed = [f"/usr/local/{path}" for path in paths]
    assert run(PYTHON, "ls", *listed).split() == sorted(listed)


def test_valkey_serves() -> None:
    script = (
        "valkey-server --save '' --daemonize yes >/dev/null; "
        "until valkey-cli ping >/dev/null 2>&1; do :; done; "
        "redis-cli xadd s '*' a 1 >/dev/null; valkey-cli xlen s; valkey-cli info memory"
    )
    length, *memory = run(VALKEY, "sh", "-c", script).splitlines()
    assert length == "1"
    assert any(line.startswith("mem_allocator:jemalloc") for line in memory)


@pytest.mark.skipif(not ALPINE.startswith("onegig-local/"), reason="the images are the official")
@pytest.mark.parametrize("image", [ALPINE, PYTHON, VALKEY])
def test_a_stand_in_says_that_it_is_one(image: str) -> None:
    config = inspect(image)["Config"]
    assert isinstance(config, dict)
    assert config["Labels"]["onegig.base"] == "assembled locally"


@pytest.mark.skipif(not ALPINE.startswith("onegig-local/"), reason="the images are the official")
def test_stand_ins_share_alpine() -> None:
    layers = []
    for image in (ALPINE, PYTHON, VALKEY):
        root = inspect(image)["RootFS"]
        assert isinstance(root, dict)
        layers.append(root["Layers"])
    assert [len(found) for found in layers] == [1, 2, 2]
    assert len({found[0] for found in layers}) == 1
