"""The base images on the engine, official or assembled locally, do what the services need."""

import json
import os
import re
import subprocess

import pytest

pytestmark = pytest.mark.engine

ALPINE = os.environ.get("ALPINE_IMAGE", "onegig-local/alpine:3.23")
PYTHON = os.environ.get("PYTHON_IMAGE", "onegig-local/python:3.13-alpine")
VALKEY = os.environ.get("VALKEY_IMAGE", "onegig-local/valkey:8-alpine")
IMPORTS = ("asyncio", "bz2", "ctypes", "decimal", "hashlib", "lzma", "ssl", "uuid", "zlib")


LAYOUT = ("bin/python3.13", "bin/pip", "lib/libpython3.13.so.1.0", "lib/python3.13/os.py")
SERVE = """\
valkey-server --save '' --daemonize yes >/dev/null
until valkey-cli ping >/dev/null 2>&1; do :; done
redis-cli xadd s '*' a 1 >/dev/null; valkey-cli xlen s; valkey-cli info memory
"""


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


@pytest.mark.parametrize(
    ("image", "command", "printed"),
    [
        (ALPINE, "cat /etc/alpine-release; apk info", r"3\.23(?s:.*)\nalpine-baselayout\n"),
        (PYTHON, "python3 -V", r"Python 3\.13\."),
        (PYTHON, f"cd /usr/local; ls {' '.join(LAYOUT)}", "\n".join(sorted(LAYOUT))),
        (VALKEY, SERVE, r"1\n(?s:.*)\nmem_allocator:jemalloc"),
    ],
)
def test_an_image_has_what_the_official_one_has(image: str, command: str, printed: str) -> None:
    assert re.match(printed, run(image, "sh", "-c", command))


def test_python_has_what_the_standard_library_promises() -> None:
    code = f"import {', '.join(IMPORTS)}; print(ctypes.CDLL(None).strlen(b'onegig'))"
    code += "; print(len(ssl.create_default_context().get_ca_certs()))"
    length, certificates = map(int, run(PYTHON, "python", "-c", code).split())
    assert (length, certificates > 50) == (6, True)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="another platform's tags")
def test_python_is_the_musl_one_that_wheels_are_found_for() -> None:
    assert "cp313-cp313-musllinux_1_2_x86_64" in run(PYTHON, "pip", "debug", "--verbose")


@pytest.mark.skipif(not ALPINE.startswith("onegig-local/"), reason="the images are the official")
def test_stand_ins_say_what_they_are_and_share_alpine() -> None:
    command = ["docker", "image", "inspect", ALPINE, PYTHON, VALKEY]
    images = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    bases = {image["Config"]["Labels"]["onegig.base"] for image in images}
    assert bases == {"assembled locally"}
    layers = [image["RootFS"]["Layers"] for image in images]
    assert [len(result) for result in layers] == [1, 2, 2]
    assert len({result[0] for result in layers}) == 1
