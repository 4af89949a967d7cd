"""`onegig dockerfile --build` on a real engine: both images are built, booted, and gone after."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from onegig.cli import main

pytestmark = pytest.mark.engine

PYTHON = os.environ.get("PYTHON_IMAGE", "onegig-local/python:3.13-alpine")
DOCKERFILE = """\
ARG BASE
FROM ${BASE}
WORKDIR /app
RUN dd if=/dev/zero of=/left-behind bs=1000 count=3000
COPY . .
CMD ["python", "app.py"]
"""
COMPOSE = """\
name: onegig-dockerfile-test
services:
  web:
    build: {context: ., args: {BASE: "%s"}}
    container_name: somebody-elses-name
    ports: ["1:1"]
    volumes: ["kept:/kept"]
    depends_on: [other]
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/ready"], interval: 1s, start_period: 20s}
  other:
    build: {context: ., args: {BASE: "%s"}}
    command: ["sleep", "60"]
volumes:
  kept: {name: somebody-elses-volume}
"""
APP = """\
import pathlib, time
pathlib.Path("/tmp/ready").touch()
time.sleep(60)
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command for a service that is this program."""
    monkeypatch.setenv("PYTHON_IMAGE", PYTHON)

    def invoke(app: str, *options: str) -> Result:
        files = {"Dockerfile": DOCKERFILE, "app.py": app, "compose.yml": COMPOSE % (PYTHON, PYTHON)}
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        command = ["dockerfile", "web", "--compose", str(tmp_path / "compose.yml"), *options]
        return CliRunner().invoke(main, command)

    return invoke


@pytest.mark.engine(alone=True)
def test_before_and_after(run: Run, tmp_path: Path, machine: Callable[[], set[str]]) -> None:
    before = machine()
    output = tmp_path / "Dockerfile.small"
    result = run(APP, "--build", "--output", str(output))
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line.split()}
    assert rows["health"].count("passed in") == 2
    assert "MB" in rows["memory"]
    assert output.read_text().startswith("# web in two stages, instead of ")
    assert "**/tests" in (tmp_path / "Dockerfile.small.dockerignore").read_text()
    assert (tmp_path / "Dockerfile").read_text() == DOCKERFILE
    assert machine() == before


@pytest.mark.engine(alone=True)
def test_what_does_not_turn_healthy_says_why(run: Run, machine: Callable[[], set[str]]) -> None:
    before = machine()
    result = run(f"open('/app/log', 'w')\n{APP}", "--build")
    assert result.exit_code == 3
    assert "PermissionError" in result.stdout
    assert "passed in" in result.stdout, "it ran as root before"
    assert "web as proposed did not become healthy" in result.stderr
    assert machine() == before


@pytest.mark.parametrize("name", ["Dockerfile", "new.Dockerfile"])
def test_no_file_is_written_over(run: Run, tmp_path: Path, name: str) -> None:
    result = run(APP, "--output", str(tmp_path / name))
    assert result.exit_code == (2 if name == "Dockerfile" else 0)
    assert (tmp_path / "Dockerfile").read_text() == DOCKERFILE
