"""trivy's findings, in words: never zero for what was not looked for."""

from dataclasses import replace

import pytest

from accounts import make_finding, make_scan, with_scans
from factories import make_images
from onegig.model.images import NOT_SCANNED
from onegig.model.measured import Missing, Skipped, Unknown
from onegig.model.scan import FindingKind, Scan, Severity
from onegig.report import images

NO_DATABASE = Skipped(reason="no database")
NO_JAVA_DATABASE = Skipped(reason="no Java database")
MUSL = make_finding("CVE-2026-1", Severity.CRITICAL, "musl")
ZLIB = make_finding("CVE-2026-2", Severity.HIGH, "zlib")
KEY = make_finding("aws-access-key-id", Severity.HIGH, "/app/.env", kind=FindingKind.SECRET)
ROOT = make_finding("DS002", Severity.LOW, "Dockerfile", kind=FindingKind.MISCONFIGURATION)


@pytest.mark.parametrize(
    ("scan", "text"),
    [
        (make_scan(), "no findings · database of 2026-11-23"),
        (make_scan(MUSL), "1 critical vulnerability · database of 2026-11-23"),
        (
            make_scan(ZLIB, MUSL, KEY, ROOT),
            (
                "1 critical, 1 high vulnerabilities · 1 high secret · 1 low misconfiguration · "
                "database of 2026-11-23"
            ),
        ),
        (
            replace(make_scan(KEY), database=NO_DATABASE),
            "1 high secret · vulnerabilities not scanned: no database",
        ),
        (NOT_SCANNED, "not scanned"),
        (
            replace(make_scan(), java_database=NO_JAVA_DATABASE),
            "database of 2026-11-23 · Java archives not scanned: no Java database",
        ),
        (replace(make_scan(), java_database="2026-11-20"), "no findings · database of 2026-11-23"),
        (NO_DATABASE, "not scanned: no database"),
        (Unknown(reason="trivy ended with 1"), "not scanned: trivy ended with 1"),
    ],
)
def test_one_image(scan: Scan | Missing, text: str) -> None:
    assert images.scan_text(scan) == text


def test_without_a_database_nothing_is_said_to_be_free_of_findings() -> None:
    assert images.scan_text(replace(make_scan(), database=NO_DATABASE)) == (
        "vulnerabilities not scanned: no database"
    )


def test_the_worst_images_come_first_and_alike_ones_together() -> None:
    report = make_images(["web", "jobs", "cache", "queue"])
    report = with_scans(report, ["crypto-desk/cache:latest"], make_scan(ZLIB))
    report = with_scans(report, ["crypto-desk/queue:latest"], make_scan(MUSL))
    assert [trivy_sentence.line for trivy_sentence in images.trivy_sentences(report)] == [
        "queue: 1 critical vulnerability · database of 2026-11-23",
        "cache: 1 high vulnerability · database of 2026-11-23",
        "jobs and 1 more: no findings · database of 2026-11-23",
    ]


def test_all_images_on_one_line_with_a_finding_of_several_once() -> None:
    report = make_images(["web", "jobs", "cache"])
    report = with_scans(
        report, ["crypto-desk/web:latest", "crypto-desk/jobs:latest"], make_scan(MUSL)
    )
    assert images.trivy_line(report) == "1 critical vulnerability · database of 2026-11-23"


def test_images_that_were_not_scanned_are_counted() -> None:
    report = make_images(["web", "jobs"])
    bare = replace(report.images[0], scan=NOT_SCANNED)
    assert images.trivy_line(replace(report, images=(bare, report.images[1]))) == (
        "no findings · not scanned: 1 image · database of 2026-11-23"
    )
    nothing = tuple(replace(image, scan=NO_DATABASE) for image in report.images)
    assert images.trivy_line(replace(report, images=nothing)) == "not scanned: no database"


def test_java_archives_of_one_image_that_were_not_scanned_are_told_of_all() -> None:
    report = make_images(["web", "jobs"])
    with_java = replace(make_scan(), java_database=NO_JAVA_DATABASE)
    report = with_scans(report, ["crypto-desk/web:latest"], with_java)
    assert images.trivy_line(report) == (
        "database of 2026-11-23 · Java archives not scanned: no Java database"
    )
