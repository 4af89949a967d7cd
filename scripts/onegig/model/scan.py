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
class Finding:
    """One finding. A secret's own text is never kept."""

    kind: FindingKind
    id: str  # "CVE-2026-1234", "aws-access-key-id", "DS002"
    severity: Severity
    target: str  # package, file or instruction
    installed: str = ""  # version
    fixed: str = ""  # first version without it; "" when there is none
    title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """Something installed, by the name and version that findings give."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """One image. Where `database` is missing, vulnerabilities were not looked for: not "none"."""

    trivy_version: str
    findings: tuple[Finding, ...]
    scanners: tuple[str, ...]  # that ran
    database: str | Missing  # ISO 8601: when the vulnerability database was made
    packages: tuple[Package, ...] = ()  # each name and version once
