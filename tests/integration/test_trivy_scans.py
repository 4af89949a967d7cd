"""The real trivy on images made by hand: secrets, a root user, Java archives, small databases."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from fake_engine import make_engine, make_image
from onegig.errors import EngineError
from onegig.images import trivy
from onegig.images.cache import Cache
from onegig.images.inspect import inspect_images
from onegig.model.codec import from_json, to_json
from onegig.model.images import ImagesReport
from onegig.model.measured import Environment, Missing, Skipped, Unknown
from onegig.model.scan import Finding, FindingKind, Scan, Severity
from trivy_database import make_database, make_java_database

TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
SYSTEM = [
    ("etc/alpine-release", b"3.23.0\n"),
    (
        "lib/apk/db/installed",
        b"P:openssl\nV:3.5.1-r0\nA:x86_64\no:openssl\n\nP:zlib\nV:1.3.1-r2\nA:x86_64\no:zlib\n\n",
    ),
]
APP = [
    ("app/settings.py", f'github = "{TOKEN}"\n'.encode()),
    ("usr/lib/python3.13/site-packages/left-1.0.dist-info/METADATA", b"Name: left\nVersion: 1.0\n"),
]
AS_ROOT = ({"created_by": "ADD alpine.tar /"}, {"created_by": f"ENV TOKEN={TOKEN}"})
ADVISORIES = {
    "CVE-2026-1": {"package": "openssl", "fixed": "3.5.2-r0", "severity": "CRITICAL"},
    "CVE-2026-2": {"package": "openssl", "fixed": "", "severity": "HIGH", "title": "not yet"},
    "CVE-2026-3": {"package": "openssl", "fixed": "3.5.0-r0", "severity": "HIGH"},
    "CVE-2026-4": {"package": "curl", "fixed": "9.0.0-r0", "severity": "HIGH"},
}


@pytest.fixture(scope="session")
def installed() -> trivy.Scanner:
    """The trivy that set-up installs, with an empty folder for its database."""
    result = trivy.find(folder=Path(tempfile.gettempdir()) / "no-such-folder")
    if not isinstance(result, trivy.Scanner):
        pytest.skip(f"{result.reason}: scripts/setup/trivy.sh")
    return result


@pytest.fixture
def with_database(installed: trivy.Scanner, tmp_path: Path) -> trivy.Scanner:
    """The same with a database of a few advisories."""
    make_database(tmp_path / "trivys", "alpine 3.23", ADVISORIES)
    return find(tmp_path / "trivys")


def find(folder: Path) -> trivy.Scanner:
    result = trivy.find(folder=folder)
    assert isinstance(result, trivy.Scanner)
    return result


@pytest.fixture
def images() -> dict[str, Any]:
    """One with everything that trivy looks for, one with nothing."""
    return {
        "shop/web:1": make_image(SYSTEM, APP, history=AS_ROOT),
        "shop/bare:1": make_image([("bin/app", b"no secret")]),
    }


@pytest.fixture
def scan(
    images: dict[str, Any], environment: Environment, no_dive: Unknown, tmp_path: Path
) -> Callable[..., tuple[dict[str, Scan | Missing], list[str]]]:
    """Scan the images, or what an engine holds; results by name and what was said."""

    def run(
        scanner: trivy.Scanner | Missing, engine: Any = None
    ) -> tuple[dict[str, Scan | Missing], list[str]]:
        engine = engine or make_engine(images)
        lines: list[str] = []
        result = inspect_images(
            dict.fromkeys(engine.images, ()),
            engine=engine,
            cache=Cache(tmp_path / "cache"),
            environment=environment,
            progress=lambda line: lines.append(line) if "layers" not in line else None,
            program=no_dive,
            scanner=scanner,
        ).report
        return {image.reference: image.scan for image in result.images}, lines

    return run


def named(found: Scan | Missing) -> set[tuple[str, str, str]]:
    assert isinstance(found, Scan), found
    return {(finding.id, finding.severity.value, finding.target) for finding in found.findings}


def test_secrets_root_and_packages_are_found_without_a_database(
    installed: trivy.Scanner, scan: Callable[..., Any]
) -> None:
    results, lines = scan(installed)
    web, bare = results["shop/web:1"], results["shop/bare:1"]
    assert named(web) >= {
        ("github-pat", "CRITICAL", "/app/settings.py"),
        ("github-pat", "CRITICAL", "image config"),  # in its history
        ("DS-0002", "HIGH", "image config"),  # runs as root
    }
    assert web.database == bare.database == Skipped(reason="no database")
    assert not [finding for finding in web.findings if finding.kind is FindingKind.VULNERABILITY]
    assert web.packages == (
        "left 1.0",
        "openssl 3.5.1-r0 (alpine 3.23)",
        "zlib 1.3.1-r2 (alpine 3.23)",
    )
    assert bare.packages == ()
    assert any("vulnerabilities not scanned: no database" in line for line in lines)


def test_vulnerabilities_come_from_the_database_whose_date_is_kept(
    with_database: trivy.Scanner, scan: Callable[..., Any]
) -> None:
    assert with_database.database == "2026-11-24T06:20:00Z"
    web = scan(with_database)[0]["shop/web:1"]
    assert web.database == "2026-11-24T06:20:00Z"
    assert web.scanners == ("vuln", "secret", "misconfig")
    vulnerabilities = [
        finding for finding in web.findings if finding.kind is FindingKind.VULNERABILITY
    ]
    assert vulnerabilities == [
        Finding(
            kind=FindingKind.VULNERABILITY,
            id="CVE-2026-1",
            severity=Severity.CRITICAL,
            target="openssl",
            installed="3.5.1-r0",
            fixed="3.5.2-r0",
            title="a flaw",
            system="alpine 3.23",
        ),
        Finding(
            kind=FindingKind.VULNERABILITY,
            id="CVE-2026-2",
            severity=Severity.HIGH,
            target="openssl",
            installed="3.5.1-r0",
            title="not yet",
            system="alpine 3.23",
        ),
    ]
    assert {vulnerability.package for vulnerability in vulnerabilities} <= {*web.packages}


def test_a_damaged_database_costs_the_vulnerabilities_only(
    with_database: trivy.Scanner, scan: Callable[..., Any]
) -> None:
    (with_database.folder / "db/trivy.db").write_bytes(b"no database" * 1000)
    web = scan(with_database)[0]["shop/web:1"]
    assert isinstance(web.database, Unknown)
    assert web.database.reason.startswith("trivy failed with code 1: ")
    assert ("github-pat", "CRITICAL", "/app/settings.py") in named(web)


def test_scanned_once_until_trivy_or_its_database_is_another(
    installed: trivy.Scanner,
    with_database: trivy.Scanner,
    scan: Callable[..., Any],
    images: dict[str, Any],
) -> None:
    engine = make_engine(images)
    first, _ = scan(installed, engine)
    again, lines = scan(installed, engine)
    assert (again, lines, len(engine.saves)) == (first, [], 1)
    for other in (with_database, replace(with_database, version="0.74.1")):
        assert len(scan(other, engine)[1]) == len(images)
    assert len(engine.saves) == 3


def test_a_scan_that_failed_is_not_kept(
    with_database: trivy.Scanner, scan: Callable[..., Any], tmp_path: Path
) -> None:
    sound = (with_database.folder / "db/trivy.db").read_bytes()
    (with_database.folder / "db/trivy.db").write_bytes(b"damaged" * 1000)
    scan(with_database)
    (with_database.folder / "db/trivy.db").write_bytes(sound)
    assert scan(with_database)[0]["shop/web:1"].database == with_database.database


def test_an_image_that_cannot_be_saved_takes_no_other_with_it(
    installed: trivy.Scanner,
    scan: Callable[..., Any],
    images: dict[str, Any],
) -> None:
    results, _ = scan(installed, make_engine(images, broken=("shop/bare:1",)))
    assert results.keys() == {"shop/web:1"}
    assert isinstance(results["shop/web:1"], Scan)


def test_without_trivy_every_image_says_so(
    scan: Callable[..., Any], images: dict[str, Any]
) -> None:
    engine = make_engine(images)
    results, lines = scan(trivy.NOT_INSTALLED, engine)
    assert set(results.values()) == {trivy.NOT_INSTALLED}
    assert (lines, len(engine.saves)) == ([], 1)  # saved for the account alone


def test_an_engine_that_is_gone_is_an_error_and_not_an_empty_scan(
    installed: trivy.Scanner,
    scan: Callable[..., Any],
    images: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = make_engine(images)

    def gone(_image_ids: Any) -> Any:
        raise EngineError("the Docker Engine stopped answering")

    monkeypatch.setattr(engine, "save", gone)
    with pytest.raises(EngineError):
        scan(installed, engine)


def test_a_planted_secret_is_in_no_output(
    installed: trivy.Scanner,
    images: dict[str, Any],
    environment: Environment,
    no_dive: Unknown,
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    made = {"shop/web:1": replace(images["shop/web:1"], history=AS_ROOT[:1])}
    report = inspect_images(
        {"shop/web:1": ("web",)},
        engine=make_engine(made),
        cache=Cache(tmp_path / "cache"),
        environment=environment,
        progress=lines.append,
        program=no_dive,
        scanner=installed,
    ).report
    text = to_json(report)
    assert isinstance(report.images[0].scan, Scan)
    assert ("github-pat", "CRITICAL", "/app/settings.py") in named(report.images[0].scan)
    assert from_json(ImagesReport, text, "images.json", strict=True) == report
    cached = [path.read_bytes() for path in (tmp_path / "cache").iterdir()]
    assert cached
    assert not [
        entry for entry in (text.encode(), *map(str.encode, lines), *cached) if b"ghp_" in entry
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_images_share_what_is_found_in_layers_but_not_which_are_the_bases(
    installed: trivy.Scanner, scan: Callable[..., Any], order: int
) -> None:
    """trivy looks for no secrets in the layers of a base, which end with its CMD."""
    added, more = {"created_by": "ADD . /"}, {"created_by": "COPY . /srv"}
    command = {"created_by": 'CMD ["sh"]', "empty_layer": True}
    last = [("srv/app", b"no secret")]
    images = {
        "a:based": make_image(APP, last, history=(added, command, more)),
        "b:own": make_image(APP, last, history=(added, more, command)),
        "c:own": make_image(APP, [("srv/other", b"none")], history=(added, more)),
    }
    results, _ = scan(installed, make_engine(dict([*images.items()][::order])))
    secret = ("github-pat", "CRITICAL", "/app/settings.py")
    assert {name for name, result in results.items() if secret in named(result)} == {
        "b:own",
        "c:own",
    }


LOG4J = {
    "CVE-2026-5": {
        "package": "org.apache.logging.log4j:log4j-core",
        "fixed": "2.15.0",
        "severity": "CRITICAL",
    }
}


def archive(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in files.items():
            file.writestr(zipfile.ZipInfo(name), text)
    return content.getvalue()


NAMELESS = archive(Logger=b"a class")  # only the database knows what it is
ARCHIVES = [
    ("app/Logger.JAR", NAMELESS),
    ("app/shop.war", archive(**{"WEB-INF/lib/x.jar": NAMELESS})),
]
Look = Callable[..., Scan]


@pytest.fixture
def without_java(installed: trivy.Scanner, tmp_path: Path) -> trivy.Scanner:
    """The installed trivy with a database of several advisories and none of Java archives."""
    make_database(tmp_path / "trivys", "alpine 3.23", ADVISORIES, LOG4J)
    return find(tmp_path / "trivys")


@pytest.fixture
def with_java(without_java: trivy.Scanner) -> trivy.Scanner:
    known = ("org.apache.logging.log4j", "log4j-core", "2.14.1")
    make_java_database(without_java.folder, {sha1(NAMELESS).hexdigest(): known})
    return find(without_java.folder)


@pytest.fixture
def look(scan: Callable[..., Any]) -> Look:
    """Scan an image with these files besides the system's."""

    def run(scanner: trivy.Scanner, files: Any = ARCHIVES) -> Scan:
        results, _ = scan(scanner, make_engine({"shop/web:1": make_image(SYSTEM, files)}))
        result = results["shop/web:1"]
        assert isinstance(result, Scan), result
        return result

    return run


