"""`onegig build --measure`: what a build takes in the box, and what the kernel does to it."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

MIB = 1024**2
BUDGETS = "version: 1\ntier: none\nmemory: {limit: 512MB}\n"  # 432 MB without the system
COMPOSE = f"""\
name: onegig-test
services:
  web: {{build: {{context: web, secrets: [token]}}}}
  api: {{build: {{dockerfile_inline: "FROM {SMALL_IMAGE}\\nRUN sleep 1"}}}}
secrets: {{token: {{file: ./token}}}}
"""
HOLD = 'awk \'BEGIN {{ s = "x"; while (length(s) < {bytes}) s = s s; system("sleep 2") }}\''
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two images: its web/Dockerfile is written by `measure`."""
    files = {"budgets.yml": BUDGETS, "compose.yml": COMPOSE, "token": "sesame"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "web").mkdir()
    return tmp_path


def measure(cli: Cli, project: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Measure the build where one image runs this command."""
    secret = "RUN --mount=type=secret,id=token grep -qx sesame /run/secrets/token"
    (project / "web/Dockerfile").write_text(f"FROM {SMALL_IMAGE}\n{secret}\nRUN {command}\n")
    return cli("build", "--measure", "--output", "build.json")


def test_what_a_build_takes(cli: Cli, project: Path) -> None:
    # 128 MiB, and for a moment half of it twice: more than the engine itself takes at any time
    done = measure(cli, project, HOLD.format(bytes=100_000_000))
    assert done.returncode == 0, done.stderr
    assert re.match(r"\W*(GO|WARN): the build fits on the budget's 512 MB: \d+ of", done.stdout)
    memory = json.loads((project / "build.json").read_text())["memory"]
    assert 128 * MIB <= memory["steps_bytes"] < 210 * MIB
    assert any("awk" in step for step in memory["running"])
    assert memory["steps_bytes"] + 60 * MIB < memory["cost_bytes"] < memory["cap_bytes"]
    assert 20 * MIB < memory["client_bytes"] < 200 * MIB
    assert memory["oom_kills"] == 0
    assert sorted(memory["images"]) == ["onegig-test-api", "onegig-test-web"]


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (HOLD.format(bytes=2_000_000_000), 1, "NO-GO: the build does not fit .* killed .*awk"),
        ("false", 3, "the image of web could not be built"),
    ],
)
def test_a_build_that_fails_for_want_of_memory_is_told_from_others(
    cli: Cli, project: Path, command: str, code: int, message: str
) -> None:
    done = measure(cli, project, command)
    assert done.returncode == code, done.stderr
    assert re.search(message, " ".join((done.stdout + done.stderr).split()))
