"""trivy run as a child process on images of the spool: never by name, so nothing pulls.

It looks for secrets and misconfigurations always, and for vulnerabilities if its database is on
this machine: nothing is fetched while scanning. It runs in an empty folder and gets no TRIVY_
variable, so that neither a trivy.yaml, a .trivyignore nor anybody's settings decide what is found.

trivy ends with 1 for whatever goes wrong, a missing database included, and with what it is told to
(FOUND) if it found something. Both must agree with what it wrote; else the scan is unknown.
Where it finds a Java archive and has no Java database it ends, too: it then is run again without a
look at such archives, and the scan says so.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onegig.images.trivy import Scanner, reason_of
from onegig.model.measured import Missing, Unknown
from onegig.model.scan import Finding, FindingKind, Scan, Severity, package_text
from onegig.process import CommandError, run

SCHEMA_VERSION = 2
MOST_REPORT_BYTES = 64 * 1024**2
MOST_TITLE = 120
UNREADABLE = "trivy wrote a report that cannot be read"
IMAGE_CONFIG = "image config"  # where a finding is in no file
TARGET = "image"  # the name of the layout that trivy is given
JAVA = "jar"  # a result's type
OS_PACKAGES = "os-pkgs"  # a result's class
_BY_MAJOR = frozenset(("alma", "amazon", "centos", "debian", "fedora", "oracle", "redhat", "rocky"))
_LONGEST_MAJOR = 5  # digits; more are a date
_Object = Mapping[str, Any]
FOUND = 10  # trivy's exit code if it found something
TIMEOUT_SECONDS = 300.0
SCANNERS = ("secret", "misconfig")
VULNERABILITIES = ("vuln", *SCANNERS)
JAVA_ARCHIVES = ("**/*.[jJ][aA][rR]", "**/*.[eEpPwW][aA][rR]")  # by name, as trivy takes them
LayOut = Callable[[Path], None]
_GO = {"GOGC": "400", "GOMEMLIMIT": "256MiB"}  # a third less work for Go's garbage collector
_NEEDS_JAVA = "initialize the Java DB"  # trivy's words when it ends for lack of it
_OPTIONS = (
    f"--input={TARGET} --format=json --output=report.json --list-all-pkgs --exit-code={FOUND} "
    f"--image-config-scanners={','.join(SCANNERS)} --cache-backend=fs --module-dir=modules "
    "--offline-scan --skip-db-update --skip-java-db-update --skip-check-update "
    "--skip-version-check --disable-telemetry --no-progress --quiet"
).split()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A parsed report of trivy; findings are ordered, the most severe first."""

    findings: tuple[Finding, ...]
    packages: tuple[str, ...]
    has_java: bool = False  # archives that it knows


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
        report = image.scan_all() if isinstance(scanner.database, str) else scanner.database
        return image.scan(SCANNERS, report) if isinstance(report, Missing) else report


def describe_scan(scan: Scan | Missing) -> str:
    """Describe in one line the number of findings and what was not scanned."""
    if isinstance(scan, Missing):
        return f"not scanned: {scan.reason}"
    count = len(scan.findings)
    parts = [f"{count:,} finding{'' if count == 1 else 's'} of trivy"]
    subjects = {"vulnerabilities": scan.database, "Java archives": scan.java_database}
    for subject, database in subjects.items():
        if isinstance(database, Missing):
            parts.append(f"{subject} not scanned: {database.reason}")
    return "; ".join(parts)


def is_current(scan: Scan, scanner: Scanner) -> bool:
    """Return whether a scan with the scanner's databases would give the same result again."""
    if isinstance(scan.java_database, Missing) and scanner.fetches:
        return False
    return scan.java_database in ("", scanner.java_database)


def is_lasting(scan: Scan, scanner: Scanner) -> bool:
    """Return whether to keep a scan: not if a database failed that may do better next time."""
    return scan.database == scanner.database and not isinstance(scan.java_database, Unknown)


class _JavaDatabaseError(Exception):
    """trivy ended at a Java archive, for lack of a Java database that it can use."""


@dataclass(frozen=True, slots=True)
class _Image:
    """One image's layout in a folder, and the trivy to look into it."""

    scanner: Scanner
    folder: Path
    cache: Path
    timeout_seconds: float

    def scan_all(self) -> Scan | Unknown:
        """Scan for everything, without Java archives if trivy can't tell what those are."""
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
        report = self._look(scanners, skipped)
        if isinstance(report, Unknown):
            return report
        has_java = report.has_java and "vuln" in scanners
        return Scan(
            trivy_version=self.scanner.version,
            findings=report.findings,
            scanners=scanners,
            database=database,
            java_database=java or (self.scanner.java_database if has_java else ""),
            packages=report.packages,
        )

    def _look(self, scanners: tuple[str, ...], skipped: tuple[str, ...]) -> Report | Unknown:
        path, seconds = self.folder / "report.json", self.timeout_seconds
        argv = [self.scanner.path, "image", *_OPTIONS, f"--cache-dir={self.cache}"]
        argv += [f"--scanners={','.join(scanners)}", f"--timeout={ceil(seconds)}s"]
        argv += [f"--skip-files={pattern}" for pattern in skipped]
        path.unlink(missing_ok=True)
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
            if path.stat().st_size > MOST_REPORT_BYTES:
                return Unknown(reason=f"trivy's report has more than {MOST_REPORT_BYTES:,} bytes")
            report = parse(path.read_bytes())
        except OSError as error:
            return Unknown(reason=f"trivy left no report: {error.strerror}")
        if isinstance(report, Report) and bool(report.findings) is not (code == FOUND):
            return Unknown(reason=f"trivy ended with {code}, which its report contradicts")
        return report


