"""Findings of trivy against the limits of budgets.yml: what counts, blocks or is let pass."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from judging import BUDGETS, GO, INCOMPLETE, NO_GO, TODAY, WARN, checks
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import Finding, Scan, Severity
from scanned import (
    IDS,
    NO_DATABASE,
    ROOT,
    SECRET,
    WRITTEN,
    budgets,
    check,
    cve,
    judged,
    report,
    scan,
)


def test_an_image_without_findings_is_a_go_for_every_kind() -> None:
    verdict = judged(scan())
    assert verdict.state is GO
    findings = [(item.id, item.value, item.limit) for item in verdict.checks if item.id in IDS]
    assert findings == [(identity, 0, 0) for identity in IDS]
    assert check(verdict).message == (
        "the image of web has no fixable vulnerabilities of severity HIGH or above; "
        "database of 2026-11-24"
    )


@pytest.mark.parametrize(
    ("finding", "identity"),
    [
        (cve(1), "image.vulnerabilities"),
        (SECRET, "image.secrets"),
        (ROOT, "image.misconfigurations"),
    ],
)
def test_a_written_limit_blocks_and_a_default_warns(finding: Finding, identity: str) -> None:
    default_limits = replace(BUDGETS, scan=replace(BUDGETS.scan, misconfigurations=0))
    written, default = judged(scan(finding)), judged(scan(finding), default_limits)
    assert (check(written, identity).state, written.state) == (NO_GO, NO_GO)
    assert (check(default, identity).state, default.state) == (WARN, WARN)
    assert {item.state for item in written.checks if item.id != identity} == {GO}


@pytest.mark.parametrize(
    ("policy", "counted"),
    [
        ("severity: LOW, ignore_unfixed: false", 5),
        ("severity: LOW", 4),
        ("severity: HIGH", 2),
        ("severity: HIGH, ignore_unfixed: false", 3),
        ("severity: CRITICAL", 1),
    ],
)
def test_what_counts_is_said_by_severity_and_fix(policy: str, counted: int) -> None:
    findings = scan(
        cve(1, severity=Severity.LOW),
        cve(2, severity=Severity.MEDIUM),
        cve(3),
        cve(4, severity=Severity.CRITICAL),
        cve(5, fixed=""),
    )
    limits = budgets(f"scan: {{{policy}, vulnerabilities: 0}}")
    assert check(judged(findings, limits)).value == counted


def test_the_message_names_the_gravest_first_and_what_mends_them() -> None:
    findings = scan(cve(1), cve(2, "musl", "1.2.5"), cve(3, severity=Severity.CRITICAL, fixed=""))
    limits = budgets("scan: {ignore_unfixed: false, vulnerabilities: 1}")
    assert check(judged(findings, limits)).message == (
        "the image of web has 3 vulnerabilities of severity HIGH or above, at most 1 allowed: "
        "CVE-2026-3 in openssl 3.5.1, CVE-2026-1 in openssl 3.5.1 (fixed in 3.5.1.1) and 1 more; "
        "database of 2026-11-24"
    )
    assert check(judged(findings, limits)).where == "budgets.yml:2"


@pytest.mark.parametrize(
    ("created", "age"),
    [
        ("2026-11-23T06:20:00Z", "database of 2026-11-23"),
        ("2026-11-22T06:20:00Z", "database of 2026-11-22 (1 day old)"),
        ("2026-10-23T06:20:00Z", "database of 2026-10-23 (31 days old)"),
        ("yesterday\n", "database of yesterday"),
    ],
)
def test_the_age_of_the_database_is_told(created: str, age: str) -> None:
    assert check(judged(scan(database=created))).message.endswith(f"; {age}")


def test_misconfigurations_are_judged_only_where_a_limit_is_written() -> None:
    assert judged(scan(ROOT), BUDGETS).state is GO
    assert not checks(judged(scan(ROOT), BUDGETS), "image.misconfigurations")


def test_as_many_as_allowed_pass_and_any_has_no_check() -> None:
    two = scan(cve(1), cve(2))
    assert check(judged(two, budgets("scan: {vulnerabilities: 2}"))).state is GO
    assert check(judged(two, budgets("scan: {vulnerabilities: 1}"))).state is NO_GO
    assert not checks(judged(two, budgets("scan: {vulnerabilities: any}")), "image.vulnerabilities")


def test_no_database_is_never_zero_vulnerabilities() -> None:
    default, written = (judged(scan(database=NO_DATABASE), item) for item in (BUDGETS, budgets()))
    assert not checks(default, "image.vulnerabilities")
    assert check(default, "image.secrets").value == 0  # that one needs none
    assert not checks(written, "image.vulnerabilities")
    assert default.notes == ()
    assert written.notes == (
        "images were not scanned for vulnerabilities: no database (budgets.yml:2)",
    )


def test_no_trivy_is_told_once_for_all_images() -> None:
    absent = Skipped(reason="trivy is not installed")
    verdict = report({"web": absent, "redis": absent}).verdict
    assert not [item for item in verdict.checks if item.id in IDS]
    assert [note.partition(" (")[0] for note in verdict.notes] == [
        f"images were not scanned for {kind}: trivy is not installed"
        for kind in ("secrets", "vulnerabilities", "misconfigurations")
    ]
    assert report({"web": absent, "redis": absent}, BUDGETS).verdict.state is GO


def test_a_scan_that_failed_is_incomplete_where_the_limit_is_written() -> None:
    broken = Unknown(reason="trivy took longer than 300 s")
    assert judged(broken).state is INCOMPLETE
    assert judged(broken, BUDGETS).state is WARN
    assert check(judged(scan(database=broken))).state is INCOMPLETE
    assert "the image of web could not be scanned for vulnerabilities: trivy took" in (
        check(judged(broken)).message
    )


def with_java(database: Missing, *findings: Finding) -> Scan:
    return replace(scan(*findings), java_database=database)


def test_java_archives_that_were_left_out_are_told_with_what_was_counted() -> None:
    left_out = with_java(Skipped(reason="no Java database"))
    default, written = judged(left_out, BUDGETS), judged(left_out)
    for verdict in (default, written):
        assert check(verdict).state is GO
        assert check(verdict).message.endswith("; Java archives not scanned: no Java database")
        assert "Java" not in check(verdict, "image.secrets").message
    assert default.notes == ()
    (note,) = written.notes
    what = "images were not scanned for vulnerabilities of Java archives"
    assert note == f"{what}: no Java database (budgets.yml:2)"


def test_java_archives_that_could_not_be_scanned_are_incomplete_by_a_written_limit() -> None:
    failed = Unknown(reason="no Java database: trivy failed with code 1")
    assert check(judged(with_java(failed))).state is INCOMPLETE
    assert check(judged(with_java(failed), BUDGETS)).state is WARN
    assert check(judged(with_java(failed, cve(1)))).state is NO_GO
    waived = check(judged(with_java(failed, cve(1)), budgets(waiver(LATER))))
    assert (waived.state, waived.waived) == (INCOMPLETE, "")


def waiver(expires: date, identity: str = "CVE-2026-1", subject: str = "") -> str:
    about = f"subject: {subject}, " if subject else ""
    return (
        f"{WRITTEN}\nwaivers:\n  - {{check: image.vulnerabilities, id: {identity}, {about}"
        f"reason: '#12', owner: '@ops', expires: {expires}}}"
    )


LATER, YESTERDAY = TODAY + timedelta(days=90), TODAY - timedelta(days=1)


def test_a_waiver_of_one_finding_lets_that_one_pass_and_no_other() -> None:
    item, two = scan(cve(1)), scan(cve(1), cve(2))
    waived = check(judged(item, budgets(waiver(LATER))))
    assert (waived.state, waived.value) == (WARN, 1)
    assert waived.waived == f"until {LATER} by @ops: #12"
    assert "1 of them waived" in waived.message
    still = check(judged(two, budgets(waiver(LATER))))
    assert (still.state, still.waived) == (NO_GO, "")
    assert "none allowed: CVE-2026-2 in openssl" in still.message  # what is left to do
    assert check(judged(item, budgets(waiver(LATER, subject="redis")))).state is NO_GO


def test_a_waiver_holds_until_its_last_day_is_over() -> None:
    findings = scan(cve(1))
    assert check(judged(findings, budgets(waiver(TODAY)))).state is WARN
    late = check(judged(findings, budgets(waiver(YESTERDAY))))
    assert late.state is NO_GO
    assert f"the waiver of CVE-2026-1 expired on {YESTERDAY}" in late.message


def test_waivers_that_end_soon_or_are_not_needed_are_told() -> None:
    soon, unused = TODAY + timedelta(days=3), waiver(LATER, "CVE-2026-9")
    (ends,) = judged(scan(cve(1)), budgets(waiver(soon))).notes
    assert ends.startswith("the waiver of image.vulnerabilities CVE-2026-1 by @ops ends on")
    (idle,) = judged(scan(cve(1)), budgets(unused)).notes
    assert idle.startswith("the waiver of image.vulnerabilities CVE-2026-9 by @ops is unused")
    (left_out,) = judged(scan(database=NO_DATABASE), budgets(unused)).notes  # nobody looked
    assert "waiver" not in left_out


def test_names_of_strangers_stay_on_one_line() -> None:
    hostile = cve(1, package="evil\n::error::\x1b[31m")
    findings = check(judged(scan(hostile)))
    assert all(text.isprintable() for text in (findings.message, *findings.findings))
