"""The command as a user runs it, on small real projects: verdicts, messages, files, exit codes."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import DockerClient

from booting import READY
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
def project(tmp_path: Path, client: DockerClient) -> Path:
    (tmp_path / "budgets.yml").write_text(BUDGETS)
    (tmp_path / "compose.yml").write_text(compose())
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "hello.txt").write_text("hello\n")
    return tmp_path


def test_a_compose_file_is_enough_and_init_writes_the_rest(cli: Cli, project: Path) -> None:
    """And an image that has no name in the file has the one that compose gives it."""
    (project / "budgets.yml").unlink()
    (project / "compose.yml").write_text(compose().replace("    image: onegig-cli-test/web\n", ""))
    arguments = ("check", "--window", "2s", "--settle", "0s")
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert re.match(r"\W*GO: \d+ of 1,024 MB", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "there is no budgets.yml, so the defaults apply" in " ".join(done.stdout.split())
    assert f"onegig {' '.join(arguments)}" in done.stdout
    files = sorted(path.name for path in (project / "report").iterdir())
    assert files == ["comment.md", "report.html", "report.json"]
    assert cli("init", "--report", "report/report.json").returncode == 0
    assert cli("init").returncode == 2
    again = cli(*arguments, "--json", "--quiet")
    assert (again.returncode, again.stderr) == (0, "")
    report = json.loads(again.stdout)
    assert report["verdict"]["state"] == "GO"
    assert all(
        "differs from the machine that was measured" in n for n in report["verdict"]["notes"]
    )
    assert report["memory"]["services"][0]["state"] == "running"
    (image,) = report["images"]["images"]
    assert image["reference"] == "onegig-cli-test-web"
    assert image["dive"]["efficiency"] > 0.9


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


def test_any_single_image_can_be_inspected(cli: Cli) -> None:
    done = cli("inspect", "--image", SMALL_IMAGE, "--json")
    image = json.loads(done.stdout)["images"][0]
    assert image["reference"] == SMALL_IMAGE
    assert image["size_bytes"] == sum(layer["size_bytes"] for layer in image["layers"])
    assert SMALL_IMAGE in cli("inspect", "--image", SMALL_IMAGE).stdout
    absent = cli("inspect", "--image", "no-such/image:1")
    assert absent.returncode == 4
    assert "no-such/image:1" in absent.stderr


def test_a_service_that_eats_too_much(cli: Cli, project: Path) -> None:
    """Part of it is there long enough to be seen; what is taken at once, no sample may see.

    It turns healthy only after it was killed once, so that no measurement is over before that.
    """
    much = "(head -c 150000000 /dev/zero; sleep 1; cat /dev/zero) | dd bs=700M iflag=fullblock"
    script = (
        f"[ -f /tmp/ate ] || {{ touch /tmp/ate; {much}; exit 1; }}; touch /tmp/ready; sleep 600"
    )
    hungry = {
        "command": ["sh", "-c", script],
        "restart": "always",
        "healthcheck": READY,
    }
    lines = "\n    ".join(f"{key}: {json.dumps(value)}" for key, value in hungry.items())
    (project / "compose.yml").write_text(compose(lines))
    done = cli("check")
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert "NO-GO" in first
    assert "web" in first
    assert "web ran out of memory and was killed" in done.stdout


def test_a_service_that_never_turns_healthy(cli: Cli, project: Path) -> None:
    sick = f'{IDLE}\n    healthcheck: {{test: ["CMD", "false"], interval: 1s, retries: 2}}'
    (project / "compose.yml").write_text(compose(sick))
    done = cli("check")
    assert done.returncode == 1
    assert "web is unhealthy: health check exit code 1" in done.stdout


@pytest.mark.parametrize(
    ("files", "arguments", "environment", "code", "messages"),
    [
        (
            {"Dockerfile": f"{DOCKERFILE}RUN echo compiling && no-such-tool\n"},
            ["check"],
            {},
            3,
            ["the image of web could not be built", "no-such-tool: not found"],
        ),
        (
            {"budgets.yml": "version: 1\nmemory:\n  limit: 90X\n  metrc: rss\n"},
            ["check"],
            {},
            2,
            ["budgets.yml:3: memory.limit: '90X' is not a size (write 90MB)", "metric"],
        ),
        (
            {},
            ["check"],
            {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
            3,
            ["no Docker Engine answers", "systemctl start docker"],
        ),
        ({}, ["chekc"], {}, 2, ["chekc"]),
    ],
    ids=["dockerfile", "budgets", "engine", "usage"],
)
def test_mistakes_end_with_their_code_and_say_what_to_do(
    cli: Cli,
    project: Path,
    files: dict[str, str],
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    messages: list[str],
) -> None:
    for name, text in files.items():
        (project / name).write_text(text)
    done = cli(*arguments, **environment)
    assert done.returncode == code
    assert [part for part in messages if part not in done.stderr] == [], done.stderr


def test_a_limit_below_the_engine_itself(cli: Cli, project: Path) -> None:
    (project / "budgets.yml").write_text(BUDGETS.replace("512MB", "100MB"))
    done = cli("check")
    assert done.returncode == 1
    assert "of 100 MB" in " ".join(done.stdout.splitlines()[:3])  # the sentence, wrapped


def test_the_report_says_where_the_bases_came_from(cli: Cli, project: Path) -> None:
    (project / "Dockerfile").write_text(f'{DOCKERFILE}LABEL onegig.base="assembled locally"\n')
    (project / "compose.yml").write_text(compose().replace("    image: onegig-cli-test/web\n", ""))
    assert cli("build").returncode == 0
    done = cli("inspect", "--json", "--quiet")
    report = json.loads(done.stdout)
    assert report["environment"]["bases"] == "assembled locally"
    assert report["images"][0]["base"] == "assembled locally"
