"""Java archives: the real trivy with, without and with a broken database that knows them."""

import io
import zipfile
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

import pytest

from fake_engine import make_engine, make_image
from onegig.images import trivy
from onegig.images.cache import Cache
from onegig.images.inspect import inspect_images
from onegig.model.measured import Environment, Skipped, Unknown
from onegig.model.scan import Scan
from trivy_database import make_database, make_java_database

SYSTEM = [
    ("etc/alpine-release", b"3.23.0\n"),
    ("lib/apk/db/installed", b"P:openssl\nV:3.5.1-r0\nA:x86_64\no:openssl\n\n"),
]
OPENSSL = {"CVE-2026-1": {"package": "openssl", "fixed": "3.5.2-r0", "severity": "CRITICAL"}}
LOG4J = {
    "CVE-2026-5": {
        "package": "org.apache.logging.log4j:log4j-core",
        "fixed": "2.15.0",
        "severity": "CRITICAL",
    }
}
Files = list[tuple[str, bytes]]


def archive(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in files.items():
            made.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


NAMELESS = archive(Logger=b"a class")  # only the database knows what it is
ARCHIVES: Files = [
    ("app/Logger.JAR", NAMELESS),
    ("app/shop.war", archive(**{"WEB-INF/lib/x.jar": NAMELESS})),
]


@pytest.fixture
def scanner(tmp_path: Path) -> trivy.Scanner:
    """The installed trivy with a database of two advisories and none of Java archives."""
    make_database(tmp_path / "trivys", "alpine 3.23", OPENSSL, LOG4J)
    result = trivy.find(folder=tmp_path / "trivys")
    if not isinstance(result, trivy.Scanner):
        pytest.skip(f"{result.reason}: scripts/setup/trivy.sh")
    return result


@pytest.fixture
def look(environment: Environment, no_dive: Unknown, tmp_path: Path) -> Callable[..., Scan]:
    """What is found in an image with these files besides the system's."""

    def run(scanner: trivy.Scanner, files: Files = ARCHIVES) -> Scan:
        engine = make_engine({"shop/web:1": make_image(SYSTEM, files)})
        (image,) = inspect_images(
            dict.fromkeys(engine.images, ()),
            engine=engine,
            cache=Cache(tmp_path / "cache"),
            environment=environment,
            progress=lambda _line: None,
            program=no_dive,
            scanner=scanner,
        ).report.images
        assert isinstance(image.scan, Scan), image.scan
        return image.scan

    return run


def with_java(scanner: trivy.Scanner) -> trivy.Scanner:
    make_java_database(
        scanner.folder,
        {sha1(NAMELESS).hexdigest(): ("org.apache.logging.log4j", "log4j-core", "2.14.1")},
    )
    result = trivy.find(folder=scanner.folder)
    assert isinstance(result, trivy.Scanner)
    return result


def named(scan: Scan) -> set[str]:
    return {finding.id for finding in scan.findings if finding.id.startswith("CVE")}


def test_without_the_database_all_but_java_archives_is_scanned_and_said_so(
    scanner: trivy.Scanner, look: Callable[..., Scan]
) -> None:
    result = look(scanner)
    assert result.java_database == Skipped(reason="no Java database")
    assert result.database == scanner.database
    assert named(result) == {"CVE-2026-1"}
    assert result.packages == ("openssl 3.5.1-r0 (alpine 3.23)",)


def test_an_image_without_java_archives_needs_no_database(
    scanner: trivy.Scanner, look: Callable[..., Scan]
) -> None:
    result = look(scanner, [("app/jar", NAMELESS)])
    assert (result.java_database, named(result)) == ("", {"CVE-2026-1"})


def test_with_the_database_java_archives_are_scanned(
    scanner: trivy.Scanner, look: Callable[..., Scan]
) -> None:
    result = look(with_java(scanner))
    assert result.java_database == "2026-11-20T01:10:00Z"
    assert named(result) == {"CVE-2026-1", "CVE-2026-5"}
    assert "org.apache.logging.log4j:log4j-core 2.14.1" in result.packages


def test_a_damaged_database_costs_the_java_archives_only(
    scanner: trivy.Scanner, look: Callable[..., Scan]
) -> None:
    damaged = with_java(scanner)
    (scanner.folder / "java-db/metadata.json").write_text("no JSON")
    result = look(damaged)
    assert isinstance(result.java_database, Unknown)
    assert result.java_database.reason.startswith("trivy failed with code 1: ")
    assert named(result) == {"CVE-2026-1"}
