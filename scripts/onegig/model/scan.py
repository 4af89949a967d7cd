"""What trivy found in an image."""

from dataclasses import dataclass
from enum import StrEnum

from onegig.model.measured import Missing


class Severity(StrEnum):
    """trivy's severities, the worst last."""

    UNKNOWN = "UNKNOWN"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class FindingKind(StrEnum):
    """Which of trivy's scanners found it."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105 - a kind of finding
    MISCONFIGURATION = "misconfiguration"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """Findings that a report had no room for, as far as limits ask what they are."""

    kind: FindingKind
    severity: Severity
    fixed: bool  # whether there is a version without them
    package: str  # that vulnerabilities are of, as `Scan.packages` has it; "" of several or none
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One finding. A secret's own text is never kept."""

    kind: FindingKind
    id: str  # "CVE-2026-1234", "aws-access-key-id", "DS002"
    severity: Severity
    target: str  # package, file or instruction
    installed: str = ""  # version
    fixed: str = ""  # first version without it; "" when there is none
    title: str = ""
    system: str = ""  # whose package it is, where it is an OS's: "alpine 3.23"

    @property
    def package(self) -> str:
        """What a vulnerability is of, as `Scan.packages` has it."""
        return package_text(self.target, self.installed, self.system)

    @property
    def nameless(self) -> LeftOut:
        """What stays of it where there is no room for more."""
        return LeftOut(
            kind=self.kind,
            severity=self.severity,
            fixed=bool(self.fixed),
            package=self.package if self.kind is FindingKind.VULNERABILITY else "",
            count=1,
        )


def package_text(name: str, version: str, system: str) -> str:
    """Such as "redis 5.2.1" and "openssl 3.5.1-r0 (alpine 3.23)".

    The same version may be mended in one release of an OS and not in another.
    """
    return f"{name} {version} ({system})" if system else f"{name} {version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """One image. Where `database` is missing, vulnerabilities were not looked for: not "none".

    Nor were those of Java archives (.jar, .war, ...) where `java_database` is.
    """

    trivy_version: str
    findings: tuple[Finding, ...]
    scanners: tuple[str, ...]  # that ran
    database: str | Missing  # ISO 8601: when the vulnerability database was made
    java_database: str | Missing = ""  # the same; "" where none was needed
    packages: tuple[str, ...] | Missing = ()  # by `package_text`, each once
    left_out: tuple[LeftOut, ...] = ()  # of findings

    @property
    def everything(self) -> tuple[Finding | LeftOut, ...]:
        """What was found, by name or by number."""
        return (*self.findings, *self.left_out)
