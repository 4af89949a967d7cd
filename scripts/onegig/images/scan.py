"""trivy run as a child process on images of the spool: never by name, so nothing pulls.

It looks for secrets and misconfigurations always, and for vulnerabilities where its database is on
this machine: nothing is fetched while scanning. It runs in an empty folder and gets no TRIVY_
variable, so that neither a trivy.yaml, a .trivyignore nor anybody's settings decide what is found.

trivy ends with 1 for whatever goes wrong, a missing database included, and with what it is told to
(FOUND) where it found something. Both must agree with what it wrote; else the scan is unknown.
Where it finds a Java archive and has no Java database it ends, too: it then is run again without a
look at such archives, and the scan says so.
"""

from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from onegig.images.trivy import Scanner, reason_of
from onegig.images.trivy_report import MOST_REPORT_BYTES, TARGET, Report, parse
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Scan
from onegig.process import CommandError, Completed, run

FOUND = 10  # trivy's exit code where it found something
TIMEOUT_SECONDS = 300.0
SCANNERS = ("secret", "misconfig")
VULNERABILITIES = ("vuln", *SCANNERS)
JAVA_ARCHIVES = ("**/*.[jJ][aA][rR]", "**/*.[eEpPwW][aA][rR]")  # by name, as trivy takes them
LayOut = Callable[[Path], None]
_GO = {"GOGC": "400", "GOMEMLIMIT": "256MiB"}  # a third less work for Go's garbage collector
_NEEDS_JAVA = "initialize the Java DB"  # trivy's words when it ends for want of it


def scan(
    scanner: Scanner,
    lay_out: LayOut,
    directory: Path,
    *,
    cache: Path | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Scan | Unknown:
    """Return trivy's findings in the image that `lay_out` makes an OCI layout of.

    `directory` takes the layout and trivy's report for a moment. What it finds in layers stays in
    `cache`, for other images. Where it fails with a database it is run again without: only
    vulnerabilities are unknown then.
    """
    with TemporaryDirectory(dir=directory) as name:
        folder = Path(name)
        try:
            lay_out(folder / TARGET)
        except OSError as error:
            return Unknown(reason=f"the image could not be laid out for trivy: {error}")
        image = _Image(scanner, folder, cache or folder / "cache", timeout_seconds)
        database = scanner.database
        if not isinstance(database, Missing):
            found = image.scan_all(database)
            if isinstance(found, Scan):
                return found
            database = found
        return image.scan(SCANNERS, database)


def describe_scan(scan: Scan | Missing) -> str:
    """Say in one line how many findings there are and what was not scanned."""
    if isinstance(scan, Missing):
        return f"not scanned: {scan.reason}"
    count = len(scan.findings)
    parts = [f"{count:,} finding{'' if count == 1 else 's'} of trivy"]
    for subject, database in (
        ("vulnerabilities", scan.database),
        ("Java archives", scan.java_database),
    ):
        if isinstance(database, Missing):
            parts.append(f"{subject} not scanned: {database.reason}")
    return "; ".join(parts)


def is_current(known: Scan, scanner: Scanner) -> bool:
    """Tell whether a scan would be the same again; its other databases are those of the scanner."""
    if isinstance(known.java_database, Missing) and scanner.fetches:
        return False
    return known.java_database in ("", scanner.java_database)


def is_lasting(found: Scan, scanner: Scanner) -> bool:
    """Tell whether to keep a scan: not where a database failed that may do better next time."""
    return found.database == scanner.database and not isinstance(found.java_database, Unknown)


class _JavaDatabaseError(Exception):
    """trivy ended at a Java archive, for want of a Java database that it can use."""


class _Image:
    """One image's layout in a folder, and the trivy to look into it."""

    def __init__(self, scanner: Scanner, folder: Path, cache: Path, timeout_seconds: float) -> None:
        self._scanner = scanner
        self._folder = folder
        self._cache = cache
        self._timeout_seconds = timeout_seconds

    def scan_all(self, database: str) -> Scan | Unknown:
        """Scan for everything, without Java archives where trivy can't tell what those are."""
        try:
            return self.scan(VULNERABILITIES, database)
        except _JavaDatabaseError as error:
            java = self._scanner.java_database
            java = java if isinstance(java, Missing) else Unknown(reason=str(error))
            return self.scan(VULNERABILITIES, database, java, JAVA_ARCHIVES)

    def scan(
        self,
        scanners: tuple[str, ...],
        database: str | Missing,
        java: Missing | None = None,
        skipped: tuple[str, ...] = (),
    ) -> Scan | Unknown:
        """Scan for some things; `java` is why Java archives are `skipped`."""
        found = self._look(scanners, skipped)
        if isinstance(found, Unknown):
            return found
        has_java = found.has_java and "vuln" in scanners
        return Scan(
            trivy_version=self._scanner.version,
            findings=found.findings,
            scanners=scanners,
            database=database,
            java_database=java or (self._scanner.java_database if has_java else ""),
            packages=found.packages,
        )

    def _look(self, scanners: tuple[str, ...], skipped: tuple[str, ...]) -> Report | Unknown:
        report = self._folder / "report.json"
        try:
            report.unlink(missing_ok=True)
            ended = self._run(scanners, skipped)
            if report.stat().st_size > MOST_REPORT_BYTES:
                return Unknown(reason=f"trivy's report has more than {MOST_REPORT_BYTES:,} bytes")
            found = parse(report.read_bytes())
        except CommandError as error:
            if _NEEDS_JAVA in error.detail and not skipped:
                raise _JavaDatabaseError(reason_of(error)) from error
            return Unknown(reason=reason_of(error))
        except OSError as error:
            return Unknown(reason=f"trivy left no report: {error.strerror}")
        if isinstance(found, Report) and bool(found.findings) is not (ended.code == FOUND):
            return Unknown(reason=f"trivy ended with {ended.code}, which its report contradicts")
        return found

    def _run(self, scanners: tuple[str, ...], skipped: tuple[str, ...]) -> Completed:
        if "vuln" in scanners:
            self._link_databases()
        arguments = _arguments(scanners, self._cache, self._timeout_seconds)
        argv = [self._scanner.path, *arguments, *(f"--skip-files={p}" for p in skipped)]
        seconds = self._timeout_seconds
        ended = run(argv, cwd=self._folder, env=_GO, timeout_seconds=seconds, check=False)
        if ended.code not in (0, FOUND):
            raise CommandError(argv, ended.code, ended.stderr, f"failed with code {ended.code}")
        return ended

    def _link_databases(self) -> None:
        """Put them into a cache without checks that somebody fetched: those built in are known."""
        self._cache.mkdir(exist_ok=True)
        has_java = not isinstance(self._scanner.java_database, Missing)
        for name in ("db", "java-db") if has_java else ("db",):
            if not (self._cache / name).is_symlink():
                (self._cache / name).symlink_to(self._scanner.folder / name)


def _arguments(scanners: tuple[str, ...], cache: Path, timeout_seconds: float) -> Iterator[str]:
    yield from ("image", f"--input={TARGET}", "--format=json", "--output=report.json")
    yield f"--scanners={','.join(scanners)}"
    yield f"--image-config-scanners={','.join(SCANNERS)}"
    yield from ("--list-all-pkgs", f"--exit-code={FOUND}", f"--timeout={ceil(timeout_seconds)}s")
    yield from (f"--cache-dir={cache}", "--cache-backend=fs", "--module-dir=modules")
    yield from ("--offline-scan", "--skip-db-update", "--skip-java-db-update")
    yield from ("--skip-check-update", "--skip-version-check", "--disable-telemetry")
    yield from ("--no-progress", "--quiet")
