"""trivy (trivy.dev) run as a child process on an image's archive: never by name, so nothing pulls.

It looks for secrets and misconfigurations always, and for vulnerabilities where its database is on
this machine: nothing is fetched while scanning. It runs in an empty folder without TRIVY_
variables, so that neither a trivy.yaml, a .trivyignore nor anybody's settings decide what is found.

trivy ends with 1 for whatever goes wrong, a missing database included, and with what it is told to
(FOUND) where it found something. Both must agree with what it wrote; else the scan is unknown.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from onegig.images.scanning.trivy_report import MOST_REPORT_BYTES, Found, parse
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Scan
from onegig.process import CommandError, Completed, run

FOUND = 10  # trivy's exit code where it found something
TIMEOUT_SECONDS = 300.0
DOWNLOAD_SECONDS = 300.0
REFUSED = ("0.69.4", "0.69.5", "0.69.6")  # published by thieves (CVE-2026-33634)
NOT_INSTALLED = Skipped(reason="trivy is not installed")
NO_DATABASE = Skipped(reason="no database")
SCANNERS = ("secret", "misconfig")
WriteArchive = Callable[[IO[bytes]], None]
_MOST_REASON = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PREFIX = re.compile(r"^\S+\s+FATAL\s+(?:Fatal error\s+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scanner:
    """A trivy that answered, and the vulnerability database it has on this machine."""

    path: str
    version: str
    folder: Path  # trivy's own cache, which holds the database
    database: str | Missing  # ISO 8601: when it was made


def find(*, update: bool = False, folder: Path | None = None) -> Scanner | Missing:
    """trivy from onegig's own environment, else from PATH; with `update` its newest database.

    What was asked for and is not there is Unknown, what nobody asked for is Skipped: with `update`
    the scan is wanted. A database that can't be updated still serves.
    """
    path = shutil.which("trivy", path=str(Path(sys.executable).parent)) or shutil.which("trivy")
    if path is None:
        return Unknown(reason=NOT_INSTALLED.reason) if update else NOT_INSTALLED
    folder = folder or default_folder()
    try:
        failure = _download(path, folder) if update else ""
        printed = run(["env", *_clean(), path, "version", "--format=json", f"--cache-dir={folder}"])
        version, database = _versions(printed.stdout)
    except (CommandError, ValueError, LookupError, TypeError, AttributeError) as error:
        return Unknown(reason=f"{path} does not say its version: {error}")
    if version in REFUSED:
        return Unknown(reason=f"trivy {version} steals credentials: remove {path} and renew them")
    missing = Unknown(reason=f"no database: {failure}") if update else NO_DATABASE
    return Scanner(path=path, version=version, folder=folder, database=database or missing)


def default_folder() -> Path:
    """Where trivy keeps its database when nobody says otherwise."""
    chosen = os.environ.get("TRIVY_CACHE_DIR", "")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "trivy"
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "trivy"


def scan(
    scanner: Scanner,
    write_archive: WriteArchive,
    directory: Path,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Scan | Unknown:
    """What trivy finds in the image that `write_archive` writes as a docker archive.

    `directory` takes the archive and trivy's report for a moment. Where it fails with a database it
    is run again without: only vulnerabilities are unknown then.
    """
    with TemporaryDirectory(dir=directory) as name:
        folder = Path(name)
        try:
            with (folder / "image.tar").open("wb") as out:
                write_archive(out)
        except OSError as error:
            return Unknown(reason=f"the image could not be written for trivy: {error}")
        database = scanner.database
        if not isinstance(database, Missing):
            found = _look(scanner, folder, ("vuln", *SCANNERS), timeout_seconds)
            if isinstance(found, Found):
                return _scan(scanner, found, ("vuln", *SCANNERS), database)
            database = found
        found = _look(scanner, folder, SCANNERS, timeout_seconds)
        return found if isinstance(found, Unknown) else _scan(scanner, found, SCANNERS, database)


def _scan(
    scanner: Scanner, found: Found, scanners: tuple[str, ...], database: str | Missing
) -> Scan:
    return Scan(
        trivy_version=scanner.version,
        findings=found.findings,
        scanners=scanners,
        database=database,
        packages=found.packages,
    )


def _look(
    scanner: Scanner, folder: Path, scanners: tuple[str, ...], timeout_seconds: float
) -> Found | Unknown:
    report = folder / "report.json"
    try:
        report.unlink(missing_ok=True)
        ended = _run(scanner, folder, scanners, timeout_seconds)
        if report.stat().st_size > MOST_REPORT_BYTES:
            return Unknown(reason=f"trivy's report has more than {MOST_REPORT_BYTES:,} bytes")
        found = parse(report.read_bytes())
    except CommandError as error:
        return Unknown(reason=_reason(error))
    except OSError as error:
        return Unknown(reason=f"trivy left no report: {error.strerror}")
    if isinstance(found, Found) and bool(found.findings) is not (ended.code == FOUND):
        return Unknown(reason=f"trivy ended with {ended.code}, which its report does not bear out")
    return found


def _run(
    scanner: Scanner, folder: Path, scanners: tuple[str, ...], timeout_seconds: float
) -> Completed:
    cache = folder / "cache"  # without checks that somebody fetched: those built in are the same
    cache.mkdir(exist_ok=True)
    if "vuln" in scanners and not (cache / "db").exists():
        (cache / "db").symlink_to(scanner.folder / "db")
    argv = ["env", *_clean(), scanner.path, *_arguments(scanners, cache, timeout_seconds)]
    ended = run(argv, cwd=folder, timeout_seconds=timeout_seconds, check=False)
    if ended.code not in (0, FOUND):
        raise CommandError(argv, ended.code, ended.stderr, f"failed with code {ended.code}")
    return ended


def _arguments(scanners: tuple[str, ...], cache: Path, timeout_seconds: float) -> Iterator[str]:
    yield from ("image", "--input=image.tar", "--format=json", "--output=report.json")
    yield f"--scanners={','.join(scanners)}"
    yield f"--image-config-scanners={','.join(SCANNERS)}"
    yield from ("--list-all-pkgs", f"--exit-code={FOUND}", f"--timeout={ceil(timeout_seconds)}s")
    yield from (f"--cache-dir={cache}", "--cache-backend=memory", "--module-dir=modules")
    yield from ("--offline-scan", "--skip-db-update", "--skip-java-db-update")
    yield from ("--skip-check-update", "--skip-version-check", "--disable-telemetry")
    yield from ("--no-progress", "--quiet")


def _clean() -> list[str]:
    """Options of env(1) that take every setting of trivy's away."""
    return [word for name in os.environ if name.startswith("TRIVY_") for word in ("-u", name)]


def _download(path: str, folder: Path) -> str:
    """Fetch the newest database; why that failed, "" when it did not."""
    argv = ["env", *_clean(), path, "image", "--download-db-only", f"--cache-dir={folder}"]
    try:
        run([*argv, "--no-progress", "--quiet"], timeout_seconds=DOWNLOAD_SECONDS)
    except CommandError as error:
        return _reason(error)
    return ""


def _versions(printed: str) -> tuple[str, str]:
    """trivy's version and when its database was made, "" without one."""
    document = json.loads(printed)
    database = document.get("VulnerabilityDB") or {}
    version, made = document["Version"], database.get("UpdatedAt", "")
    if not isinstance(version, str) or not isinstance(made, str):
        raise TypeError("no text")
    return version, made


def _reason(error: CommandError) -> str:
    """trivy's last words in one line, where it says what it stumbled over; none of the image's."""
    lines = [line.strip(" \t*") for line in _COLOURS.sub("", error.detail).splitlines()]
    said = next((_PREFIX.sub("", line) for line in reversed(lines) if line), "")
    how = f"trivy {error.message.partition(' ')[2]}"
    return f"{how}: {said}"[:_MOST_REASON] if said else how
