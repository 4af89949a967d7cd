"""Programs that read settings where they run: they run where no checkout has any."""

from collections.abc import Callable
from pathlib import Path

import pytest

from onegig.dockerfiles import policy
from onegig.images import dive, scan, trivy
from onegig.model.measured import Skipped

pytestmark = pytest.mark.security

TOOL = """\
#!/bin/sh
pwd >>"{folder}/where"
env | cut -d= -f1 >>"{folder}/variables"
case "$*" in
*version*) echo '{{"Version": "1.0"}}' ;;
*) echo '[]' ;;
esac
"""
SETTINGS = (".hadolint.yaml", ".dive-ci", ".dive.yaml", "trivy.yaml", ".trivyignore")


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A program that keeps where it ran and which variables it had."""
    path = tmp_path / "tool"
    path.write_text(TOOL.format(folder=tmp_path))
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with settings for every tool, as the current folder of a job."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in (*SETTINGS, ".trivyignore.yaml", "trivy-secret.yaml", "Dockerfile"):
        (folder / name).write_text("FROM scratch\n")
    for name in ("TRIVY_CONFIG", "TRIVY_IGNOREFILE", "DIVE_CONFIG", "HADOLINT_IGNORE", "CI"):
        monkeypatch.setenv(name, "x")
    monkeypatch.chdir(folder)
    return folder


def find_trivy(tool: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trivy, "find_program", lambda _: str(tool))
    trivy.find(update=True, folder=Path("cache"))


def find_dive(tool: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dive, "find_program", lambda _: str(tool))
    dive.find()


def find_hadolint(tool: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "find_program", lambda _: str(tool))
    policy.find_linter()


def run_trivy(tool: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Skipped(reason="none")
    scanner = trivy.Scanner(path=str(tool), version="1", folder=folder, database=missing)
    scan.scan(scanner, lambda out: None, folder)


def run_dive(tool: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dive.analyse(dive.Program(path=str(tool), version="1"), lambda out: None, folder)


def run_hadolint(tool: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linter = policy.Linter(path=str(tool), version="1")
    policy.lint(linter, Path("Dockerfile").absolute(), path="Dockerfile")


@pytest.mark.parametrize(
    "use", [find_trivy, find_dive, find_hadolint, run_trivy, run_dive, run_hadolint]
)
def test_it_runs_outside_the_checkout_without_settings(
    use: Callable[[Path, Path, pytest.MonkeyPatch], None],
    tool: Path,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    use(tool, folder, monkeypatch)
    where = set((tmp_path / "where").read_text().split())
    assert where
    assert not any(Path(one).is_relative_to(checkout) for one in where)
    names = (tmp_path / "variables").read_text().split()
    assert not [name for name in names if name.startswith(("TRIVY_", "DIVE_", "HADOLINT_", "CI"))]
