"""Images copied from one engine into another."""

import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from onegig.engine.images import Images
from onegig.errors import EngineError

FULL_DISK = "write /layer.tar: no space left on device"
NO_IMAGE = "Error response from daemon: No such image: db"
DOCKER = """\
#!/bin/sh
[ "$1" = load ] || {{ {save}; }}
echo "{load}" >&2
exit 1
"""


@pytest.mark.parametrize(
    ("save", "load", "detail"),
    [
        ("exec sleep 600", FULL_DISK, FULL_DISK),
        (f"echo '{NO_IMAGE}' >&2; exit 1", "repositories: no such file", NO_IMAGE),
    ],
)
def test_an_engine_that_can_not_copy_images_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: str, load: str, detail: str
) -> None:
    (tmp_path / "docker").write_text(DOCKER.format(save=save, load=load))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(EngineError) as caught:
        Images(Mock()).copy(["web", "db"], Images(Mock()))
    assert caught.value.command == "docker save web db"
    assert caught.value.detail == detail
