"""Findings of trivy in an image."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from onegig.model.measured import Missing

A_FIX = "some version"  # of findings without names: there is one


class Severity(StrEnum):
    """trivy's severities, the worst last."""

    UNKNOWN = "UNKNOWN"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """Return the place in the list: the higher, the worse."""
        return list(Severity).index(self)


class FindingKind(StrEnum):
    """The scanner of trivy that made a finding."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105 - a kind of finding
    MISCONFIGURATION = "misconfiguration"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One finding, or several without an `id` that a report had no room to name.

    A secret's own text is never kept.
    """

    kind: FindingKind
    id: str  # "CVE-2026-1234", "aws-access-key-id", "DS002"; "" for several
    severity: Severity
    target: str  # package, file or instruction; "" for several of different ones
    installed: str = ""  # version
    fixed: str = ""  # first version without it; "" when there is none
    title: str = ""
    system: str = ""  # whose package it is, if it is an OS's: "alpine 3.23"
    count: int = 1

    @property
    def package(self) -> str:
        """Return the package of a vulnerability, as `Scan.packages` has it; "" for several."""
        return package_text(self.target, self.installed, self.system) if self.target else ""

    @property
    def nameless(self) -> "Finding":
        """Return what limits ask of it: kind, severity, package and whether there is a fix."""
        hidden: dict[str, Any] = dict.fromkeys(("target", "installed", "system"), "")
        package = {} if self.kind is FindingKind.VULNERABILITY else hidden
        return replace(self, id="", title="", fixed=A_FIX if self.fixed else "", **package)


def package_text(name: str, version: str, system: str) -> str:
    """Return a package's name such as "redis 5.2.1" or "openssl 3.5.1-r0 (alpine 3.23)".

    The same version may be fixed in one release of an OS and not in another.
    """
    return f"{name} {version} ({system})" if system else f"{name} {version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """The scan of one image.

    Where `database` is missing, vulnerabilities were not looked for, which is not "none"; nor were
    those of Java archives (.jar, .war, ...) if `java_database` is missing.
    """

    trivy_version: str
    findings: tuple[Finding, ...]  # the last may be without names
    scanners: tuple[str, ...]  # that ran
    database: str | Missing  # ISO 8601: when the vulnerability database was made
    java_database: str | Missing = ""  # the same, or "" if none was needed
    packages: tuple[str, ...] | Missing = ()  # by `package_text`, each once

    @property
    def nameless(self) -> tuple[Finding, ...]:
        """Return the groups of findings that are not listed by name."""
        return tuple(finding for finding in self.findings if not finding.id)
