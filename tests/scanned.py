"""Runs whose images trivy scanned, and what is judged of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from factories import make_images, make_memory, make_service
from judging import TODAY, checks
from onegig.config.budgets import parse_budgets
from onegig.judge.baseline import make_baseline
from onegig.judge.compare import compare
from onegig.judge.verdict import judge
from onegig.model.budgets import Budgets
from onegig.model.codec import from_json, to_json
from onegig.model.measured import Missing, Skipped
from onegig.model.report import Delta, Report
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from onegig.model.verdict import Baseline, Check, Verdict

NO_DATABASE = Skipped(reason="no database")
WRITTEN = "scan: {vulnerabilities: 0, secrets: 0, misconfigurations: 0}"
IDS = ("image.secrets", "image.vulnerabilities", "image.misconfigurations")


def budgets(text: str = WRITTEN) -> Budgets:
    return parse_budgets("budgets.yml", f"version: 1\n{text}\n".encode())


def cve(number: int, package: str = "openssl", version: str = "3.5.1", **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "kind": FindingKind.VULNERABILITY,
        "id": f"CVE-2026-{number}",
        "severity": Severity.HIGH,
        "target": package,
        "installed": version,
        "fixed": f"{version}.1",
    }
    return Finding(**fields | changes)


def other(kind: FindingKind, identity: str, target: str, severity: Severity) -> Finding:
    return Finding(kind=kind, id=identity, severity=severity, target=target)


SECRET = other(FindingKind.SECRET, "github-pat", "/app/.env", Severity.CRITICAL)
ROOT = other(FindingKind.MISCONFIGURATION, "DS-0002", "image config", Severity.HIGH)


def scan(*findings: Finding, packages: Sequence[str] = (), database: str | Missing = "") -> Scan:
    """A scan that lists the packages of its findings, and more."""
    vulnerable = {finding.package for finding in findings if finding.installed}
    return Scan(
        trivy_version="0.74.0",
        findings=findings,
        scanners=("vuln", "secret", "misconfig"),
        database=database or "2026-11-24T06:20:00Z",
        packages=tuple(sorted({*vulnerable, *packages})),
    )


def report(
    scans: dict[str, Scan | Missing], limits: Budgets | None = None, main: Baseline | None = None
) -> Report:
    """A run of services that fit, whose images were scanned so."""
    images = make_images(scans)
    result = tuple(replace(image, scan=scans[image.services[0]]) for image in images.images)
    images = replace(images, images=result)
    memory = make_memory([make_service(name, 20) for name in scans])
    verdict = judge(limits or budgets(), images, memory, None, today=TODAY, main=main)
    return Report(
        stack="desk",
        created="2026-11-23T20:44:00+00:00",
        commit="1f0c3e5a",
        verdict=verdict,
        images=images,
        memory=memory,
        reproduce="onegig check",
    )


def judged(result: Scan | Missing, limits: Budgets | None = None) -> Verdict:
    return report({"web": result}, limits).verdict


def check(verdict: Verdict, identity: str = "image.vulnerabilities") -> Check:
    (result,) = checks(verdict, identity)
    return result


def on_top_of(main: Report, now: dict[str, Scan | Missing]) -> tuple[Report, dict[str, Delta]]:
    """A pull request's run beside what was kept of its base, in words and as read back."""
    baseline = from_json(Baseline, to_json(make_baseline(main, {})), "baseline.json", strict=True)
    run = report(now, main=baseline)
    return run, {delta.id: delta for delta in compare(run, baseline, 0).deltas}
