"""Images copied from one engine into another."""

import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from onegig.engine.images import Images
from onegig.errors import EngineError

FULL_DISK = """\
#!/bin/sh
[ "$1" = load ] || exec sleep 600
echo "write /layer.tar: no space left on device" >&2
exit 1
"""


def test_an_engine_that_can_not_take_images_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text(FULL_DISK)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(EngineError) as caught:
        Images(Mock()).copy(["web", "db"], Images(Mock()))
    assert caught.value.command == "docker save web db"
    assert caught.value.detail == "write /layer.tar: no space left on device"
