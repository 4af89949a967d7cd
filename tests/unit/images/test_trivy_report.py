"""trivy's JSON read: as captured from 0.74.0, with keys nobody knows, and what is no report."""

import json
from pathlib import Path
from typing import Any

import pytest

from onegig.images.scan import Report, parse, release_of
from onegig.model.measured import Unknown
from onegig.model.scan import Finding, FindingKind, Severity

SECRET_TEXT = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
CAPTURED = Path(__file__).parents[2] / "golden" / "inspect" / "trivy-results.json"
RESULTS: list[dict[str, Any]] = json.loads(CAPTURED.read_text())
METADATA = {"OS": {"Family": "debian", "Name": "13.1"}, "ImageID": "sha256:1"}


def report(results: Any = RESULTS, **more: Any) -> bytes:
    document = {"SchemaVersion": 2, "Metadata": METADATA, "Results": results, "Later": {}}
    return json.dumps(document | more).encode()


def changed(result: int, kind: str, **fields: Any) -> bytes:
    """The report with other values in the first finding of a kind; None takes a key away."""
    results = json.loads(json.dumps(RESULTS))
    finding = results[result][kind][0] | fields
    results[result][kind][0] = {key: value for key, value in finding.items() if value is not None}
    return report(results)


def test_everything_that_is_found_the_gravest_first() -> None:
    parsed = parse(report())
    assert isinstance(parsed, Report)
    long = "openssl: " + "long " * 100
    assert parsed.findings == (
        Finding(
            kind=FindingKind.SECRET,
            id="github-pat",
            severity=Severity.CRITICAL,
            target="/app/.env",
            title="GitHub Personal Access Token",
        ),
        Finding(
            kind=FindingKind.VULNERABILITY,
            id="CVE-2026-2",
            severity=Severity.CRITICAL,
            target="login",
            installed="1:4.16.0-2+really2.41",
            system="debian 13",
        ),
        Finding(
            kind=FindingKind.MISCONFIGURATION,
            id="DS-0002",
            severity=Severity.HIGH,
            target="image config",
            title="user is root",
        ),
        Finding(
            kind=FindingKind.VULNERABILITY,
            id="CVE-2026-1234",
            severity=Severity.HIGH,
            target="libssl3t64",
            installed="3.5.1-1",
            fixed="3.5.1-1+deb13u1",
            title=long[:120],
            system="debian 13",
        ),
    )


def test_packages_are_named_as_findings_name_them() -> None:
    parsed = parse(report())
    assert isinstance(parsed, Report)
    assert parsed.packages == (
        "libssl3t64 3.5.1-1 (debian 13)",
        "login 1:4.16.0-2+really2.41 (debian 13)",
        "pip 25.1.1",
    )
    assert {finding.package for finding in parsed.findings if finding.installed} <= {
        *parsed.packages
    }


@pytest.mark.parametrize(
    ("family", "name", "release"),
    [
        ("alpine", "3.23.0", "alpine 3.23"),
        ("alpine", "3.23", "alpine 3.23"),
        ("alpine", "3.23.0_alpha20251224", "alpine 3.23"),
        ("debian", "13.1", "debian 13"),
        ("debian", "13", "debian 13"),
        ("ubuntu", "24.04", "ubuntu 24.04"),
        ("redhat", "9.4", "redhat 9"),
        ("amazon", "2 (Karoo)", "amazon 2"),
        ("amazon", "2023.5.20240708 (Amazon Linux)", "amazon 2023"),
        ("cbl-mariner", "2.0.20220527", "cbl-mariner 2.0"),
        ("opensuse-leap", "15.6", "opensuse-leap 15.6"),
        ("wolfi", "20230201", "wolfi"),
        ("arch", "", "arch"),
        ("", "", ""),
    ],
)
def test_an_operating_system_counts_by_the_release_that_advisories_are_for(
    family: str, name: str, release: str
) -> None:
    assert release_of(family, name) == release


@pytest.mark.parametrize("metadata", [None, {}, {"OS": None}, {"OS": {"EOSL": True}}])
def test_an_image_without_an_operating_system_has_packages_nevertheless(metadata: Any) -> None:
    parsed = parse(report(Metadata=metadata))
    assert isinstance(parsed, Report)
    assert parsed.packages[0] == "libssl3t64 3.5.1-1"


def test_no_secret_is_kept_anywhere() -> None:
    assert SECRET_TEXT.encode() in report()
    assert SECRET_TEXT not in repr(parse(report()))


@pytest.mark.parametrize("results", [None, []])
def test_a_report_without_results_has_found_nothing(results: Any) -> None:
    assert parse(report(results)) == Report(findings=(), packages=())
    assert parse(b'{"SchemaVersion": 2}') == Report(findings=(), packages=())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON"),
        (b"FATAL error", "not JSON"),
        (b"\xff{}", "UnicodeDecodeError"),
        (b"[" * 100_000, "RecursionError"),
        (b"[]", "TypeError"),
        (b"{}", "SchemaVersion"),
        (report(SchemaVersion=3), "its schema is not 2"),
        (report({"a": 1}), "Results is not a list"),
        (report(["a"]), "Results is not a list"),
        (report(Metadata=["a"]), "Metadata is not an object"),
        (report(Metadata={"OS": {"Family": 7}}), "Family is int"),
        (report([{"Class": "secret"}]), "Target"),
        (changed(0, "Vulnerabilities", VulnerabilityID=None), "VulnerabilityID"),
        (changed(0, "Vulnerabilities", Severity="BAD"), "Severity"),
        (changed(0, "Vulnerabilities", FixedVersion=["1"]), "FixedVersion is list"),
        (changed(0, "Packages", Epoch="1"), "Epoch is str"),
        (changed(3, "Secrets", RuleID=7), "RuleID is int"),
        (changed(2, "Misconfigurations", Status=None), "Status"),
    ],
)
def test_what_is_no_report_is_unknown_and_not_nothing(text: bytes, reason: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Unknown)
    assert parsed.reason.startswith("trivy wrote a report that cannot be read: ")
    assert reason in parsed.reason
    assert SECRET_TEXT not in parsed.reason
