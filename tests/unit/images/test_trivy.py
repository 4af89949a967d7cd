"""trivy is asked, understood and never guessed for: with a stand-in that fails in every way."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onegig.images import scan, trivy
from onegig.model.measured import Skipped, Unknown
from onegig.model.scan import Scan

Make = Callable[..., trivy.Scanner]
Patch = pytest.MonkeyPatch
MADE = "2026-11-24T06:20:00Z"
NOTHING = '{"SchemaVersion": 2}'
SECRET = json.dumps(
    {
        "SchemaVersion": 2,
        "Results": [
            {
                "Target": "/app/.env",
                "Secrets": [{"RuleID": "pat", "Severity": "CRITICAL", "Match": "hunter2"}],
            }
        ],
    }
)
FATAL = "2026-11-25T02:05:37Z\tFATAL\tFatal error\trun error: the database is locked"


def lay_out(folder: Path) -> None:
    folder.mkdir()


@pytest.fixture
def scanner(tmp_path: Path) -> Make:
    """A stand-in for trivy: a shell script."""

    def make(script: str, database: str = MADE) -> trivy.Scanner:
        path = tmp_path / "trivy"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return trivy.Scanner(
            path=str(path),
            version="0.74.0",
            folder=tmp_path / "trivys",
            database=database or Skipped(reason="no database"),
        )

    return make


def answer(report: str, code: int = 0) -> str:
    return f"cat >report.json <<'END'\n{report}\nEND\nexit {code}"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_findings_are_told_from_failures_by_the_exit_code(scanner: Make, work: Path) -> None:
    clean = scan.scan(scanner(answer(NOTHING)), lay_out, work)
    result = scan.scan(scanner(answer(SECRET, scan.FOUND)), lay_out, work)
    assert isinstance(clean, Scan)
    assert isinstance(result, Scan)
    assert (clean.findings, clean.database) == ((), MADE)
    assert [item.id for item in result.findings] == ["pat"]
    assert "hunter2" not in repr(result)
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f"printf '%s\\n' '{FATAL}' >&2; exit 1", "trivy failed with code 1: run error: the data"),
        ("exit 1", "trivy failed with code 1"),
        (answer(SECRET, 1), "trivy failed with code 1"),
        (answer(SECRET, 139), "trivy failed with code 139"),
        ("kill -9 $$", "trivy was ended by SIGKILL"),
        ("exit 0", "trivy left no report: No such file"),
        (answer("no report"), "trivy wrote a report that cannot be read: it is not JSON"),
        (answer(SECRET, 0), "trivy ended with 0, which its report contradicts"),
        (answer(NOTHING, scan.FOUND), "trivy ended with 10, which its report contradicts"),
        ("exec sleep 60", "trivy took longer than 0.5 s"),
        ("yes too much | head -c 99999 >&2; exit 1", "trivy failed with code 1: too much"),
    ],
)
def test_a_trivy_that_fails_is_unknown_and_never_nothing(
    scanner: Make, work: Path, script: str, reason: str
) -> None:
    result = scan.scan(scanner(script, database=""), lay_out, work, timeout_seconds=0.5)
    assert isinstance(result, Unknown)
    assert result.reason.startswith(reason)
    assert len(result.reason) <= 300
    assert list(work.iterdir()) == []


def test_a_report_without_end_is_not_read(scanner: Make, work: Path) -> None:
    huge = scanner("truncate -s 1G report.json", database="")
    result = scan.scan(huge, lay_out, work)
    assert isinstance(result, Unknown)
    assert "more than 67,108,864 bytes" in result.reason


def test_a_database_that_fails_leaves_the_other_findings(scanner: Make, work: Path) -> None:
    broken = scanner(f'case "$*" in *vuln*) echo broken >&2; exit 1 ;; esac\n{answer(NOTHING)}')
    result = scan.scan(broken, lay_out, work)
    assert isinstance(result, Scan)
    assert result.scanners == ("secret", "misconfig")
    assert result.database == Unknown(reason="trivy failed with code 1: broken")


def test_no_program_is_unknown(work: Path, tmp_path: Path) -> None:
    gone = trivy.Scanner(path=str(tmp_path / "x"), version="1", folder=tmp_path, database=MADE)
    assert isinstance(scan.scan(gone, lay_out, work), Unknown)


def test_an_image_that_cannot_be_laid_out_is_unknown(scanner: Make, work: Path) -> None:
    def full(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    result = scan.scan(scanner(answer(NOTHING)), full, work)
    assert isinstance(result, Unknown)
    assert "No space left" in result.reason


def test_nobodys_settings_decide_what_is_found(
    scanner: Make, work: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setenv("TRIVY_SEVERITY", "CRITICAL")
    monkeypatch.setenv("TRIVY_IGNOREFILE", "/everything")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".trivyignore").write_text("CVE-1\n")
    seen = tmp_path / "seen"
    script = f'{{ env; pwd; ls -a; echo "$@"; }} >"{seen}"\n{answer(NOTHING)}'
    assert isinstance(scan.scan(scanner(script), lay_out, work), Scan)
    text = seen.read_text()
    assert "TRIVY_" not in text
    assert ".trivyignore" not in text
    words = text.split()
    assert {"--input=image", "--skip-db-update", "--offline-scan", "--exit-code=10"} <= {*words}
    assert "--scanners=vuln,secret,misconfig" in words


VERSION = f'{{"Version": "0.74.0", "VulnerabilityDB": {{"UpdatedAt": "{MADE}"}}}}'


def on_path(folder: Path, script: str, monkeypatch: Patch) -> Path:
    """The only trivy there is."""
    folder.mkdir(exist_ok=True)
    program = folder / "trivy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return program


def test_a_trivy_on_path_and_its_database_are_found(tmp_path: Path, monkeypatch: Patch) -> None:
    program = on_path(tmp_path / "bin", f"echo '{VERSION}'", monkeypatch)
    monkeypatch.setenv("TRIVY_CACHE_DIR", str(tmp_path / "own"))
    assert trivy.find() == trivy.Scanner(
        path=str(program), version="0.74.0", folder=tmp_path / "own", database=MADE
    )


def test_no_trivy_is_skipped_unless_it_is_wanted(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert trivy.find() == trivy.NOT_INSTALLED
    assert trivy.find(update=True) == Unknown(reason=trivy.NOT_INSTALLED.reason)


def test_no_database_is_skipped_unless_it_is_wanted(tmp_path: Path, monkeypatch: Patch) -> None:
    script = (
        f'case "$*" in *download*) echo "{FATAL}" >&2; exit 1 ;; esac; echo \'{{"Version": "1"}}\''
    )
    on_path(tmp_path / "bin", script, monkeypatch)
    result, updated = trivy.find(folder=tmp_path), trivy.find(update=True, folder=tmp_path)
    assert isinstance(result, trivy.Scanner)
    assert isinstance(updated, trivy.Scanner)
    assert result.database == Skipped(reason="no database")
    assert updated.database == Unknown(
        reason="no database: trivy failed with code 1: run error: the database is locked"
    )


def test_an_older_database_serves_where_it_cannot_be_updated(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    script = f"case \"$*\" in *download*) exit 1 ;; esac; echo '{VERSION}'"
    on_path(tmp_path / "bin", script, monkeypatch)
    result = trivy.find(update=True, folder=tmp_path)
    assert isinstance(result, trivy.Scanner)
    assert result.database == MADE


@pytest.mark.parametrize("version", trivy.REFUSED)
def test_releases_of_thieves_get_no_image(tmp_path: Path, monkeypatch: Patch, version: str) -> None:
    on_path(tmp_path / "bin", f'echo \'{{"Version": "{version}"}}\'', monkeypatch)
    result = trivy.find()
    assert isinstance(result, Unknown)
    assert "steals credentials" in result.reason


@pytest.mark.parametrize("script", ["exit 1", "echo hello", "echo '{}'", "echo '[]'"])
def test_a_trivy_that_does_not_say_its_version_is_unknown(
    tmp_path: Path, monkeypatch: Patch, script: str
) -> None:
    on_path(tmp_path / "bin", script, monkeypatch)
    assert isinstance(trivy.find(), Unknown)


JAVA = "2026-11-20T01:10:00Z"


def with_downloads(tmp_path: Path, monkeypatch: Patch, failing: str = "no") -> Path:
    """A trivy whose downloads leave a file each; those in `failing` fail."""
    files = tmp_path / "files"
    files.mkdir()
    script = f"""
        case "$*" in
            *download-{failing}*) echo "{FATAL}" >&2; exit 1 ;;
            *download-db*) touch {files}/db ;;
            *download-java*) touch {files}/java ;;
            *)
                [ ! -e {files}/java ] || java=', "JavaDB": {{"UpdatedAt": "{JAVA}"}}'
                echo '{VERSION[:-1]}'"$java}}"
                ;;
        esac"""
    on_path(tmp_path / "bin", script, monkeypatch)
    return files


def test_the_java_database_is_fetched_on_its_own(tmp_path: Path, monkeypatch: Patch) -> None:
    files = with_downloads(tmp_path, monkeypatch)
    result = trivy.find(update=True, folder=tmp_path)
    assert isinstance(result, trivy.Scanner)
    assert (result.java_database, result.fetches) == (trivy.NO_JAVA_DATABASE, True)
    assert [item.name for item in files.iterdir()] == ["db"]
    fetched = trivy.fetch_java(result)
    assert (fetched.java_database, fetched.fetches) == (JAVA, False)
    assert fetched.database == result.database


def test_a_java_database_that_is_there_is_updated_with_the_other(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    files = with_downloads(tmp_path, monkeypatch)
    (files / "java").touch()
    before = (files / "java").stat().st_mtime_ns
    for update, fetched in ((False, False), (True, True)):
        result = trivy.find(update=update, folder=tmp_path)
        assert isinstance(result, trivy.Scanner)
        assert (result.java_database, result.fetches) == (JAVA, False)
        assert ((files / "java").stat().st_mtime_ns > before) is fetched


def test_why_the_java_database_cannot_be_fetched_is_told(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    with_downloads(tmp_path, monkeypatch, failing="java")
    result = trivy.find(update=True, folder=tmp_path)
    assert isinstance(result, trivy.Scanner)
    assert trivy.fetch_java(result).java_database == Unknown(
        reason="no Java database: trivy failed with code 1: run error: the database is locked"
    )


def test_a_java_archive_that_needs_no_database_or_escapes_is_no_loop(
    scanner: Make, work: Path, tmp_path: Path
) -> None:
    """Whatever trivy says the second time is taken."""
    says = "FATAL run error: Unable to initialize the Java DB: of no use"
    script = f'echo "$@" >>{tmp_path}/calls; case "$*" in *vuln*) echo "{says}" >&2; exit 1 ;; esac'
    result = scan.scan(scanner(f"{script}\n{answer(NOTHING)}"), lay_out, work)
    assert isinstance(result, Scan)
    assert isinstance(result.database, Unknown)
    assert "initialize the Java DB" in result.database.reason
    calls = (tmp_path / "calls").read_text().splitlines()
    assert ["--skip-files" in item for item in calls] == [False, True, False]