def parse(report: bytes) -> Report | Unknown:
    """Read a report. Keys we do not know are fine; one that is missing or odd is not."""
    try:
        document: _Object = json.loads(report)
        if document["SchemaVersion"] != SCHEMA_VERSION:
            return Unknown(reason=f"{UNREADABLE}: its schema is not {SCHEMA_VERSION}")
        results, os = _objects(document, "Results"), _object(_object(document, "Metadata"), "OS")
        system = release_of(_text(os, "Family", ""), _text(os, "Name", ""))
        findings = {item for result in results for item in _findings(result, system)}
        packages = {item for result in results for item in _packages(result, system)}
    except json.JSONDecodeError:
        return Unknown(reason=f"{UNREADABLE}: it is not JSON")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        fault = f"{type(error).__name__}: {error}"[:MOST_TITLE]
        return Unknown(reason=f"{UNREADABLE}: {fault}")
    order = attrgetter("kind", "id", "target", "installed")
    by_severity = sorted(findings, key=lambda finding: (-finding.severity.rank, *order(finding)))
    has_java = any(result.get("Type") == JAVA for result in results)
    return Report(findings=tuple(by_severity), packages=tuple(sorted(packages)), has_java=has_java)


def release_of(family: str, name: str) -> str:
    """Return such as "alpine 3.23" for "alpine" and "3.23.0"; the family if it has no releases.

    trivy's database has advisories for Alpine 3.23, Debian 13 or Ubuntu 24.04: smaller steps
    (3.23.1, 13.2) and the dates of distributions without releases change nothing. This is how its
    detectors look them up (github.com/aquasecurity/trivy, pkg/detector/ospkg).
    """
    number = (name.split() or [""])[0].split(".")
    if not number[0] or len(number[0]) > _LONGEST_MAJOR:
        return family
    return f"{family} {'.'.join(number[: 1 if family in _BY_MAJOR else 2])}"


def _findings(result: _Object, system: str) -> Iterator[Finding]:
    place = _text(result, "Target")
    place = IMAGE_CONFIG if place == TARGET else place
    for item in _objects(result, "Vulnerabilities"):
        yield _finding(
            FindingKind.VULNERABILITY,
            item,
            "VulnerabilityID",
            _text(item, "PkgName"),
            installed=_text(item, "InstalledVersion"),
            fixed=_text(item, "FixedVersion", ""),
            system=_owner(result, system),
        )
    for item in _objects(result, "Secrets"):
        yield _finding(FindingKind.SECRET, item, "RuleID", place)
    for item in _objects(result, "Misconfigurations"):
        if _text(item, "Status") == "FAIL":
            yield _finding(FindingKind.MISCONFIGURATION, item, "ID", place)


def _finding(
    kind: FindingKind, item: _Object, identity: str, target: str, **details: Any
) -> Finding:
    """Return a finding whose title is the rule's own: it quotes nothing of the image."""
    return Finding(
        kind=kind,
        id=_text(item, identity),
        severity=Severity(_text(item, "Severity")),
        target=target,
        title=_text(item, "Title", "")[:MOST_TITLE],
        **details,
    )


def _owner(result: _Object, system: str) -> str:
    """Return the OS whose packages a result is about, "" for those of pip, npm and others."""
    return system if _text(result, "Class", "") == OS_PACKAGES else ""


def _packages(result: _Object, system: str) -> Iterator[str]:
    for package in _objects(result, "Packages"):
        yield package_text(_text(package, "Name"), _version(package), _owner(result, system))


def _version(package: _Object) -> str:
    """Return a version as vulnerabilities give it: Debian's and Red Hat's come in three parts."""
    version = _text(package, "Version", "")
    epoch, release = package.get("Epoch", 0), _text(package, "Release", "")
    if not isinstance(epoch, int):
        raise TypeError(f"Epoch is {type(epoch).__name__}")
    text = f"{version}-{release}" if release else version
    return f"{epoch}:{text}" if epoch else text


def _objects(parent: _Object, key: str) -> Sequence[_Object]:
    """Return a list of objects, which trivy leaves out or writes as null if it is empty."""
    items = parent.get(key) or ()
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, dict) for item in items):
        raise TypeError(f"{key} is not a list of objects")
    return items


def _object(parent: _Object, key: str) -> _Object:
    value = parent.get(key) or {}
    if not isinstance(value, dict):
        raise TypeError(f"{key} is not an object")
    return value


def _text(parent: _Object, key: str, default: str | None = None) -> str:
    value = parent[key] if default is None else parent.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key} is {type(value).__name__}")
    return value
