"""trivy run as a child process on images of the spool: never by name, so nothing pulls.

It looks for secrets and misconfigurations always, and for vulnerabilities where its database is on
this machine: nothing is fetched while scanning. It runs in an empty folder and gets no TRIVY_
variable, so that neither a trivy.yaml, a .trivyignore nor anybody's settings decide what is found.

trivy ends with 1 for whatever goes wrong, a missing database included, and with what it is told to
(FOUND) where it found something. Both must agree with what it wrote; else the scan is unknown.
Where it finds a Java archive and has no Java database it ends, too: it then is run again without a
look at such archives, and the scan says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from onegig.images.trivy import Scanner, reason_of
from onegig.images.trivy_report import MOST_REPORT_BYTES, TARGET, Report, parse
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Scan
from onegig.process import CommandError, run

FOUND = 10  # trivy's exit code where it found something
TIMEOUT_SECONDS = 300.0
SCANNERS = ("secret", "misconfig")
VULNERABILITIES = ("vuln", *SCANNERS)
JAVA_ARCHIVES = ("**/*.[jJ][aA][rR]", "**/*.[eEpPwW][aA][rR]")  # by name, as trivy takes them
LayOut = Callable[[Path], None]
_GO = {"GOGC": "400", "GOMEMLIMIT": "256MiB"}  # a third less work for Go's garbage collector
_NEEDS_JAVA = "initialize the Java DB"  # trivy's words when it ends for want of it
_OPTIONS = (
    f"--input={TARGET} --format=json --output=report.json --list-all-pkgs --exit-code={FOUND} "
    f"--image-config-scanners={','.join(SCANNERS)} --cache-backend=fs --module-dir=modules "
    "--offline-scan --skip-db-update --skip-java-db-update --skip-check-update "
    "--skip-version-check --disable-telemetry --no-progress --quiet"
).split()


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
        found = image.scan_all() if isinstance(scanner.database, str) else scanner.database
        return image.scan(SCANNERS, found) if isinstance(found, Missing) else found


def describe_scan(scan: Scan | Missing) -> str:
    """Say in one line how many findings there are and what was not scanned."""
    if isinstance(scan, Missing):
        return f"not scanned: {scan.reason}"
    count = len(scan.findings)
    parts = [f"{count:,} finding{'' if count == 1 else 's'} of trivy"]
    subjects = {"vulnerabilities": scan.database, "Java archives": scan.java_database}
    for subject, database in subjects.items():
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


@dataclass(frozen=True, slots=True)
class _Image:
    """One image's layout in a folder, and the trivy to look into it."""

    scanner: Scanner
    folder: Path
    cache: Path
    timeout_seconds: float

    def scan_all(self) -> Scan | Unknown:
        """Scan for everything, without Java archives where trivy can't tell what those are."""
        database, java = self.scanner.database, self.scanner.java_database
        self.cache.mkdir(exist_ok=True)  # has no checks that somebody fetched: only built-in ones
        for name in ("db",) if isinstance(java, Missing) else ("db", "java-db"):
            if not (self.cache / name).is_symlink():
                (self.cache / name).symlink_to(self.scanner.folder / name)
        try:
            return self.scan(VULNERABILITIES, database)
        except _JavaDatabaseError as error:
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
            trivy_version=self.scanner.version,
            findings=found.findings,
            scanners=scanners,
            database=database,
            java_database=java or (self.scanner.java_database if has_java else ""),
            packages=found.packages,
        )

    def _look(self, scanners: tuple[str, ...], skipped: tuple[str, ...]) -> Report | Unknown:
        report, seconds = self.folder / "report.json", self.timeout_seconds
        argv = [self.scanner.path, "image", *_OPTIONS, f"--cache-dir={self.cache}"]
        argv += [f"--scanners={','.join(scanners)}", f"--timeout={ceil(seconds)}s"]
        argv += [f"--skip-files={pattern}" for pattern in skipped]
        report.unlink(missing_ok=True)
        code = 0
        try:
            run(argv, cwd=self.folder, env=_GO, timeout_seconds=seconds)
        except CommandError as error:
            code = error.code
            if _NEEDS_JAVA in error.detail and not skipped:
                raise _JavaDatabaseError(reason_of(error)) from error
            if code != FOUND:
                return Unknown(reason=reason_of(error))
        try:
            if report.stat().st_size > MOST_REPORT_BYTES:
                return Unknown(reason=f"trivy's report has more than {MOST_REPORT_BYTES:,} bytes")
            found = parse(report.read_bytes())
        except OSError as error:
            return Unknown(reason=f"trivy left no report: {error.strerror}")
        if isinstance(found, Report) and bool(found.findings) is not (code == FOUND):
            return Unknown(reason=f"trivy ended with {code}, which its report contradicts")
        return found
