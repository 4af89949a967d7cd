"""trivy (trivy.dev) and its databases as this machine has them.

Vulnerabilities come from one database, which is fetched when asked for. A second one, several times
as large, knows what a Java archive is: it is fetched only once an image has such an archive.
"""

import json
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from onegig.files import cache_folder, distrust
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.process import NOWHERE, CommandError, find_program, run

DOWNLOAD_SECONDS = 300.0
JAVA_DOWNLOAD_SECONDS = 900.0
REFUSED = ("0.69.4", "0.69.5", "0.69.6")  # published by thieves (CVE-2026-33634)
NOT_INSTALLED = Skipped(reason="trivy is not installed (`onegig install-trivy` does that)")
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What `trivy version` says; "" for a database that is not there."""

    version: str
    database: str
    java_database: str


def find(*, update: bool = False, folder: Path | None = None) -> Scanner | Missing:
    """trivy from onegig's own environment, else from PATH; with `update` its newest database.

    What was asked for and is not there is Unknown, what nobody asked for is Skipped: with `update`
    the scan is wanted. A database that can't be updated still serves.
    """
    path = find_program("trivy")
    if path is None:
        return Unknown(reason=NOT_INSTALLED.reason) if update else NOT_INSTALLED
    folder = (folder or default_folder()).absolute()
    if reason := _distrust(folder):
        return Unknown(reason=f"its database may be somebody else's: {reason}")
    try:
        failure = _download(path, folder) if update else ""
        found = _ask(path, folder)
        if update and found.java_database:
            _download_java(path, folder)
            found = _ask(path, folder)
    except _UNREADABLE as error:
        return Unknown(reason=f"{path} does not say its version: {error}")
    if found.version in REFUSED:
        return Unknown(
            reason=f"trivy {found.version} steals credentials: remove {path} and renew them"
        )
    missing = Unknown(reason=f"{NO_DATABASE.reason}: {failure}") if update else NO_DATABASE
    return Scanner(
        path=path,
        version=found.version,
        folder=folder,
        database=found.database or missing,
        java_database=found.java_database or NO_JAVA_DATABASE,
        fetches=update and not found.java_database,
    )


def fetch_java(scanner: Scanner) -> Scanner:
    """The scanner with its Java database, or why it has none: it was wanted."""
    failure = _download_java(scanner.path, scanner.folder)
    try:
        made = _ask(scanner.path, scanner.folder).java_database
    except _UNREADABLE as error:
        made, failure = "", str(error)
    missing = Unknown(reason=f"{NO_JAVA_DATABASE.reason}: {failure}")
    return replace(scanner, java_database=made or missing, fetches=False)


def default_folder() -> Path:
    """Where trivy keeps its databases when nobody says otherwise."""
    chosen = os.environ.get("TRIVY_CACHE_DIR", "")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "trivy"
    return cache_folder() / "trivy"


def _distrust(folder: Path) -> str:
    """Return why the databases can't be relied on: a planted one knows of no vulnerability."""
    parts = (folder, folder / "db", folder / "java-db")
    return next(filter(None, map(distrust, parts)), "")


def reason_of(error: CommandError) -> str:
    """trivy's last words in one line, where it says what it stumbled over; none of the image's."""
    lines = [line.strip(" \t*") for line in _COLOURS.sub("", error.detail).splitlines()]
    said = next((_PREFIX.sub("", line) for line in reversed(lines) if line), "")
    how = f"trivy {error.message.partition(' ')[2]}"
    return f"{how}: {said}"[:_MOST_REASON] if said else how


def _download(path: str, folder: Path) -> str:
    """Fetch the newest database; why that failed, "" when it did not."""
    return _fetch(path, folder, "--download-db-only", DOWNLOAD_SECONDS)


def _download_java(path: str, folder: Path) -> str:
    return _fetch(path, folder, "--download-java-db-only", JAVA_DOWNLOAD_SECONDS)


def _fetch(path: str, folder: Path, option: str, timeout_seconds: float) -> str:
    argv = [path, "image", option, f"--cache-dir={folder}", "--no-progress", "--quiet"]
    try:
        run(argv, cwd=NOWHERE, timeout_seconds=timeout_seconds)
    except CommandError as error:
        return reason_of(error)
    return ""


def _ask(path: str, folder: Path) -> _Answer:
    argv = [path, "version", "--format=json", f"--cache-dir={folder}"]
    printed = run(argv, cwd=NOWHERE).stdout
    document = json.loads(printed)
    databases = (document.get(name) or {} for name in ("VulnerabilityDB", "JavaDB"))
    texts = (document["Version"], *(one.get("UpdatedAt", "") for one in databases))
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("no text")
    return _Answer(version=texts[0], database=texts[1], java_database=texts[2])
