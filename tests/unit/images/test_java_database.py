"""When the database of Java archives is fetched, and what is scanned again then."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

from fake_engine import make_engine, make_image
from onegig.images import examine, trivy
from onegig.images.cache import Cache
from onegig.images.inspect import inspect_images
from onegig.images.scan import VULNERABILITIES, LayOut
from onegig.model.measured import Environment, Missing, Skipped, Unknown
from onegig.model.scan import Scan

MADE = "2026-11-20T01:10:00Z"
SCANNER = trivy.Scanner(
    path="/bin/trivy", version="0.74.0", folder=Path("/trivy"), database="2026-11-24T06:20:00Z"
)
WANTED = replace(SCANNER, fetches=True)
NO_JAVA_DATABASE = Skipped(reason="no Java database")
Results = list[str | Missing]
Look = Callable[[trivy.Scanner], tuple[str | Missing, str | Missing]]


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which images were scanned, by a stand-in for trivy that knows archives by their name."""
    calls: list[str] = []

    def scan(scanner: trivy.Scanner, lay_out: LayOut, directory: Path, *, cache: Path) -> Scan:
        folder = Path(mkdtemp(dir=directory)) / "image"
        lay_out(folder)

        def blob(descriptor: dict[str, str]) -> bytes:
            return (folder / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()

        (manifest,) = json.loads((folder / "index.json").read_text())["manifests"]
        (layer,) = json.loads(blob(manifest))["layers"]
        has_java = b"x.jar" in blob(layer)
        calls.append("java" if has_java else "c")
        return Scan(
            trivy_version=scanner.version,
            findings=(),
            scanners=VULNERABILITIES,
            database=scanner.database,
            java_database=scanner.java_database if has_java else "",
        )

    monkeypatch.setattr(examine, "scan", scan)
    return calls


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Results:
    """What the next times of fetching the database give."""
    results: Results = []

    def fetch(scanner: trivy.Scanner) -> trivy.Scanner:
        return replace(scanner, java_database=results.pop(0), fetches=False)

    monkeypatch.setattr(trivy, "fetch_java", fetch)
    return results


@pytest.fixture
def look(scanned: list[str], environment: Environment, no_dive: Unknown, tmp_path: Path) -> Look:
    """The Java databases of the scans of an image with an archive, and of one without."""
    images = {"java": make_image([("app/x.jar", b"x")]), "c": make_image([("app/c", b"c")])}
    engine = make_engine(images)

    def run(scanner: trivy.Scanner) -> tuple[str | Missing, str | Missing]:
        found = inspect_images(
            dict.fromkeys(images, ()),
            engine=engine,
            cache=Cache(tmp_path / "cache"),
            environment=environment,
            progress=lambda _line: None,
            program=no_dive,
            scanner=scanner,
        )
        scans = [image.scan for image in found.report.images]
        assert isinstance(scans[0], Scan)
        assert isinstance(scans[1], Scan)
        return scans[0].java_database, scans[1].java_database

    return run


def test_nothing_is_fetched_that_nobody_wants(look: Look, scanned: list[str]) -> None:
    assert look(SCANNER) == (NO_JAVA_DATABASE, "")
    assert look(SCANNER) == (NO_JAVA_DATABASE, "")
    assert sorted(scanned) == ["c", "java"]


def test_it_is_fetched_once_an_image_needs_it(
    look: Look, scanned: list[str], fetched: Results
) -> None:
    fetched.append(MADE)
    assert look(WANTED) == (MADE, "")
    assert fetched == []
    assert sorted(scanned) == ["c", "java", "java"]


def test_nothing_is_fetched_that_no_image_needs(
    look: Look, scanned: list[str], fetched: Results
) -> None:
    there = replace(SCANNER, java_database=MADE)
    assert look(there) == (MADE, "")
    assert look(replace(there, fetches=True)) == (MADE, "")
    assert sorted(scanned) == ["c", "java"]


def test_an_image_that_was_scanned_without_it_is_scanned_again(
    look: Look, scanned: list[str], fetched: Results
) -> None:
    look(SCANNER)
    scanned.clear()
    assert look(replace(SCANNER, java_database=MADE)) == (MADE, "")
    assert scanned == ["java"]
    look(replace(SCANNER, java_database="2026-11-24T01:10:00Z"))
    assert scanned == ["java", "java"]


def test_a_failure_is_told_and_not_kept(look: Look, scanned: list[str], fetched: Results) -> None:
    failed = Unknown(reason="no Java database: trivy failed with code 1")
    fetched += [failed, MADE]
    assert look(WANTED) == (failed, "")
    assert look(WANTED) == (MADE, "")
    assert sorted(scanned) == ["c", "java", "java", "java"]