def cves(result: Scan) -> set[str]:
    return {finding.id for finding in result.findings if finding.id.startswith("CVE")}


OF_SYSTEM = {"CVE-2026-1", "CVE-2026-2"}


def test_without_its_database_all_but_java_archives_is_scanned(
    without_java: trivy.Scanner, look: Look
) -> None:
    result = look(without_java)
    assert result.java_database == Skipped(reason="no Java database")
    assert result.database == without_java.database
    assert cves(result) == OF_SYSTEM
    assert [name.split()[0] for name in result.packages] == ["openssl", "zlib"]


def test_an_image_without_java_archives_needs_no_database(
    without_java: trivy.Scanner, look: Look
) -> None:
    result = look(without_java, [("app/jar", NAMELESS)])
    assert (result.java_database, cves(result)) == ("", OF_SYSTEM)


def test_with_its_database_java_archives_are_scanned(with_java: trivy.Scanner, look: Look) -> None:
    result = look(with_java)
    assert result.java_database == "2026-11-20T01:10:00Z"
    assert cves(result) == {*OF_SYSTEM, "CVE-2026-5"}
    assert "org.apache.logging.log4j:log4j-core 2.14.1" in result.packages


def test_a_damaged_java_database_costs_the_java_archives_only(
    with_java: trivy.Scanner, look: Look
) -> None:
    (with_java.folder / "java-db/metadata.json").write_text("no JSON")
    result = look(with_java)
    assert isinstance(result.java_database, Unknown)
    assert result.java_database.reason.startswith("trivy failed with code 1: ")
    assert cves(result) == OF_SYSTEM
