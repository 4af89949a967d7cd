"""The command as a user runs it, on small real projects: verdicts, messages, files, exit codes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import DockerClient

from small_image import SMALL_IMAGE

pytestmark = pytest.mark.engine

BUDGETS = """\
version: 1
memory:
  limit: 512MB
measure: {settle: 500ms, window: 2s, healthy_timeout: 20s}
"""
DOCKERFILE = f"""\
FROM {SMALL_IMAGE}
COPY hello.txt /hello.txt
USER 65532:65532
"""
IDLE = 'command: ["sleep", "3600"]'
Cli = Callable[..., subprocess.CompletedProcess[str]]


def compose(service: str = IDLE, more: str = "") -> str:
    return f"""\
name: onegig-cli-test
services:
  web:
    build: .
    image: onegig-cli-test/web
    init: true
    {service}
{more}"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "budgets.yml").write_text(BUDGETS)
    (tmp_path / "compose.yml").write_text(compose())
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "hello.txt").write_text("hello\n")
    return tmp_path


@pytest.fixture
def cli(project: Path, client: DockerClient) -> Cli:
    """Runs onegig in the project."""

    def invoke(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "onegig.cli", *arguments],
            cwd=project,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=300,
            check=False,
        )

    return invoke


def test_check_ends_with_a_verdict_and_a_report_folder(cli: Cli, project: Path) -> None:
    done = cli("check")
    assert done.returncode == 0, done.stderr
    assert re.match(r"\W*GO: \d+ of 512 MB", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert sorted(path.name for path in (project / "report").iterdir()) == [
        "comment.md",
        "report.html",
        "report.json",
    ]
    report = json.loads((project / "report" / "report.json").read_text())
    assert report["verdict"]["state"] == "GO"
    assert report["memory"]["services"][0]["state"] == "running"
    assert report["images"]["images"][0]["dive"]["efficiency"] > 0.9


def test_a_compose_file_is_enough_and_init_writes_the_rest(cli: Cli, project: Path) -> None:
    (project / "budgets.yml").unlink()
    words = ("check", "--window", "2s", "--settle", "0s")
    done = cli(*words)
    assert done.returncode == 0, done.stderr
    assert re.match(r"\W*GO: \d+ of 1,024 MB", done.stdout)
    assert "there is no budgets.yml, so the defaults counted" in " ".join(done.stdout.split())
    assert f"onegig {' '.join(words)}" in done.stdout
    assert cli("init", "--report", "report/report.json").returncode == 0
    again = cli(*words)
    assert again.returncode == 0, again.stdout
    assert "defaults counted" not in " ".join(again.stdout.split())
    assert cli("init").returncode == 2


def test_steps_one_by_one_give_the_same_as_check(cli: Cli, project: Path) -> None:
    assert cli("build").returncode == 0
    assert cli("inspect", "--output", "images.json").returncode == 0
    assert cli("measure", "--output", "memory.json").returncode == 0
    judged = cli(
        "judge", "--images", "images.json", "--memory", "memory.json", "--output", "r.json"
    )
    assert judged.returncode == 0, judged.stderr
    shown = cli("render", "r.json")
    assert re.match(r"\W*GO: \d+ of 512 MB", shown.stdout)
    page = cli("render", "r.json", "--format", "html", "--output", "r.html")
    assert page.returncode == 0
    assert "<html" in (project / "r.html").read_text()


def test_json_is_all_there_is_on_standard_output(cli: Cli, project: Path) -> None:
    """And an image that has no name in the file has the one that compose gives it."""
    unnamed = compose().replace("    image: onegig-cli-test/web\n", "")
    (project / "compose.yml").write_text(unnamed)
    done = cli("check", "--json", "--quiet")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["verdict"]["state"] == "GO"
    assert report["images"]["images"][0]["reference"] == "onegig-cli-test-web"


def test_any_single_image_can_be_inspected(cli: Cli) -> None:
    done = cli("inspect", "--image", SMALL_IMAGE, "--json")
    image = json.loads(done.stdout)["images"][0]
    assert image["reference"] == SMALL_IMAGE
    assert image["size_bytes"] == sum(layer["size_bytes"] for layer in image["layers"])
    assert SMALL_IMAGE in cli("inspect", "--image", SMALL_IMAGE).stdout


def test_an_image_that_is_not_there(cli: Cli) -> None:
    done = cli("inspect", "--image", "no-such/image:1")
    assert done.returncode == 4
    assert "no-such/image:1" in done.stderr


def test_a_service_that_eats_too_much(cli: Cli, project: Path) -> None:
    hungry = 'command: ["dd", "if=/dev/zero", "of=/dev/null", "bs=700M"]\n    restart: always'
    (project / "compose.yml").write_text(compose(hungry))
    done = cli("check")
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert "NO-GO" in first
    assert "web" in first


def test_a_service_that_never_turns_healthy(cli: Cli, project: Path) -> None:
    sick = f'{IDLE}\n    healthcheck: {{test: ["CMD", "false"], interval: 1s, retries: 2}}'
    (project / "compose.yml").write_text(compose(sick))
    done = cli("check")
    assert done.returncode == 1
    assert "web is unhealthy: health check exit code 1" in done.stdout


def test_a_broken_dockerfile(cli: Cli, project: Path) -> None:
    (project / "Dockerfile").write_text(DOCKERFILE + "RUN echo compiling && no-such-tool\n")
    done = cli("check")
    assert done.returncode == 3
    assert "the image of web could not be built" in done.stderr
    assert "no-such-tool: not found" in done.stderr


def test_a_budgets_file_with_mistakes(cli: Cli, project: Path) -> None:
    (project / "budgets.yml").write_text("version: 1\nmemory:\n  limit: 90X\n  metrc: rss\n")
    done = cli("check")
    assert done.returncode == 2
    assert "budgets.yml:3: memory.limit: '90X' is not a size (write 90MB)" in done.stderr
    assert "metric" in done.stderr


def test_no_engine(cli: Cli) -> None:
    done = cli("check", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode == 3
    assert "no Docker Engine answers" in done.stderr
    assert "systemctl start docker" in done.stderr


def test_a_limit_below_the_engine_itself(cli: Cli, project: Path) -> None:
    (project / "budgets.yml").write_text(BUDGETS.replace("512MB", "100MB"))
    done = cli("check")
    assert done.returncode == 1
    assert "of 100 MB" in " ".join(done.stdout.splitlines()[:3])  # the sentence, wrapped


def test_wrong_usage_and_help(cli: Cli) -> None:
    assert cli("chekc").returncode == 2
    shown = cli("check", "--help")
    assert shown.returncode == 0
    assert "INCOMPLETE" in shown.stdout


def test_the_report_says_where_the_bases_came_from(cli: Cli, project: Path) -> None:
    (project / "Dockerfile").write_text(f'{DOCKERFILE}LABEL onegig.base="assembled locally"\n')
    (project / "compose.yml").write_text(compose().replace("    image: onegig-cli-test/web\n", ""))
    assert cli("build").returncode == 0
    done = cli("inspect", "--json", "--quiet")
    report = json.loads(done.stdout)
    assert report["environment"]["bases"] == "assembled locally"
    assert report["images"][0]["base"] == "assembled locally"
