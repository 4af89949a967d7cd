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

_DATABASE = "--download-db-only", 300.0  # option and time limit
_JAVA_DATABASE = "--download-java-db-only", 900.0
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


def find(*, update: bool = False, folder: Path | None = None) -> Scanner | Missing:
    """Find trivy in onegig's own environment, else on PATH; `update` its database first.

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
        _, _, made = _ask(scanner.path, scanner.folder)
    except _UNREADABLE as error:
        made, failure = "", str(error)
    missing = Unknown(reason=f"{NO_JAVA_DATABASE.reason}: {failure}")
    return replace(scanner, java_database=made or missing, fetches=False)


def default_folder() -> Path:
    """Return where trivy keeps its databases when nobody says otherwise."""
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
    """Return trivy's last words in one line, where it says what it stumbled over."""
    lines = [line.strip(" \t*") for line in _COLOURS.sub("", error.detail).splitlines()]
    said = next((_PREFIX.sub("", line) for line in reversed(lines) if line), "")
    how = f"trivy {error.message.partition(' ')[2]}"
    return f"{how}: {said}"[:_MOST_REASON] if said else how


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
    version, *dates = document["Version"], *(one.get("UpdatedAt", "") for one in databases)
    if not all(isinstance(text, str) for text in (version, *dates)):
        raise TypeError("not a text")
    return version, dates[0], dates[1]
