"""trivy's JSON report read: findings and packages, never what a secret reads like."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onegig.model.measured import Unknown
from onegig.model.scan import Finding, FindingKind, Severity, package_text

SCHEMA_VERSION = 2
MOST_REPORT_BYTES = 64 * 1024**2
MOST_TITLE = 120
IMAGE_CONFIG = "image config"  # where a finding is in no file
TARGET = "image"  # the name of the layout that trivy is given
JAVA = "jar"  # a result's type
OS_PACKAGES = "os-pkgs"  # a result's class
_BY_MAJOR = frozenset(("alma", "amazon", "centos", "debian", "fedora", "oracle", "redhat", "rocky"))
_LONGEST_MAJOR = 5  # digits; more are a date
_Object = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a report says; findings are ordered, the gravest first."""

    findings: tuple[Finding, ...]
    packages: tuple[str, ...]
    has_java: bool = False  # archives that it knows


def parse(report: bytes) -> Report | Unknown:
    """Read a report. Keys we do not know are fine; one that is missing or odd is not."""
    try:
        document = _document(report)
        results, system = _objects(document, "Results"), _system(document)
        findings = {one for result in results for one in _findings(result, system)}
        packages = {one for result in results for one in _packages(result, system)}
    except json.JSONDecodeError:
        return Unknown(reason="trivy wrote a report that cannot be read: it is not JSON")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        fault = f"{type(error).__name__}: {error}"[:MOST_TITLE]
        return Unknown(reason=f"trivy wrote a report that cannot be read: {fault}")
    return Report(
        findings=tuple(sorted(findings, key=_order)),
        packages=tuple(sorted(packages)),
        has_java=any(result.get("Type") == JAVA for result in results),
    )


def release_of(family: str, name: str) -> str:
    """Return such as "alpine 3.23" for "alpine" and "3.23.0"; the family where it has no releases.

    trivy's database has advisories for Alpine 3.23, Debian 13 or Ubuntu 24.04: smaller steps
    (3.23.1, 13.2) and the dates of distributions without releases change nothing. This is how its
    detectors look them up (github.com/aquasecurity/trivy, pkg/detector/ospkg).
    """
    number = (name.split() or [""])[0].split(".")
    if not number[0] or len(number[0]) > _LONGEST_MAJOR:
        return family
    return f"{family} {'.'.join(number[: 1 if family in _BY_MAJOR else 2])}"


def _document(report: bytes) -> _Object:
    document: _Object = json.loads(report)
    if document["SchemaVersion"] != SCHEMA_VERSION:
        raise ValueError(f"its schema is not {SCHEMA_VERSION}")
    return document


def _system(document: _Object) -> str:
    """Return the image's OS; "" where trivy knows none."""
    found = _object(_object(document, "Metadata"), "OS")
    return release_of(_text(found, "Family", ""), _text(found, "Name", ""))


def _findings(result: _Object, system: str) -> Iterator[Finding]:
    place = _text(result, "Target")
    place = IMAGE_CONFIG if place == TARGET else place
    for one in _objects(result, "Vulnerabilities"):
        yield _finding(
            FindingKind.VULNERABILITY,
            one,
            "VulnerabilityID",
            _text(one, "PkgName"),
            installed=_text(one, "InstalledVersion"),
            fixed=_text(one, "FixedVersion", ""),
            system=_owner(result, system),
        )
    for one in _objects(result, "Secrets"):
        yield _finding(FindingKind.SECRET, one, "RuleID", place)
    for one in _objects(result, "Misconfigurations"):
        if _text(one, "Status") == "FAIL":
            yield _finding(FindingKind.MISCONFIGURATION, one, "ID", place)


def _finding(
    kind: FindingKind, one: _Object, identity: str, target: str, **details: Any
) -> Finding:
    """Return a finding whose title is the rule's own: it quotes nothing of the image."""
    return Finding(
        kind=kind,
        id=_text(one, identity),
        severity=Severity(_text(one, "Severity")),
        target=target,
        title=_text(one, "Title", "")[:MOST_TITLE],
        **details,
    )


def _owner(result: _Object, system: str) -> str:
    """Return the OS whose packages a result is about, "" for those of pip, npm and others."""
    return system if _text(result, "Class", "") == OS_PACKAGES else ""


def _packages(result: _Object, system: str) -> Iterator[str]:
    for one in _objects(result, "Packages"):
        yield package_text(_text(one, "Name"), _version(one), _owner(result, system))


def _version(package: _Object) -> str:
    """Return a version as vulnerabilities give it: Debian's and Red Hat's come in three parts."""
    version = _text(package, "Version", "")
    epoch, release = package.get("Epoch", 0), _text(package, "Release", "")
    if not isinstance(epoch, int):
        raise TypeError(f"Epoch is {type(epoch).__name__}")
    text = f"{version}-{release}" if release else version
    return f"{epoch}:{text}" if epoch else text


def _objects(parent: _Object, key: str) -> Sequence[_Object]:
    """Return a list of objects, which trivy leaves out or writes as null where it is empty."""
    found = parent.get(key) or ()
    if not isinstance(found, (list, tuple)) or not all(isinstance(one, dict) for one in found):
        raise TypeError(f"{key} is not a list of objects")
    return found


def _object(parent: _Object, key: str) -> _Object:
    found = parent.get(key) or {}
    if not isinstance(found, dict):
        raise TypeError(f"{key} is not an object")
    return found


def _text(parent: _Object, key: str, default: str | None = None) -> str:
    value = parent[key] if default is None else parent.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"{key} is {type(value).__name__}")
    return value


def _order(one: Finding) -> tuple[int, str, str, str, str]:
    return -one.severity.rank, one.kind, one.id, one.target, one.installed
