"""A cloud image is booted only if it is the one that was asked for, and stands alone."""

import hashlib
from pathlib import Path

import pytest
import yaml

from onegig.errors import ConfigError
from onegig.machine.twin.cloud import check_image, user_data
from onegig.model.measuring import TwinImage


def _qcow2(*, version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    header = bytearray(104)
    header[:8] = b"QFI\xfb" + version.to_bytes(4, "big")
    header[8:16] = backing.to_bytes(8, "big")
    header[72:80] = features.to_bytes(8, "big")
    return bytes(header) + bytes(1000)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(bytes(4096), "raw"), (_qcow2(), "qcow2"), (_qcow2(version=2, features=4), "qcow2")],
    ids=["raw", "qcow2", "old qcow2, whose header is shorter"],
)
def test_an_image_is_attached_unchanged(content: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(content)
    image = TwinImage(image="disk", sha256=hashlib.sha256(content).hexdigest())
    drive = check_image(image, str(tmp_path / "budgets.yml"))
    assert (drive.path, drive.kind, drive.keep) == (str(tmp_path / "disk"), kind, True)


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        (_qcow2(backing=104), "disk", "has a backing file"),
        (_qcow2(features=4), "disk", "external data file"),
        (b"x", "other", "there is no file"),
        (b"x", ".", "there is no file"),
    ],
)
@pytest.mark.security
def test_an_image_that_shows_other_files_is_refused(
    content: bytes, name: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "disk").write_bytes(content)
    image = TwinImage(image=name, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(ConfigError, match=complaint):
        check_image(image, str(tmp_path / "budgets.yml"))


def test_another_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"changed")
    with pytest.raises(ConfigError, match=hashlib.sha256(b"changed").hexdigest()):
        check_image(TwinImage(image="disk", sha256="0" * 64), str(tmp_path / "budgets.yml"))


def test_cloud_init_adds_the_unit() -> None:
    text = user_data("[Service]\nExecStart=/bin/true\n")
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    (file,) = config["write_files"]
    assert file["path"] == "/etc/systemd/system/onegig.service"
    assert file["content"] == "[Service]\nExecStart=/bin/true\n"
    assert config["runcmd"][-1][-1] == "onegig.service"
